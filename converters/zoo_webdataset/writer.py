"""Writing sets of tar archives: a folder of shards, or one archive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.datasets.formats import UNIT, About, Part, Writer
from zoo.datasets.sample import RAW, EncodedImage, Sample
from zoo.datasets.shards import PartFiles, Shards
from zoo.datasets.streams import Growing, part_path
from zoo.errors import InputError
from zoo_webdataset import annotation, headers
from zoo_webdataset.names import member_name
from zoo_webdataset.options import WriteOptions


class ShardPart(Part):
    """The members of a unit: for one archive, a piece of it; for shards, whole archives."""

    def __init__(self, work: Path, number: int, options: WriteOptions, classes: tuple[str, ...]) -> None:
        self._classes, self._whole = classes, options.shard > 0
        self._files = PartFiles(work, number, options.shard)

    def write(self, sample: Sample) -> None:
        """Append the members of a sample. Raises `InputError`."""
        data = b"".join(_members(sample, self._classes))
        if self._files.count():
            self._files.stream.write(headers.END)
            self._files.roll()
        self._files.stream.write(data)

    def close(self) -> dict[str, Any]:
        """Complete the files; their number."""
        self._files.stream.write(headers.END if self._whole else b"")
        self._files.stream.close()
        return {"files": len(self._files.paths)}


class ShardWriter(Writer):
    """Writes the format ``webdataset``: pixels that are not encoded become PNG, everything else stays as it is."""

    options: WriteOptions

    def __init__(self, work: Path, options: WriteOptions | None = None, about: About | None = None) -> None:
        super().__init__(work, options or WriteOptions(), about)
        self._shards = Shards(self.out, self.options.name, ".tar")
        self._file = Growing(self.out)

    @property
    def unit(self) -> int:
        """A shard's samples, or the usual number."""
        return self.options.shard or UNIT

    def part(self, number: int, first: int) -> ShardPart:
        """Begin a part."""
        return ShardPart(self.work, number, self.options, self.about.classes if self.about else ())

    def append(self, number: int, facts: Mapping[str, Any]) -> None:
        """Move whole archives, or append a piece of the one."""
        if self.options.shard:
            self._shards.take(self.work, number, facts["files"])
        else:
            self._file.append(part_path(self.work, number, "-0"))

    def finish(self) -> None:
        """End the one archive; shards are complete."""
        if self.options.shard:
            self.out.mkdir(parents=True, exist_ok=True)
            return
        self._file.write(headers.END)
        self._file.close()

    def state(self) -> dict[str, Any]:
        """The number of shards, or the size of the one archive."""
        return {"shards": self._shards.count, "size": 0 if self.options.shard else self._file.size}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state."""
        if self.options.shard:
            self._shards.restore(state.get("shards", 0))
        else:
            self._file.cut(state.get("size", 0))


def _members(sample: Sample, classes: tuple[str, ...]) -> list[bytes]:
    """The headers and contents of a sample's members, sorted by suffix: class, image, annotation."""
    try:
        name = member_name(sample.key)
        base = name.encode()
        pieces: list[bytes] = []
        identity, odd = _named(sample.identity, classes), False
        if identity is not None:
            label = str(identity).encode("utf-8", "surrogateescape")
            odd = annotation.identity_of(label) != identity
            pieces += _member(base + b".cls", label)
        if sample.image is not None:
            suffix, data = _image(sample, sample.image)
            pieces += _member(base + suffix, data)
        elif sample.faces is None:
            raise InputError(f"{sample.key} has neither an image nor faces, of which an archive could hold something.")
        document = annotation.write(sample, key=name != sample.key, identity=identity if odd else None)
        if document:
            pieces += _member(base + b".json", document)
    except (headers.HeaderError, UnicodeEncodeError) as error:
        raise InputError(f"{sample.key!r} cannot be written into an archive: {error}.") from None
    return pieces


def _named(identity: int | str | None, classes: tuple[str, ...]) -> int | str | None:
    """The identity's name where it has one, else its number."""
    known = isinstance(identity, int) and 0 <= identity < len(classes)
    return classes[identity] if known else identity  # type: ignore[index]


def _member(name: bytes, data: bytes) -> tuple[bytes, bytes, bytes]:
    return headers.make(name, len(data)), data, headers.padding(len(data))


def _image(sample: Sample, image: EncodedImage) -> tuple[bytes, bytes]:
    """The suffix and the bytes of an image."""
    if image.format == RAW:
        from zoo import images  # imports OpenCV, which what passes through does without

        return b".png", images.encode(image.decode(sample.key), ".png")
    return image.suffix.encode(), image.data
