"""Lists of pairs: LFW's pairs.txt and the pairs_label.txt of insightface's build_eval_pack.py.

LFW's has a header of one or two numbers, then lines ``name i j`` for two images of one person and ``name i name j`` for
images of two; image i of a person is ``name/name_000i``. The other has lines ``path path 1`` or ``path path 0``.
Columns stand apart by tabs, or by spaces where a line has no tab.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from zoo.errors import InputError

NAMES = {"pairs.txt": "lfw", "pairs_label.txt": "label"}
"""How lists are called, and their style."""

Row: TypeAlias = list[str | bool | int]
"""A pair as JSON has it: two paths and whether they are one person; or of a line that is no pair, why not, and where
it begins: ``[path, path, bool]`` or ``[why, offset]``."""

_LONGEST_LINE = 1 << 13
_BOOLEANS = {"0": False, "1": True}


def find(folder: Path, given: str) -> Path | None:
    """The list of a folder, or the one `given`; None when there is none."""
    if given:
        return folder / given
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def rows(path: Path, style: str = "auto") -> Iterator[Row]:
    """The pairs of a list in order. Raises `InputError` for a list that cannot be read, or is none."""
    told, first, offset = ("" if style == "auto" else style), True, 0
    try:
        with path.open("rb") as stream:
            while line := stream.readline(_LONGEST_LINE):
                if len(line) == _LONGEST_LINE:
                    raise InputError(f"{path} is no list of pairs: it has a line of more than {len(line)} bytes.")
                columns = _columns(line)
                if columns and not (first and _is_header(columns)):
                    told = told or style_of(columns)
                    yield _row(columns, told, offset)
                first = first and not columns
                offset += len(line)
    except OSError as error:
        raise InputError(f"The list of pairs {path} cannot be read: {error.strerror or error}.") from None


def _columns(line: bytes) -> list[str]:
    text = line.decode("utf-8", "replace").strip("\r\n \ufeff")
    return [column.strip() for column in text.split("\t")] if "\t" in text else text.split()


def _is_header(columns: list[str]) -> bool:
    return len(columns) <= 2 and all(column.isdecimal() for column in columns)


def style_of(columns: list[str]) -> str:
    """The style of a list whose first pair has these columns."""
    if len(columns) == 4 or (len(columns) == 3 and columns[1].isdecimal() and columns[2].isdecimal()):
        return "lfw"
    return "label"


def _row(columns: list[str], style: str, offset: int) -> Row:
    if style == "label" and len(columns) == 3 and columns[2] in _BOOLEANS:
        return [columns[0], columns[1], _BOOLEANS[columns[2]]]
    if style == "lfw" and len(columns) in (3, 4):
        first, i, second, j = (*columns[:2], columns[0], columns[2]) if len(columns) == 3 else columns
        if i.isdecimal() and j.isdecimal():
            return [_lfw(first, i), _lfw(second, j), len(columns) == 3]
    wanted = "two paths and 0 or 1" if style == "label" else "a name and two numbers, or a name and a number twice"
    return [f"the line has {len(columns)} columns that are not {wanted}.", offset]


def _lfw(name: str, number: str) -> str:
    """Where LFW has an image; numbers have four digits at least."""
    return f"{name}/{name}_{number.lstrip('0').zfill(4)}"
