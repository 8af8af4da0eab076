"""Reading TFRecord sets: the units of their files, and the format ``tfrecord``."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from zoo.datasets.formats import UNIT, About, Reader, Unit
from zoo.datasets.sample import Broken, Sample
from zoo.errors import InputError
from zoo_tfrecord import files, records, schema, wire
from zoo_tfrecord.options import ReadOptions
from zoo_tfrecord.wire import WireError

LOOKED_AT = 64
"""Records from which it is told what a set holds."""

COUNTED = 1 << 30
"""Largest set, in bytes, whose records are counted before it is read."""


class RecordReader(Reader):
    """Reads the records of one file, or of the files of a folder by name. What a record means is `decode`'s business.

    Uncompressed files are cut into units that may span files; a compressed one is a unit of its own, and where another
    follows, is inflated once more to count its records.
    """

    def __init__(self, path: Path, options: ReadOptions | None = None) -> None:
        super().__init__(path, options or ReadOptions())
        self._files = files.files(path)
        self._compressed = [files.compression(file) != "none" for file in self._files]
        self._offsets: list[array[int]] = []

    @abstractmethod
    def decode(self, payload: bytes, number: int) -> Sample:
        """The sample number `number`. Raises `WireError`."""

    @abstractmethod
    def describe(self, payloads: list[bytes]) -> tuple[str, frozenset[str], dict[str, Any]]:
        """The kind of a set that begins with `payloads`, what it holds, and facts about it."""

    def about(self) -> About:
        """What the first records say; the number of records of sets of at most a gigabyte that is not compressed."""
        first = [payload for payload in islice(self._payloads(0, 0), LOOKED_AT) if isinstance(payload, bytes)]
        kind, holds, facts = self.describe(first)
        size = sum(file.stat().st_size for file in self._files)
        compression = files.compression(self._files[0])
        count = None
        if not any(self._compressed):
            if size <= COUNTED:
                count = sum(1 for file in self._files for _ in self._offsets_of(file))
            elif first:
                mean = sum(map(len, first)) / len(first) + records.HEAD + records.TAIL
                facts = {**facts, "records, estimated": round(size / mean)}
        return About(kind, count, holds, facts={"files": len(self._files), "compression": compression, **facts})

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """Stretches of `size` records; `place` is the number of a file and an offset in it."""
        number = begun = 0
        place: list[int] | None = None
        for index, file in enumerate(self._files):
            if self._compressed[index]:
                if place is not None:
                    yield Unit(begun, number, place)
                    place = None
                yield Unit(number, -1, [index, 0])
                if index + 1 < len(self._files):
                    number += sum(1 for _ in self._offsets_of(file))
                continue
            for offset in self._offsets_of(file):
                if place is not None and number - begun == size:
                    yield Unit(begun, number, place)
                    place = None
                if place is None:
                    begun, place = number, [index, offset]
                number += 1
        if place is not None:
            yield Unit(begun, number, place)

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        """The samples of a unit."""
        index, offset = unit.place
        number, decode = unit.start, self.decode
        found = self._payloads(index, offset, single=unit.stop < 0)
        for payload in islice(found, None if unit.stop < 0 else unit.stop - unit.start):
            if isinstance(payload, Broken):
                payload.key = str(number)
                yield payload
            else:
                try:
                    yield decode(payload, number)
                except WireError as error:
                    yield Broken(str(number), f"the record is no Example that can be used: {error}", data=payload)
            number += 1

    def sample(self, index: int) -> Sample:
        """The sample number `index`; the first call looks for where the records are. Raises `IndexError` beyond the
        end, `InputError` for a broken record, `TypeError` for compressed sets."""
        if any(self._compressed):
            raise TypeError(f"{self.path} is compressed and reads in order only")
        if not self._offsets:
            self._offsets = [array("Q", self._offsets_of(file)) for file in self._files]
        rest = index
        for number, found in enumerate(self._offsets):
            if 0 <= rest < len(found):
                sample = next(self.read(Unit(index, index + 1, [number, found[rest]])))
                if isinstance(sample, Broken):
                    raise InputError(f"{self.path}: record {index} cannot be read: {sample.why}.")
                return sample
            rest -= len(found)
        raise IndexError(f"{self.path} has no sample {index}")

    def _payloads(self, index: int, offset: int, single: bool = False) -> Iterator[bytes | Broken]:
        """The payloads from a place on, of its file alone if `single`, else through the files that follow."""
        for file in self._files[index : index + 1 if single else None]:
            with files.window(file, offset) as window:
                yield from records.payloads(window, file.name, self.options.verify)
            offset = 0

    def _offsets_of(self, file: Path) -> Iterator[int]:
        with files.window(file) as window:
            yield from records.offsets(window)


class ExampleReader(RecordReader):
    """Reads the format ``tfrecord``; `zoo_tfrecord.schema` says which features are understood."""

    def decode(self, payload: bytes, number: int) -> Sample:
        """The sample that an Example describes. Raises `WireError`."""
        return schema.read_sample(payload, number)

    def describe(self, payloads: list[bytes]) -> tuple[str, frozenset[str], dict[str, Any]]:
        """Tells the kind from the annotation that is there; facts are the names of the features."""
        names: dict[bytes, wire.Feature] = {}
        for payload in payloads:
            try:
                names |= wire.features(payload)
            except WireError:
                continue
        holds = schema.holds(names)
        told = {name.decode("utf-8", "replace"): wire.KINDS[names[name][0]] for name in sorted(names)}
        return _kind(holds), frozenset(holds), {"features": told}


def _kind(holds: set[str]) -> str:
    for name, kind in (("pairs", "verification"), ("identity", "identities"), ("landmarks", "landmarks")):
        if name in holds:
            return kind
    return "detection"
