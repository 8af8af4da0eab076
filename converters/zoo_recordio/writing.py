"""What the writers of both formats share: images become records in parts, parts become one file with an index."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import IO, Any, ClassVar

from zoo.datasets.formats import About, Part, Writer
from zoo.datasets.sample import RAW, Sample
from zoo.datasets.streams import Growing, part_path
from zoo.errors import InputError
from zoo_recordio.labels import SIZE, from_sample, pack_header
from zoo_recordio.lists import Order, line
from zoo_recordio.naming import Numbering, relabel, relabel_lines
from zoo_recordio.options import Im2recOptions, InsightfaceOptions
from zoo_recordio.records import CHUNK, LARGEST, pack

_ID_AT = 16
"""Where in a record the id is: after the record's own head (8 bytes), the flag and the label (4 each)."""

_KEYS = 1 << 62


class RecordPart(Part):
    """The records of one unit in a file, and their lines of the list in another.

    The key of an image is often known only when all before it have been written. `first` is that of the first one if
    none before it is left out; `RecordWriter.append` corrects the ids where one was.
    """

    def __init__(self, writer: RecordWriter, path: Path, first: int) -> None:
        self._writer, self._first = writer, first
        self._records: IO[bytes] = path.open("wb", buffering=CHUNK)
        self._list = path.with_suffix(".lst")
        self._lines: list[str] = []
        self._sizes: list[int] = []
        self._keys: dict[int, int] = {}
        self._fixed: list[int] = []
        self._runs: list[list[Any]] = []
        self._names: dict[str, int] = {}
        self._bare = 0

    def write(self, sample: Sample) -> None:
        """See `Part`."""
        identity = self._writer.number(sample, self._names)
        named = isinstance(sample.identity, str) and not self._writer.listed
        if self._runs and named != bool(self._names):
            raise _mixed()
        label = from_sample(identity, sample.extra)
        key = self._writer.key(sample)
        own, fixed = self._id(sample, key)
        header = pack_header(label, own, sample.extra.get("id2", 0), sample.extra.get("own", 0.0))
        data, suffix = self._encoded(sample)
        record = pack(header + data)
        if (named or not fixed) and int.from_bytes(record[4:8], "little") & LARGEST < SIZE:
            raise InputError(f"The label {label!r} looks like RecordIO's magic number and cannot be written.")
        if self._writer.order:
            self._lines.append(_line(self._writer.order, sample, label, suffix))
        self._records.write(record)
        self._bare += sample.image is not None and sample.image.format == RAW
        if named:
            self._names.setdefault(str(sample.identity), len(self._names))
        self._note(len(record), key, fixed, identity)

    def _encoded(self, sample: Sample) -> tuple[bytes, str]:
        """The image as it is, or encoded when it is bare pixels, and its suffix. Raises `InputError` where there is
        none."""
        image, options = sample.image, self._writer.options
        if image is None or not image.data:
            raise InputError(f"The sample {sample.key} has no image.")
        if image.format != RAW:
            return image.data, image.suffix
        from zoo import images

        suffix = ".png" if options.encoding == "png" else ".jpg"
        return images.encode(image.decode(sample.key), suffix, options.quality), suffix

    def _id(self, sample: Sample, key: int | None) -> tuple[int, bool]:
        """The id in the label header, and whether it stays: it is the image's key, unless the source had another."""
        own = sample.extra.get("id", key)
        return (self._first + len(self._sizes), False) if own is None else (own, True)

    def _note(self, size: int, key: int | None, fixed: bool, identity: int | None) -> None:
        number = len(self._sizes)
        self._sizes.append(size)
        if fixed:
            self._fixed.append(number)
        if key is not None:
            self._keys[number] = key
        if self._runs and self._runs[-1][0] == identity:
            self._runs[-1][1] += 1
        else:
            self._runs.append([identity, 1])

    def close(self) -> dict[str, Any]:
        """The facts: the sizes of the records, the numbers of those whose key or id is given, the runs of images of one
        identity, as pairs of identity and length, and the names that are numbered in this part alone."""
        self._records.close()
        self._list.write_bytes("".join(self._lines).encode("utf-8", "replace"))
        keys = [[number, key] for number, key in self._keys.items()]
        return {
            "first": self._first,
            "sizes": self._sizes,
            "keys": keys,
            "fixed": self._fixed,
            "runs": self._runs,
            "names": list(self._names),
            "bare": self._bare,
        }


