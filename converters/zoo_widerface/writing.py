"""What the writers of label files have in common: a text file that grows part by part, and images beside it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from zoo.datasets.beside import copy_image, file_name, must_copy
from zoo.datasets.decimals import FARTHEST
from zoo.datasets.formats import About, Part, Writer
from zoo.datasets.sample import Annotation, Sample
from zoo.datasets.streams import Growing, part_path
from zoo.errors import InputError
from zoo.types import Floats
from zoo_widerface.options import LabelWriteOptions


class LabelWriter(Writer):
    """Writes a label file; with ``copy_images`` a folder with it and the images, in ``images``.

    Raises `UsageError` where the source's images would get lost without the user having said so.
    """

    needs = frozenset({"boxes"})
    format: ClassVar[str]
    file_name: ClassVar[str]
    """What the label file is called in a folder with images."""

    def __init__(self, work: Path, options: LabelWriteOptions | None = None, about: About | None = None) -> None:
        super().__init__(work, options or LabelWriteOptions(), about)
        self.copies = must_copy(self.options.copy_images, about, self.format)
        self._labels = Growing(self.out / self.file_name if self.copies else self.out)

    @abstractmethod
    def render(self, name: str, sample: Sample, faces: Annotation) -> str:
        """The lines for an image that is called `name`, each with its line end. Raises `InputError`."""

    def part(self, number: int, first: int) -> Part:
        """A text file; images go straight to their place."""
        return _TextPart(self, part_path(self.work, number, ".txt"))

    def append(self, number: int, facts: Mapping[str, Any]) -> None:
        """Append the part's text."""
        self._labels.append(part_path(self.work, number, ".txt"))

    def finish(self) -> None:
        """Complete the label file; without samples it is empty."""
        self._labels.write(b"")
        self._labels.close()

    def state(self) -> dict[str, Any]:
        """The size of the label file."""
        return {"size": self._labels.size}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Cut the label file back."""
        self._labels.cut(state.get("size", 0))


class _TextPart(Part):
    def __init__(self, writer: LabelWriter, path: Path) -> None:
        self._writer, self._stream = writer, path.open("wb")

    def write(self, sample: Sample) -> None:
        writer, name = self._writer, file_name(sample)
        text = writer.render(name, sample, faces_of(sample)).encode()
        if writer.copies:
            copy_image(writer.out / "images", name, sample, writer.work)
        self._stream.write(text)

    def close(self) -> dict[str, Any]:
        self._stream.close()
        return {}


def faces_of(sample: Sample) -> Annotation:
    """The faces of `sample`, none where it has no annotation. Raises `InputError` for faces whose boxes are missing, or
    are not finite numbers within reach."""
    faces = sample.faces
    if faces is None or not len(faces):
        return Annotation(np.zeros((0, 4), np.float32))
    if faces.boxes is None:
        raise InputError(f"The faces of {sample.key} have no boxes.")
    within(faces.boxes, "box", sample.key)
    return faces


def within(values: Floats, what: str, key: str) -> None:
    """Raise `InputError` when one of `values` is not finite or out of reach."""
    if not (np.abs(values) <= FARTHEST).all():
        raise InputError(f"A {what} of {key} is not finite or not within {FARTHEST:,.0f}.")
