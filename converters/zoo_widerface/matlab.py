"""MATLAB files of version 5, as far as WIDER FACE uses them: cell arrays, texts and arrays of numbers.

scipy reads them too, but ends the process with a segmentation fault on some damaged files, inflates a few kilobytes to
gigabytes and makes room for as many cells as a file claims to have. Here nothing is made before it is known to be
there. The layout is that of "MAT-File Format" by The MathWorks: a header of 128 bytes, then elements, each with a type,
a size and data.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zoo.errors import InputError

Value: TypeAlias = "list[Value] | str | NDArray[Any]"
"""Cells in MATLAB's order (down the columns), a text, or numbers in their own shape."""

LARGEST = 1 << 28
"""Most bytes that a file may have, and inflate to; WIDER FACE's have 0.4 MB (the training set 1.6) and become six times
that."""

HDF5 = b"\x89HDF\r\n\x1a\n"
HEADER = 128
DEPTH = 4
"""Most levels of cells; WIDER FACE has two, events and images."""

_COMPRESSED, _MATRIX = 15, 14
_CELL, _TEXT = 1, 4
_CLASSES = range(6, 16)
_COMPLEX = 1 << 11
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_ENCODINGS = {1: "utf-8", 2: "utf-8", 16: "utf-8", 4: "utf-16", 17: "utf-16", 18: "utf-32"}


def load(path: Path) -> dict[str, Value]:
    """The variables of the file by name.

    Raises `InputError`, with the byte offset of the variable, for a file that is damaged, of version 7.3, or has
    something else than cells, texts and real numbers in it.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} is larger than {LARGEST >> 20} MiB, which no label file of WIDER FACE is.")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
    if HDF5 in data[:1024] or data.startswith(b"MATLAB 7.3"):
        raise InputError(
            f"{path} is a MATLAB file of version 7.3 (HDF5), which is not read; save it with MATLAB's -v7, or use the"
            " text labels."
        )
    if data[126:128] not in (b"IM", b"MI") or data[124:126] not in (b"\0\1", b"\1\0"):
        raise InputError(f"{path} is no MATLAB file of version 5.")
    file = _File("<" if data[126:128] == b"IM" else ">")
    try:
        return file.variables(memoryview(data))
    except (struct.error, zlib.error, ValueError) as error:  # of which UnicodeDecodeError is one
        raise InputError(f"{path} is damaged at byte {file.offset:,}: {error}.") from None


class _File:
    """Takes a file apart. `offset` is that of the variable that it is at. Raises `ValueError` for what does not fit."""

    def __init__(self, order: str) -> None:
        self._order, self._left, self.offset = order, LARGEST, HEADER

    def variables(self, data: memoryview) -> dict[str, Value]:
        found = {}
        while self.offset < len(data):
            kind, body, stop = self._element(data, self.offset)
            if kind == _COMPRESSED:
                kind, body, _ = self._element(memoryview(self._inflate(body)), 0)
            if kind != _MATRIX:
                raise ValueError(f"an element of type {kind} is no variable")
            name, value = self._matrix(body, 0)
            found[name] = value
            self.offset = stop
        return found

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

    def _matrix(self, body: memoryview, depth: int) -> tuple[str, Value]:
        """The name (empty for a cell) and the value of a matrix."""
        if not len(body):  # how an empty cell may be written
            return "", np.zeros((0, 0))
        _, flags, offset = self._element(body, 0)
        _, sizes, offset = self._element(body, offset)
        _, name, offset = self._element(body, offset)
        bits = struct.unpack_from(f"{self._order}I", flags)[0]
        shape = struct.unpack(f"{self._order}{len(sizes) // 4}i", sizes)
        kind = bits & 0xFF
        if min(shape, default=-1) < 0:
            raise ValueError(f"an array of the shape {shape}")
        if kind == _CELL:
            return _ascii(name), self._cells(body, offset, math.prod(shape), depth)
        if bits & _COMPLEX or kind not in (_TEXT, *_CLASSES):
            raise ValueError(f"an array of class {kind}, which WIDER FACE's files do not have")
        stored, data, _ = self._element(body, offset)
        if kind == _TEXT:
            return _ascii(name), self._text(stored, data)
        return _ascii(name), self._numbers(stored, data, shape)

    def _cells(self, body: memoryview, offset: int, count: int, depth: int) -> list[Value]:
        if count > (len(body) - offset) // 8:
            raise ValueError(f"{count:,} cells in {len(body) - offset:,} bytes")
        if depth == DEPTH:
            raise ValueError("cells within cells within cells")
        found: list[Value] = []
        for _ in range(count):
            kind, cell, offset = self._element(body, offset)
            if kind != _MATRIX:
                raise ValueError(f"an element of type {kind} is no cell")
            found.append(self._matrix(cell, depth + 1)[1])
        return found

    def _text(self, stored: int, data: memoryview) -> str:
        if stored not in _ENCODINGS:
            raise ValueError(f"a text of type {stored}")
        encoding = _ENCODINGS[stored]
        ending = {"<": "-le", ">": "-be"}[self._order]
        return str(data, encoding if encoding == "utf-8" else encoding + ending)

    def _numbers(self, stored: int, data: memoryview, shape: tuple[int, ...]) -> NDArray[Any]:
        if stored not in _NUMBERS:
            raise ValueError(f"numbers of type {stored}")
        dtype = np.dtype(f"{self._order}{_NUMBERS[stored]}")
        if math.prod(shape) * dtype.itemsize != len(data):
            raise ValueError(f"an array of the shape {shape} in {len(data):,} bytes")
        return np.frombuffer(data, dtype).reshape(shape, order="F")


def _ascii(name: memoryview) -> str:
    return str(name, "ascii")
