"""Writing images with ``annot.pkl``, which insightface's trainer_synthetics.py loads."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from zoo.datasets.cropping import crop
from zoo.datasets.folderwriters import FolderWriter, stored
from zoo.datasets.formats import About, Part
from zoo.datasets.sample import Annotation, Sample
from zoo.datasets.streams import Growing, part_path
from zoo.datasets.tables import one_face
from zoo.types import Floats
from zoo_pickles.options import WriteOptions
from zoo_pickles.sniff import NAME

POINTS = 68
_MODULES = {"1": b"numpy.core.multiarray", "2": b"numpy._core.multiarray"}
_VALUE = b"h\x00h\x01C\x04%b\x86R"
"""scalar(dtype, value): the constructor and the type are what `_head` has noted."""


def _text(text: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text


def _head(numpy: str) -> bytes:
    """What comes first: protocol 4, and the constructor of scalars and their type, noted as 0 and 1."""
    type_ = _text(b"numpy") + _text(b"dtype") + b"\x93" + _text(b"f4") + b"\x89\x88\x87R(K\x03" + _text(b"<")
    scalar = _text(_MODULES[numpy]) + _text(b"scalar") + b"\x93"
    return b"\x80\x04" + scalar + b"q\x000" + type_ + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbq\x010"


def _list(points: Floats) -> bytes:
    """Points (68, 2) as a list of pairs of scalars."""
    values = np.ascontiguousarray(points, "<f4").tobytes()
    scalars = [_VALUE % values[at : at + 4] for at in range(0, len(values), 4)]
    pairs = (scalars[i] + scalars[i + 1] + b"\x86" for i in range(0, len(scalars), 2))
    return b"](" + b"".join(pairs) + b"e"


class AnnotWriter(FolderWriter):
    """Writes images, and at the end the pickle. What belongs into its two lists grows in two files of instructions."""

    def __init__(self, work: Path, options: Any = None, about: About | None = None) -> None:
        super().__init__(work, options or WriteOptions(), about)
        self._lists = {name: Growing(work / name) for name in ("names", "points")}

    def files(self, sample: Sample, number: int) -> list[tuple[str, bytes]]:
        """The image as it is, or as it was cut out."""
        data, suffix = stored(sample.image, sample.key)
        return [(f"{self.name(sample, number)}{suffix}", data)]

    def prepare(self, sample: Sample) -> tuple[Sample, Floats]:
        """The sample with its face cut out as the options say, and its landmarks (68, 2). Raises `InputError`."""
        made = crop(_taken(sample) if self.options.take == "68" else sample, self.options)
        return made, one_face(made, (POINTS,))

    def part(self, number: int, first: int) -> Part:
        """A part that writes its images where they belong, and two files of instructions."""
        return _AnnotPart(self, number, first)

    def append(self, number: int, facts: Mapping[str, Any]) -> None:
        """Append the instructions of a part."""
        super().append(number, facts)
        for name, growing in self._lists.items():
            part = part_path(self.work, number, f".{name}")
            if facts["files"]:
                growing.write(b"(")
                growing.append(part)
                growing.write(b"e")
            else:
                part.unlink()

    def finish(self) -> None:
        """Put the pickle together."""
        super().finish()
        with (self.out / NAME).open("wb") as stream:
            stream.write(_head(self.options.numpy))
            for growing in self._lists.values():
                stream.write(b"]")
                growing.write(b"")
                growing.close()
                with growing.path.open("rb") as source:
                    shutil.copyfileobj(source, stream, 1 << 20)
            stream.write(b"\x86.")

    def state(self) -> dict[str, Any]:
        """The count of the images, and the sizes of the files of instructions."""
        return {**super().state(), **{name: growing.size for name, growing in self._lists.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Cut the files of instructions back, and remove a pickle that a run that was killed has begun."""
        super().restore(state)
        (self.out / NAME).unlink(missing_ok=True)
        for name, growing in self._lists.items():
            growing.cut(state.get(name, 0))


class _AnnotPart(Part):
    """The images of one unit, with the instructions for their names and their points."""

    def __init__(self, writer: AnnotWriter, number: int, first: int) -> None:
        self._writer, self._next, self._count = writer, first, 0
        self._names, self._points = (_opened(writer.work, number, name) for name in (".names", ".points"))

    def write(self, sample: Sample) -> None:
        """Write the image of a sample and note its landmarks."""
        made, points = self._writer.prepare(sample)
        [(name, data)] = self._writer.files(made, self._next)
        path = self._writer.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self._names.write(_text(name.encode()))
        self._points.write(_list(points))
        self._next += 1
        self._count += 1

    def close(self) -> dict[str, Any]:
        """How many images were written."""
        self._names.close()
        self._points.close()
        return {"files": self._count}


def _opened(work: Path, number: int, suffix: str) -> IO[bytes]:
    return part_path(work, number, suffix).open("wb")


def _taken(sample: Sample) -> Sample:
    """The sample with the first 68 of its landmarks."""
    faces = sample.faces or Annotation()
    if faces.landmarks is None or faces.landmarks.shape[1] <= POINTS:
        return sample
    return replace(sample, faces=replace(faces, landmarks=faces.landmarks[:, :POINTS]))
