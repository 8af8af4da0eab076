"""MATLAB files of version 5, looked through before scipy reads them.

scipy trusts what a file says of itself: a few kilobytes may inflate to gigabytes, a cell array may claim 2^31 cells,
and cells nested deeply enough end the process. So only what WIDER FACE's files consist of gets that far: cell arrays,
texts and arrays of numbers, whose sizes fit into what is there.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import Any

from zoo.errors import InputError, ZooError

LARGEST = 1 << 28
"""Most bytes that a file may have, and inflate to; WIDER FACE's have 2 MB and become 10."""

HDF5 = b"\x89HDF\r\n\x1a\n"
HEADER = 128
DEPTH = 4
_COMPRESSED, _MATRIX = 15, 14
_CELL, _TEXT = 1, 4
_NUMBERS = range(6, 16)


def load(path: Path) -> dict[str, Any]:
    """The variables of the file by name, as `scipy.io.loadmat` gives them.

    Raises `InputError` for a file that is damaged, of version 7.3, or of other contents; `ZooError` without scipy.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} is larger than {LARGEST >> 20} MiB, which no label file of WIDER FACE is.")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
    check(data, path)
    try:
        from scipy.io import loadmat
    except ImportError:
        raise ZooError("MATLAB files need scipy, which is not installed: pip install 'facezoo[mat]'.") from None
    try:
        variables: dict[str, Any] = loadmat(path)
    except Exception as error:  # scipy raises what it happens to stumble over
        raise InputError(f"{path} is damaged: {type(error).__name__}: {error}.") from None
    return variables


def check(data: bytes, path: Path) -> None:
    """Raise `InputError` unless `data` is a MATLAB file of version 5 that scipy can be given."""
    if HDF5 in data[:1024] or data.startswith(b"MATLAB 7.3"):
        raise InputError(
            f"{path} is a MATLAB file of version 7.3 (HDF5), which is not read; save it with MATLAB's -v7, or use the"
            " text labels."
        )
    if data[126:128] not in (b"IM", b"MI") or data[124:126] not in (b"\0\1", b"\1\0"):
        raise InputError(f"{path} is no MATLAB file of version 5.")
    checker = _Checker("<" if data[126:128] == b"IM" else ">")
    try:
        checker.file(memoryview(data))
    except (struct.error, zlib.error, ValueError) as error:
        raise InputError(f"{path} is damaged at byte {checker.offset}: {error}.") from None


class _Checker:
    """Walks the elements of a file. Raises `ValueError` for what does not fit."""

    def __init__(self, order: str) -> None:
        self._order, self._left, self.offset = order, LARGEST, HEADER

    def file(self, data: memoryview) -> None:
        while self.offset < len(data):
            kind, body, stop = self._element(data, self.offset)
            if kind == _COMPRESSED:
                inflated = memoryview(self._inflate(body))
                kind, body, _ = self._element(inflated, 0)
            if kind != _MATRIX:
                raise ValueError(f"an element of type {kind} is none of a variable")
            self._matrix(body, 0)
            self.offset = stop

    def _inflate(self, body: memoryview) -> bytes:
        machine = zlib.decompressobj()
        data = machine.decompress(body, self._left)
        self._left -= len(data)
        if not machine.eof:
            raise ValueError(f"it is cut off, or becomes larger than {LARGEST >> 20} MiB")
        return data

    def _element(self, data: memoryview, offset: int) -> tuple[int, memoryview, int]:
        """The type and the bytes of the element at `offset`, and where the next one begins: the short form has its
        bytes in its head, the long one is padded to eight bytes unless it is compressed."""
        kind, size = struct.unpack_from(f"{self._order}II", data, offset)
        start = offset + 8
        if kind >> 16:
            kind, size, start, stop = kind & 0xFFFF, kind >> 16, offset + 4, offset + 8
            if size > 4:
                raise ValueError(f"a short element of {size} bytes")
        else:
            stop = start + size + (-size % 8 if kind != _COMPRESSED else 0)
        if start + size > len(data):
            raise ValueError(f"an element of {size:,} bytes where {len(data) - start:,} are left")
        return kind, data[start : start + size], stop

    def _matrix(self, body: memoryview, depth: int) -> None:
        if not len(body):  # an empty array may be written without a word
            return
        _, flags, offset = self._element(body, 0)
        _, sizes, offset = self._element(body, offset)
        _, _, offset = self._element(body, offset)
        kind = struct.unpack_from(f"{self._order}I", flags)[0] & 0xFF
        count = math.prod(struct.unpack(f"{self._order}{len(sizes) // 4}i", sizes))
        if kind == _CELL:
            self._cells(body, offset, count, depth)
        elif kind != _TEXT and kind not in _NUMBERS:
            raise ValueError(f"an array of class {kind}, which WIDER FACE's files do not have")
        elif not 0 <= count <= len(body):
            raise ValueError(f"an array of {count:,} numbers in {len(body):,} bytes")

    def _cells(self, body: memoryview, offset: int, count: int, depth: int) -> None:
        if not 0 <= count <= (len(body) - offset) // 8:
            raise ValueError(f"{count:,} cells in {len(body) - offset:,} bytes")
        if depth == DEPTH:
            raise ValueError("cells within cells within cells")
        for _ in range(count):
            kind, cell, offset = self._element(body, offset)
            if kind != _MATRIX:
                raise ValueError(f"an element of type {kind} is no cell")
            self._matrix(cell, depth + 1)
