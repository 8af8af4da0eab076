"""Writing TFRecord sets: one file or shards, compressed or not, and the format ``tfrecord``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zoo.datasets.formats import UNIT, About, Part, Writer
from zoo.datasets.sample import Sample
from zoo.datasets.shards import PartFiles, Shards
from zoo.datasets.streams import Growing, part_path
from zoo_tfrecord import deflate, records, schema
from zoo_tfrecord.options import FileOptions, WriteOptions


class RecordPart(Part):
    """The records of a unit: for one file, a piece of it; for shards, whole files."""

    def __init__(self, work: Path, number: int, options: FileOptions, encode: Callable[[Sample], bytes]) -> None:
        self._encode, self._form = encode, options.compression
        self._whole = options.shard > 0
        self._files = PartFiles(work, number, options.shard)
        self._open()

    def _open(self) -> None:
        self._deflater = None
        self._write = self._files.stream.write
        if self._form != "none":
            if self._whole:
                self._write(deflate.HEADERS[self._form])
            self._deflater = deflate.Deflater(self._files.stream, self._form)
            self._write = self._deflater.write  # type: ignore[assignment]

    def write(self, sample: Sample) -> None:
        """Append the record of a sample. Raises `InputError`."""
        record = records.frame(self._encode(sample))
        if self._files.count():
            self._complete()
            self._files.roll()
            self._open()
        self._write(record)

    def _complete(self) -> None:
        deflater = self._deflater
        if deflater is not None:
            deflater.close()
            if self._whole:
                self._files.stream.write(deflate.trailer(self._form, deflater.check, deflater.length))

    def close(self) -> dict[str, Any]:
        """Complete the files; their number, and the checksum and length of what was deflated."""
        self._complete()
        self._files.stream.close()
        facts: dict[str, Any] = {"files": len(self._files.paths)}
        if self._deflater is not None and not self._whole:
            facts |= {"check": self._deflater.check, "length": self._deflater.length}
        return facts


class RecordWriter(Writer):
    """Writes records. What stands in them is `encode`'s business."""

    options: FileOptions

    def __init__(self, work: Path, options: FileOptions | None = None, about: About | None = None) -> None:
        super().__init__(work, options or self.default_options(), about)
        self._form = self.options.compression
        self._shards = Shards(self.out, self.options.name, ".tfrecord", digits=5)
        self._file = Growing(self.out)
        self._check, self._length = deflate.EMPTY.get(self._form, 0), 0

    @abstractmethod
    def default_options(self) -> FileOptions:
        """The options that are used when none are given."""

    @abstractmethod
    def encode(self, sample: Sample) -> bytes:
        """The payload of a sample's record. Raises `InputError`."""

    @property
    def unit(self) -> int:
        """A shard's records, or the usual number."""
        return self.options.shard or UNIT

    def part(self, number: int, first: int) -> RecordPart:
        """Begin a part."""
        return RecordPart(self.work, number, self.options, self.encode)

    def append(self, number: int, facts: Mapping[str, Any]) -> None:
        """Move whole shards, or append a piece of the one file."""
        if self.options.shard:
            self._shards.take(self.work, number, facts["files"])
            return
        if self._form != "none":
            if not self._file.size:
                self._file.write(deflate.HEADERS[self._form])
            self._check = deflate.combine(self._form, self._check, facts["check"], facts["length"])
            self._length += facts["length"]
        self._file.append(part_path(self.work, number, "-0"))

    def finish(self) -> None:
        """Complete the one file, or give the shards their total."""
        if self.options.shard:
            self.out.mkdir(parents=True, exist_ok=True)
            self._shards.name_totals()
            return
        if self._form != "none":
            header = b"" if self._file.size else deflate.HEADERS[self._form]
            self._file.write(header + deflate.trailer(self._form, self._check, self._length))
        self._file.write(b"")
        self._file.close()

    def state(self) -> dict[str, Any]:
        """The number of shards, or the file's size, checksum and length."""
        size = 0 if self.options.shard else self._file.size
        return {"shards": self._shards.count, "size": size, "check": self._check, "length": self._length}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""
        if self.options.shard:
            self._shards.restore(state.get("shards", 0))
            return
        self._file.cut(state.get("size", 0))
        self._check = state.get("check", deflate.EMPTY.get(self._form, 0))
        self._length = state.get("length", 0)


class ExampleWriter(RecordWriter):
    """Writes the format ``tfrecord``; `zoo_tfrecord.schema` says which features."""

    options: WriteOptions

    def default_options(self) -> WriteOptions:
        """One plain file."""
        return WriteOptions()

    def encode(self, sample: Sample) -> bytes:
        """The Example of a sample. Raises `InputError`."""
        return schema.write_sample(sample, self.options.fractions, self.about.classes if self.about else ())
