"""Label files as blocks of lines, one block an image, in bounded memory whatever the file says of itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from zoo.datasets.decimals import FARTHEST, in_reach
from zoo.errors import InputError

LINE = 1 << 14
"""Longest line in bytes. Of a longer one the beginning is kept, with a zero byte that no reader accepts."""

ROW = 1 << 10
"""Longest row in bytes; twenty numbers of seventeen digits take half of it."""

FACES = 1 << 16
"""Most faces of one image; WIDER FACE has up to 1,968."""

_BOM = b"\xef\xbb\xbf"
_NUMBER = re.compile(rb"[-+]?(?:[\d.]+(?:[eE][-+]?\d+)?|nan|inf(?:inity)?)", re.IGNORECASE)
SUFFIXED = re.compile(rb"\.[A-Za-z]\w{1,4}$")
"""How a line ends that names a file."""

_COUNT = re.compile(rb"[-+]?\d+")


@dataclass(slots=True)
class Block:
    """The lines about one image: its first line (`head`, at byte `offset`) and a row a face. `problem` is a sentence
    where the lines do not fit together."""

    offset: int
    head: bytes
    rows: list[bytes] = field(default_factory=list)
    problem: str = ""

    def add(self, row: bytes) -> None:
        """Append a row, of which there may be `FACES`."""
        if len(self.rows) == FACES:
            self.problem = f"it has more than {FACES:,} faces"
        elif len(row) > ROW:
            self.problem = f"row {len(self.rows) + 1} is longer than {ROW:,} bytes"
        else:
            self.rows.append(row)


class Lines:
    """The lines of a file that are not blank, stripped, each with its byte offset. The last one can be put back."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._offset = stream, stream.tell()
        self._back: tuple[int, bytes] | None = None

    def next(self) -> tuple[int, bytes] | None:
        """The next line; None at the end."""
        if self._back is not None:
            back, self._back = self._back, None
            return back
        while data := self._stream.readline(LINE):
            offset = self._offset
            self._offset += len(data)
            line = (data.removeprefix(_BOM) if offset == 0 else data).strip()
            if len(data) == LINE and not data.endswith(b"\n"):
                line += b"\0"
                self._skip()
            if line:
                return offset, line
        return None

    def put_back(self, line: tuple[int, bytes]) -> None:
        """Let `next` give `line` again."""
        self._back = line

    def _skip(self) -> None:
        ended = False
        while not ended and (data := self._stream.readline(LINE)):
            self._offset += len(data)
            ended = data.endswith(b"\n")


def headed(lines: Lines) -> Iterator[Block]:
    """The blocks of a file in which a line with ``#`` begins each image, and all others are rows."""
    block = None
    while (found := lines.next()) is not None:
        offset, line = found
        if line.startswith(b"#"):
            if block is not None:
                yield block
            block = Block(offset, line)
        elif block is None:
            block = Block(offset, b"", problem="rows come before the first line with # and a name")
        else:
            block.add(line)
    if block is not None:
        yield block


def counted(lines: Lines) -> Iterator[Block]:
    """The blocks of a file in which each image has a line with its name, a line with the number of its faces, and as
    many rows; one row of zeros stands for no face.

    After lines that do not fit, the next name is where a line is neither a row nor a count.
    """
    while (found := lines.next()) is not None:
        block = Block(*found)
        if is_row(block.head):
            block.problem = "rows stand where the name of an image should"
        else:
            _fill(block, lines)
        surplus = _rows_left(lines)
        if surplus and not block.problem:
            block.problem = f"it has more rows than the {len(block.rows)} that its count says"
        yield block


def _fill(block: Block, lines: Lines) -> None:
    found = lines.next()
    if found is None or not _COUNT.fullmatch(found[1]):
        block.problem = "no number of faces follows the name"
        if found is not None:
            lines.put_back(found)
        return
    count = int(found[1]) if len(found[1]) < 12 else FACES + 1
    if not 0 <= count <= FACES:
        block.problem = f"it says that it has {count:,} faces, and may have 0 to {FACES:,}"
        return
    for _ in range(max(count, 1)):
        row = lines.next()
        if row is None or not is_row(row[1]):
            if row is not None:
                lines.put_back(row)
            break
        if count or row[1].strip(b"0. \t"):
            block.add(row[1])
    if len(block.rows) != count and not block.problem:
        block.problem = f"it says that it has {count:,} faces, and {len(block.rows):,} rows follow"


def _rows_left(lines: Lines) -> int:
    """Pass over rows; says how many there were."""
    surplus = 0
    while (found := lines.next()) is not None:
        if not is_row(found[1]):
            lines.put_back(found)
            break
        surplus += 1
    return surplus


def is_row(line: bytes) -> bool:
    """Whether a line looks like the numbers of a face, well or badly written, rather than like an image's name."""
    words = line.split(None, 4)
    return len(words) >= 4 and not SUFFIXED.search(line) and any(map(_NUMBER.fullmatch, words[:4]))


def numbers(row: bytes, number: int) -> list[float]:
    """The numbers in a row, of which this is the row `number` of its image, from 1.

    Raises `InputError` for what is no number, not finite, or larger than a coordinate can be.
    """
    try:
        if b"_" in row:  # float() takes 1_000
            raise ValueError
        values = [float(word) for word in row.split()]
    except ValueError:
        raise InputError(f"row {number} is not of numbers: {_shown(row)}") from None
    if not in_reach(values):
        raise InputError(f"row {number} has a number that is not within {FARTHEST:,.0f}: {_shown(row)}")
    return values


def decoded(name: bytes) -> str:
    """The name of an image. Raises `InputError` when it is not UTF-8 or has control characters."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise InputError(f"its name is not UTF-8: {_shown(name)}") from None
    if b"\0" in name or not text.strip():
        raise InputError(f"its name is empty, has a zero byte or is longer than {LINE:,} bytes: {_shown(name)}")
    return text


def _shown(line: bytes) -> str:
    text = line[:60].decode("utf-8", "backslashreplace")
    return repr(text + ("..." if len(line) > 60 else ""))
