"""WIDER FACE's own text labels: ``wider_face_split/wider_face_val_bbx_gt.txt`` and the like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.datasets.decimals import corners, extents, texts
from zoo.datasets.formats import About
from zoo.datasets.sample import Annotation, Sample
from zoo.errors import InputError
from zoo_widerface.labels import Entry, LabelReader
from zoo_widerface.lines import Block, Lines, counted, decoded, is_row, numbers
from zoo_widerface.options import WiderTextWriteOptions
from zoo_widerface.writing import LabelWriter

ATTRIBUTES = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")
"""The attributes in the order of their columns, whole numbers: see the README for what they mean."""

NO_FACE = "0 0 0 0 0 0 0 0 0 0 \n"
"""The one row of an image that has no face."""


class WiderTextReader(LabelReader):
    """Reads WIDER FACE's text labels: per face x y width height, and six attributes or none. A face whose attribute
    ``invalid`` is 1 is to be ignored; boxes without extent are kept."""

    file_name = "wider_face_bbx_gt.txt"

    def blocks(self, lines: Lines) -> Iterator[Block]:
        """A name, a count, and as many rows."""
        return counted(lines)

    def parse(self, block: Block) -> Entry:
        """Rows of 4 or 10 numbers; all of one image alike."""
        rows = [numbers(row, number) for number, row in enumerate(block.rows, 1)]
        name = decoded(block.head)
        widths = {len(row) for row in rows}
        if len(widths) > 1 or not widths <= {4, 4 + len(ATTRIBUTES)}:
            raise InputError("its rows have neither 4 numbers (x y w h) nor 10 (and the six attributes) throughout")
        table = np.array(rows, np.float64).reshape(len(rows), 4 if widths == {4} else 10)
        faces = Annotation(corners(table[:, :4]))
        if widths != {4}:
            annotate(faces, table[:, 4:])
        return Entry(name, None, faces)


def annotate(faces: Annotation, columns: NDArray[np.float64]) -> None:
    """Set the six attributes (N, 6) and what follows from them. Raises `InputError` for one that is no whole number."""
    whole = columns.astype(np.int64)
    if (whole != columns).any():
        raise InputError("an attribute of it is no whole number")
    faces.attributes = {name: whole[:, column].copy() for column, name in enumerate(ATTRIBUTES)}
    faces.ignored = faces.attributes["invalid"] == 1


class WiderTextWriter(LabelWriter):
    """Writes WIDER FACE's text labels. A face to be ignored is ``invalid``; attributes that are not known are 0."""

    format = "wider-txt"
    file_name = WiderTextReader.file_name

    def __init__(self, work: Path, options: WiderTextWriteOptions | None = None, about: About | None = None) -> None:
        super().__init__(work, options or WiderTextWriteOptions(), about)

    def render(self, name: str, sample: Sample, faces: Annotation) -> str:
        """Name, count and rows, each row with the space at its end that the original has."""
        if is_row(name.encode()):
            raise InputError(f"The name {name!r} looks like the numbers of a face; rename the image.")
        boxes = texts(extents(faces.boxes)) if faces.boxes is not None else []
        rows = [" ".join((*box, *more)) + " \n" for box, more in zip(boxes, self._attributes(faces), strict=True)]
        return f"{name}\n{len(rows)}\n" + ("".join(rows) or NO_FACE)

    def _attributes(self, faces: Annotation) -> list[list[str]]:
        attributes = dict(faces.attributes or {})
        unknown = [name for name in attributes if name not in ATTRIBUTES]
        if unknown and not self.options.drop_attributes:
            raise InputError(
                f"WIDER FACE has no attribute {unknown[0]!r}; drop_attributes=true leaves such attributes out."
            )
        if faces.ignored is not None:
            attributes["invalid"] = faces.ignored.astype(np.int64)
        none = np.zeros(len(faces), np.int64)
        table = np.stack([attributes.get(name, none) for name in ATTRIBUTES], axis=1)
        return [[str(number) for number in row] for row in table.tolist()]
