"""The ``.lst`` files from which ``.rec`` files are made: a line for each image, in one of two orders of columns.

insightface: ``aligned  path  label [x1 y1 x2 y2 [x1..x5 y1..y5]]``, where aligned is 0 or 1; im2rec:
``key  label [label ...]  path``. Tabs part the columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from zoo.datasets.folders import SUFFIXES
from zoo.errors import InputError
from zoo.names import relative
from zoo_recordio.rows import text_blocks

Order = Literal["insightface", "im2rec"]
_BLANKS = str.maketrans("\t\r\n", "   ")


class NameList:
    """A ``.lst`` file whose order of columns is told from its first line.

    Raises `InputError` that says which columns it takes for what, when the line fits neither order.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        first = next((block[: block.index(b"\n")] for _, block in text_blocks(path)), b"").decode("utf-8", "replace")
        self.order: Order = order(_columns(first), f"{path.name} line 1")
        self._path_column = 1 if self.order == "insightface" else -1

    def count(self) -> int:
        """The number of lines."""
        return sum(block.count(b"\n") for _, block in text_blocks(self.path))

    def lines(self, place: list[int]) -> Iterator[str]:
        """The lines from `place` on, which is the byte of a block and the number of lines to pass over."""
        start, skip = place
        for _, block in text_blocks(self.path, start):
            lines = block.decode("utf-8", "replace").split("\n")[:-1]
            yield from lines[skip:]
            skip = max(0, skip - len(lines))

    def name(self, line: str, key: int) -> str:
        """The path in a line. Raises `InputError` for a line of another form, or of another key than `key`."""
        columns = _columns(line)
        if len(columns) < 3:
            raise InputError(f"{self.path.name} has the line {line[:80]!r}, which has not three columns.")
        if self.order == "im2rec" and columns[0] != str(key):
            raise InputError(
                f"{self.path.name} gives the key {columns[0]!r} where the records have {key}: it is the list of"
                " another file, or in another order; lst=false does without it."
            )
        return columns[self._path_column]


class Cursor:
    """Walks over the lines of a text file in steps and tells the place of each step (see `NameList.lines`)."""

    def __init__(self, path: Path) -> None:
        self._blocks = text_blocks(path)
        self._at = self._count = self._skip = 0

    def take(self, count: int) -> list[int]:
        """The place of the next line; passes over `count` lines."""
        while self._skip >= self._count and (block := next(self._blocks, None)):
            self._skip -= self._count
            self._at, self._count = block[0], block[1].count(b"\n")
        place = [self._at, self._skip]
        self._skip += count
        return place


def order(columns: list[str], where: str) -> Order:
    """Which of the two orders the columns of a line are in. Raises `InputError` when it is neither, for example
    because two columns were swapped."""
    numbers = [_is_number(text) for text in columns]
    if len(columns) >= 3 and not numbers[-1] and all(numbers[:-1]) and columns[0].lstrip("-").isdigit():
        return "im2rec"
    if len(columns) >= 3 and not numbers[1] and numbers[2] and columns[0] in ("0", "1"):
        return "insightface"
    wanted = "key, label, path (im2rec) or aligned (0 or 1), path, label (insightface)"
    if len(columns) < 3:
        raise InputError(f"{where} has {len(columns)} columns, but should have, parted by tabs, {wanted}.")
    paths = [i + 1 for i, number in enumerate(numbers) if not number]
    found = f"a path in column {paths[0]}" if len(paths) == 1 else f"{len(paths)} columns that are no numbers"
    raise InputError(
        f"{where} has {found} and {columns[0]!r} in column 1: its columns seem to be swapped; they should be {wanted}."
    )


def key_of(path: str) -> str:
    """The key of a sample with this path: relative, with forward slashes, without an image's suffix."""
    name = relative(path)
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in SUFFIXES and not stem.endswith("/") and stem else name


def line(order: Order, labels: list[float], path: str) -> str:
    """A line of a list, with its end and, for im2rec, without the key that goes before it. Labels are written as the
    original tools write them; aligned is 1 unless the second label says otherwise, as face2rec2 has it."""
    path = path.translate(_BLANKS)
    if order == "im2rec":
        return "".join(f"{label:.6f}\t" for label in labels) + f"{path}\n"
    aligned = int(labels[1]) if len(labels) > 1 and labels[1] in (0, 1) else 1
    label = int(labels[0]) if labels[0].is_integer() else labels[0]
    return f"{aligned}\t{path}\t{label}\n"


def relabelled(line: bytes, order: Order, label: int) -> bytes:
    """A line that `line` has made, without its end, with another label: the only one, or the first of several."""
    columns, place = line.split(b"\t"), 0 if order == "im2rec" else 2
    columns[place] = b"%d.000000" % label if order == "im2rec" else b"%d" % label
    return b"\t".join(columns) + b"\n"


def _columns(line: str) -> list[str]:
    return line.rstrip("\r").split("\t")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
