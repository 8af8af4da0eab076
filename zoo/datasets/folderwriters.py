"""Writing data sets in which each image is a file, with what is known of it in text files beside it."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import names
from zoo.datasets.folders import walk
from zoo.datasets.formats import About, Part, Writer
from zoo.datasets.sample import RAW, EncodedImage, Sample
from zoo.errors import InputError, ZooError


def stored(image: EncodedImage | None, key: str, format: str = "") -> tuple[bytes, str]:
    """An image as the bytes of a file and its suffix: as it is, or encoded anew where it has to be in `format` (a
    suffix such as ``.png``) or has no format of files. Raises `InputError` when there is none or its bytes are no
    image."""
    if image is None:
        raise InputError(f"{key} has no image.")
    suffix = image.suffix
    if image.format == RAW or (format and suffix != format):
        from zoo import images  # imports OpenCV, which writing bytes as they are does without

        suffix = format or ".png"
        return images.encode(image.decode(key), suffix), suffix
    if suffix == ".bin":
        raise InputError(f"The image of {key} is in no known format.")
    return bytes(image.data), suffix


class FolderWriter(Writer):
    """Writes a folder in which each sample is one file or a few; a format says which.

    What names the files is the samples' keys. Should two samples still get one name, on a disk that takes no notice of
    case perhaps, the count of the files tells, and the conversion fails.
    """

    def __init__(self, work: Path, options: Any = None, about: About | None = None) -> None:
        super().__init__(work, options, about)
        self._written = 0

    @abstractmethod
    def files(self, sample: Sample, number: int) -> list[tuple[str, bytes]]:
        """The files of a sample, the `number`-th of the set: path below the folder, and content. Raises
        `InputError`."""

    def name(self, sample: Sample, number: int) -> str:
        """The path that a sample's files begin with, by the option ``names``."""
        return f"{number:06d}" if self.options.names == "number" else names.nested(sample.key)

    def part(self, number: int, first: int) -> Part:
        """A part that writes its files where they belong."""
        return _FilesPart(self, first)

    def append(self, number: int, facts: Mapping[str, Any]) -> None:
        """Count the files of a part."""
        self._written += facts["files"]

    def finish(self) -> None:
        """Compare the count of the files with what is there. Raises `ZooError`."""
        self.out.mkdir(parents=True, exist_ok=True)
        found = sum(1 for _ in walk(str(self.out), ordered=False))
        if found != self._written:
            raise ZooError(
                f"{self._written} files were written and {found} are there: some samples have the same name on this"
                " disk; names=number gives each one of its own."
            )

    def state(self) -> dict[str, Any]:
        """The count of the files."""
        return {"files": self._written}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on counting."""
        self._written = state.get("files", 0)


class _FilesPart(Part):
    """Writes the files of a unit where they belong."""

    def __init__(self, writer: FolderWriter, first: int) -> None:
        self._writer, self._next, self._files = writer, first, 0
        self._out, self._folders = str(writer.out), set[str]()

    def write(self, sample: Sample) -> None:
        """Write the files of a sample; none is written when the format refuses it."""
        number, self._next = self._next, self._next + 1
        for path, data in self._writer.files(sample, number):
            folder, _, name = path.rpartition("/")
            place = f"{self._out}/{folder}" if folder else self._out
            if folder not in self._folders:
                os.makedirs(place, exist_ok=True)  # noqa: PTH103
                self._folders.add(folder)
            _put(f"{place}/{name}", data)
            self._files += 1

    def close(self) -> dict[str, Any]:
        """How many files were written."""
        return {"files": self._files}


_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def _put(path: str, data: bytes) -> None:
    """Write a file with no more calls of the system than it takes; a stream makes twice as many."""
    file = os.open(path, _FLAGS, 0o666)
    try:
        written = os.write(file, data)
        while written < len(data):  # a disk that fills up takes a part, and complains at the next
            written += os.write(file, memoryview(data)[written:])
    finally:
        os.close(file)
