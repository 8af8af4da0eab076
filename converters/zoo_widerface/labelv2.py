"""labelv2.txt, the labels that SCRFD's and YuNet's training reads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zoo.datasets.decimals import fewest, text, texts
from zoo.datasets.sample import Annotation, Sample
from zoo.errors import InputError
from zoo_widerface import points
from zoo_widerface.labels import Entry, LabelReader
from zoo_widerface.lines import Block, Lines, decoded, headed, numbers
from zoo_widerface.writing import LabelWriter

LENGTHS = (4, 5, 19, 20)
"""How many numbers a row may have: a box; and a 1 where it is to be ignored; or keypoints; and a quality."""


class LabelV2Reader(LabelReader):
    """Reads labelv2: ``# name width height``, then a row a face: x1 y1 x2 y2, and either nothing, or 1 for a face to be
    ignored, or five keypoints x y flag, perhaps with a quality behind them. A keypoint of three -1 is missing."""

    file_name = "labelv2.txt"

    def blocks(self, lines: Lines) -> Iterator[Block]:
        """A line with ``#``, and the rows behind it."""
        return headed(lines)

    def parse(self, block: Block) -> Entry:
        """A header with the size, and rows of 4, 5, 19 or 20 numbers."""
        name, size = split_header(block.head)
        rows = [numbers(row, number) for number, row in enumerate(block.rows, 1)]
        for number, row in enumerate(rows, 1):
            if len(row) not in LENGTHS:
                raise InputError(f"row {number} has {len(row)} numbers, and not 4, 5, 19 or 20")
        table = points.table(rows)
        faces = points.annotate(table, table[:, :4].astype(np.float32))
        ignored = np.array([len(row) == 5 and row[4] == 1 for row in rows], bool)
        if ignored.any():
            faces.ignored = ignored
        return Entry(name, size, faces)


def split_header(head: bytes) -> tuple[str, tuple[int, int]]:
    """The name, and (width, height), of a header ``# name width height``. Raises `InputError`."""
    words = decoded(head)[1:].strip().rsplit(None, 2)
    digits = [word for word in words[1:] if len(word) < 9 and word.isascii() and word.isdigit() and int(word) > 0]
    if len(words) != 3 or len(digits) != 2:
        raise InputError("its line with # does not end in the width and the height of the image")
    return words[0], (int(digits[0]), int(digits[1]))


class LabelV2Writer(LabelWriter):
    """Writes labelv2. Of a face to be ignored the format says the box alone; the size of the image has to be known."""

    format = "labelv2"
    file_name = LabelV2Reader.file_name

    def render(self, name: str, sample: Sample, faces: Annotation) -> str:
        """The header, and a row a face."""
        size = sample.size or (sample.image.size if sample.image else None)
        if not size or 0 in size:
            raise InputError(f"labelv2 states each image's size, and that of {name} is not known; say images=DIR.")
        if faces.boxes is None:
            return f"# {name} {size[0]} {size[1]}\n"
        boxes, more = texts(fewest(faces.boxes)), points.words(faces, sample.key, text)
        ignored = np.zeros(len(boxes), bool) if faces.ignored is None else faces.ignored
        rows = (
            " ".join((*box, *(["1"] if alone else words)))
            for box, words, alone in zip(boxes, more, ignored, strict=True)
        )
        return "".join(f"{row}\n" for row in (f"# {name} {size[0]} {size[1]}", *rows))
