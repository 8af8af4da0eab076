"""label.txt, the annotation of WIDER FACE that RetinaFace's authors published."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.datasets.decimals import corners, extents, texts
from zoo.datasets.sample import Annotation, Sample
from zoo.errors import InputError
from zoo_widerface import points
from zoo_widerface.labels import Entry, LabelReader
from zoo_widerface.lines import Block, Lines, decoded, headed, numbers
from zoo_widerface.writing import LabelWriter

LENGTHS = (4, 19, 20)
"""How many numbers a row may have: a box; and five keypoints; and a quality."""


class RetinaFaceReader(LabelReader):
    """Reads RetinaFace's labels: ``# name``, then a row a face: x y width height, five keypoints x y flag, a quality.
    The validation part has boxes alone. A keypoint of three -1 is missing."""

    file_name = "label.txt"

    def blocks(self, lines: Lines) -> Iterator[Block]:
        """A line with ``#``, and the rows behind it."""
        return headed(lines)

    def parse(self, block: Block) -> Entry:
        """A header with the name alone, and rows of 4, 19 or 20 numbers."""
        name = decoded(block.head[1:]).strip()
        rows = [numbers(row, number) for number, row in enumerate(block.rows, 1)]
        for number, row in enumerate(rows, 1):
            if len(row) not in LENGTHS:
                raise InputError(f"row {number} has {len(row)} numbers, and not 4, 19 or 20")
        table = points.table(rows)
        return Entry(name, None, points.annotate(table, corners(table[:, :4])))


class RetinaFaceWriter(LabelWriter):
    """Writes RetinaFace's labels: rows of four numbers for faces without keypoints and quality, else of twenty.

    The box is written as whole numbers where it is whole, the rest always with a decimal point, as in the original.
    """

    format = "retinaface-txt"
    file_name = RetinaFaceReader.file_name

    def render(self, name: str, sample: Sample, faces: Annotation) -> str:
        """The header, and a row a face."""
        boxes = [] if faces.boxes is None else texts(extents(faces.boxes))
        more = points.words(faces, sample.key, repr)
        rows = (" ".join((*box, *words)) for box, words in zip(boxes, more, strict=True))
        return "".join(f"{row}\n" for row in (f"# {name}", *rows))
