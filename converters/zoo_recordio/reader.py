"""Reading sets of ``.rec`` files."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from functools import cached_property
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from zoo.datasets.formats import UNIT, About, Reader, Unit
from zoo.datasets.sample import Broken, EncodedImage, Sample, sniff
from zoo.errors import InputError
from zoo_recordio.about import Contents
from zoo_recordio.files import find
from zoo_recordio.labels import SIZE, Scalars, range_of, to_float, unpack_header, vector, whole
from zoo_recordio.lists import Cursor, NameList, key_of
from zoo_recordio.options import ReadOptions
from zoo_recordio.records import RecordError, Records
from zoo_recordio.rows import BAD, Index, Rows, Scan

_JPEG = b"\xff\xd8\xff"


class RecordReader(Reader):
    """Reads insightface's and im2rec's sets: a ``.rec`` file or the folder of one. A sample is an image; identity
    records and the header are none.

    The place of a unit is JSON: that of its rows, how many to pass over there, and that of its names.
    """

    def __init__(self, path: Path, options: Any = None) -> None:
        super().__init__(path, options or ReadOptions())
        self.files = find(path)
        self.contents = Contents(self.files, self.options)
        self._scalars = Scalars()

    def about(self) -> About:
        """The number of images, not of records; the facts count headers and identities apart."""
        holds = {"identity", "images", "keys"} if self.contents.names else {"identity", "images"}
        return About("identities", self.contents.survey.images, frozenset(holds), facts=self.contents.facts)

    def identities(self) -> Iterator[tuple[int, int, int]]:
        """The identity records: of each its key, the key of its first image, and the one after its last."""
        rows = self.contents.rows
        with Records(self.files.rec) as records:
            for _, keys, offsets in rows.blocks():
                others = ((key, at) for key, at in zip(keys, offsets, strict=True) if key and not rows.is_image(key))
                for key, offset in others:
                    seen = records.peek(offset)
                    own = unpack_header(seen.head)[2] if key < 0 else key
                    if own and (found := range_of(seen.length, seen.head)):
                        yield own, *found

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """See `Reader`. Records that are no images end a unit."""
        rows, begin, done, count = self.contents.rows, None, 0, 0
        names = Cursor(self.files.lst) if self.contents.names else None
        for place, keys, _ in rows.blocks():
            for i, key in enumerate(keys):
                image = rows.is_image(key)
                if begin is not None and (count == size or not image):
                    yield _unit(done, count, begin, names)
                    begin, done, count = None, done + count, 0
                if image:
                    begin = begin or [place, i]
                    count += 1
        if begin is not None:
            yield _unit(done, count, begin, names)

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        """See `Reader`."""
        place, skip, names = unit.place
        rows = self._rows(place, skip, unit.stop - unit.start)
        with Records(self.files.rec) as records:
            for (key, offset), line in zip(rows, self._lines(names), strict=False):
                try:
                    data, start, stop = records.locate(offset)
                except RecordError as error:
                    yield self._broken(key, offset, str(error))
                    continue
                try:
                    yield self._sample(key, data, start, stop, line)
                except InputError as error:
                    yield self._broken(key, offset, str(error), data[start:stop])

    def sample(self, index: int) -> Sample:
        """See `Reader`. The first call makes a table of all offsets, 16 bytes a sample."""
        keys, offsets = self._table
        self.require_number(index, len(keys))
        key, offset = keys[index], offsets[index]
        with Records(self.files.rec) as records:
            try:
                data = records.payload(offset)
                return self._sample(key, data, 0, len(data), self._line(index))
            except InputError as error:
                return self.good(self._broken(key, offset, str(error)))

    def _sample(self, key: int, data: bytes, start: int, stop: int, line: str | None) -> Sample:
        """The sample whose record is ``data[start:stop]``. Raises `InputError`."""
        begin = start + SIZE
        if begin > stop:
            raise InputError(f"its {stop - start} bytes are no label header, which takes {SIZE}")
        flag, bits, id1, id2 = unpack_header(data, start)
        extra: dict[str, Any] = {"key": key}
        if not flag:
            identity = self._scalars[bits]
            if identity is None:
                extra["label"] = to_float(bits)
        else:
            begin += 4 * flag
            if begin > stop:
                raise InputError(f"its label should have {flag:,} numbers, but the record has {stop - start:,} bytes")
            label = vector(data, start + SIZE, flag)
            extra["label"], identity = label, whole(label[0])
            if bits:
                extra["own"] = to_float(bits)
        if begin == stop:
            raise InputError("it holds no image")
        if id1 != key:
            extra["id"] = id1
        if id2:
            extra["id2"] = id2
        name = str(key) if line is None else self._name(line, key, extra)
        image = data[begin:stop]
        encoded = EncodedImage(image, "jpeg" if image.startswith(_JPEG) else sniff(image))
        return Sample(name, encoded, None, None, identity, None, None, extra)

    def _name(self, line: str, key: int, extra: dict[str, Any]) -> str:
        extra["path"] = path = self._list.name(line, key)
        return key_of(path)

    def _broken(self, key: int, offset: int, why: str, data: bytes = b"") -> Broken:
        name = f"record-at-{offset}" if key == BAD else str(key)
        return Broken(name, why.rstrip("."), self.files.rec.name, offset, data)

    def _rows(self, place: list[Any], skip: int, count: int) -> Iterator[tuple[int, int]]:
        """Keys and offsets of `count` rows from a place on, with no walk over those before it. Raises `InputError` when
        there are fewer by now."""
        rows: Rows = Index(self.files.idx, self.files.rec) if len(place) == 1 else Scan(self.files.rec)
        for _, keys, offsets in rows.blocks(place):
            own = slice(skip, skip + count)
            taken = keys[own]
            yield from zip(taken, offsets[own], strict=True)
            skip, count = max(0, skip - len(keys)), count - len(taken)
            if not count:
                return
        raise InputError(f"{self.files.rec} or its index became shorter while it was read.")

    @cached_property
    def _list(self) -> NameList:
        return NameList(self.files.lst)

    def _lines(self, place: list[int] | None) -> Iterator[str | None]:
        return repeat(None) if place is None else chain(self._list.lines(place), repeat(""))

    def _line(self, index: int) -> str | None:
        if self.contents.names is None:
            return None
        start, skip = self._line_places[index // UNIT]
        return next(self._list.lines([start, skip + index % UNIT]))

    @cached_property
    def _line_places(self) -> list[list[int]]:
        """Places of every `UNIT`-th line."""
        cursor = Cursor(self.files.lst)
        return [cursor.take(UNIT) for _ in range(0, self.contents.survey.images, UNIT)]

    @cached_property
    def _table(self) -> tuple[array[int], array[int]]:
        """Keys and offsets of all images."""
        rows, all_keys, all_offsets = self.contents.rows, array("q"), array("q")
        for _, keys, offsets in rows.blocks():
            images = [i for i, key in enumerate(keys) if rows.is_image(key)]
            all_keys.extend(keys[i] for i in images)
            all_offsets.extend(offsets[i] for i in images)
        return all_keys, all_offsets


def _unit(start: int, count: int, begin: list[Any], names: Cursor | None) -> Unit:
    return Unit(start, start + count, [*begin, names.take(count) if names else None])