class RecordWriter(Writer):
    """Writes ``NAME.rec``, ``NAME.idx`` and, when `order` is given, ``NAME.lst``. Keys count from `base` on; `count` is
    how many images have been written."""

    needs: ClassVar[frozenset[str]] = frozenset({"identity", "images"})
    base = 0

    def __init__(self, work: Path, options: InsightfaceOptions | Im2recOptions, about: About | None, name: str) -> None:
        super().__init__(work, options, about)
        self.order: Order | None = None if options.list == "none" else options.list
        self.rec, self.idx, self.lst = (Growing(self.out / f"{name}{suffix}") for suffix in (".rec", ".idx", ".lst"))
        self.listed = {name: number for number, name in enumerate(about.classes)} if about else {}
        """The numbers of the identities that the source lists."""

        self._naming, self._numbered = Numbering(work / "names"), False
        self.count = self._bare = 0

    def number(self, sample: Sample, names: Mapping[str, int]) -> int | None:
        """The number of the sample's identity: its own, its place in the source's list, or where there is no list its
        place in `names`, behind them for a new one.

        Raises `InputError` for a name that is not in the source's list.
        """
        identity = sample.identity
        if not isinstance(identity, str):
            return identity
        if self.listed and identity not in self.listed:
            raise InputError(f"The identity {identity!r} is not in the source's own list of its identities.")
        return self.listed[identity] if self.listed else names.get(identity, len(names))

    def key(self, sample: Sample) -> int | None:
        """The key that the sample brings, None where keys are counted."""
        return None

    def part(self, number: int, first: int) -> RecordPart:
        """See `Writer`."""
        return RecordPart(self, part_path(self.work, number, ".rec"), self.base + first)

    def append(self, number: int, facts: Mapping[str, Any]) -> None:
        """See `Writer`. Raises `InputError` when some identities are names and others numbers."""
        part, sizes, first = part_path(self.work, number, ".rec"), facts["sizes"], self.base + self.count
        self.take_runs(self._renumbered(part, facts))
        if facts["first"] != first:
            _correct(part, sizes, set(facts["fixed"]), first)
        given = dict(facts["keys"])
        keys = [given.get(i, first + i) for i in range(len(sizes))]
        offsets = accumulate(sizes, initial=self.rec.append(part))
        self.idx.write("".join(f"{key}\t{offset}\n" for key, offset in zip(keys, offsets, strict=False)).encode())
        self._append_lines(part.with_suffix(".lst"), keys)
        self.count += len(sizes)
        self._bare += facts["bare"]

    def take_runs(self, runs: list[list[Any]]) -> None:
        """Take note of what the next images show: an identity and how many images, again and again."""

    def _renumbered(self, part: Path, facts: Mapping[str, Any]) -> list[list[Any]]:
        """The runs of a part with the numbers of the set; where these differ from the part's, its files get them."""
        runs, names = facts["runs"], facts["names"]
        self._numbered |= bool(runs and not names and not self.listed)
        if self._numbered and (names or len(self._naming)):
            raise _mixed()
        numbers = self._naming.take(names)
        if numbers == list(range(len(numbers))):
            return runs  # type: ignore[no-any-return]
        labels = [numbers[own] for own, length in runs for _ in range(length)]
        relabel(part, facts["sizes"], labels)
        if self.order:
            relabel_lines(part.with_suffix(".lst"), self.order, labels)
        return [[numbers[own], length] for own, length in runs]

    def _append_lines(self, part: Path, keys: list[int]) -> None:
        if self.order == "im2rec":
            with part.open("rb") as lines:
                self.lst.write(b"".join(b"%d\t%s" % pair for pair in zip(keys, lines, strict=True)))
        elif self.order:
            self.lst.write(part.read_bytes())
        part.unlink()

    def add(self, key: int, payload: bytes) -> None:
        """Append a record that is no image."""
        self.idx.write(b"%d\t%d\n" % (key, self.rec.write(pack(payload))))

    def finish(self) -> None:
        """See `Writer`. Raises `InputError` when there is no image."""
        if not self.count:
            raise InputError("There is no image to write.")
        self.close()

    def close(self) -> None:
        """Close the files."""
        for file in (self.rec, self.idx, self.lst, self._naming):
            file.close()

    def notes(self) -> dict[str, Any]:
        """See `Writer`: what became of names, and how many images had to be encoded."""
        found = {}
        if self.listed or len(self._naming):
            order = "of the source's list of them" if self.listed else "in which they came"
            found["identities"] = f"names became numbers from 0 on, in the order {order}"
        if self._bare:
            quality = f" at quality {self.options.quality}" if self.options.encoding == "jpeg" else ""
            found["encoded"] = f"{self._bare:,} images as {self.options.encoding}{quality}"
        return found

    def state(self) -> dict[str, Any]:
        """See `Writer`."""
        sizes = [self.rec.size, self.idx.size, self.lst.size]
        names = {"names": self._naming.size, "numbered": self._numbered}
        return {"count": self.count, "bare": self._bare, "sizes": sizes, **names}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Writer`."""
        self.count, self._bare = state.get("count", 0), state.get("bare", 0)
        for file, size in zip((self.rec, self.idx, self.lst), state.get("sizes", (0, 0, 0)), strict=True):
            file.cut(size)
        if not self.order:
            self.lst.path.unlink()
        self._naming.cut(state.get("names", 0))
        self._numbered = state.get("numbered", False)


def _mixed() -> InputError:
    return InputError(
        "Some identities are names and others are numbers, which cannot be told apart once the names have become"
        " numbers; call all of them alike in the source."
    )


def given_key(sample: Sample) -> int | None:
    """The key of the record that the sample was read from, None where it was none."""
    key = sample.extra.get("key")
    return key if isinstance(key, int) and 0 <= key < _KEYS else None


def _line(order: Order, sample: Sample, label: float | list[float], suffix: str) -> str:
    labels = [float(value) for value in (label if isinstance(label, list) else [label])]
    return line(order, labels, str(sample.extra.get("path") or f"{sample.key}{suffix}"))


def _correct(part: Path, sizes: list[int], fixed: set[int], first: int) -> None:
    """Give the images in a part the ids from `first` on, except for those whose id is fixed."""
    with part.open("r+b") as stream:
        for i, offset in enumerate(accumulate(sizes[:-1], initial=0) if sizes else ()):
            if i not in fixed:
                stream.seek(offset + _ID_AT)
                stream.write((first + i).to_bytes(8, "little"))
