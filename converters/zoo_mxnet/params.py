"""MXNet's files of arrays (``.params``), read without MXNet and without trusting them.

Facts from apache/mxnet, ``src/ndarray/ndarray.cc``. All numbers are little-endian. A file is a magic number, zero, the
count of arrays and the arrays, the count of names (the same, or 0) and the names. An array begins with a magic number
that tells its version, but in the oldest layout with its number of dimensions. Whatever a file declares is held against
the bytes that are left in it before anything is allocated.
"""

from __future__ import annotations

import os
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ModelError

MAGIC = struct.pack("<QQ", 0x112, 0)
"""How every file begins."""

_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_DIMENSIONS = 32
_LONGEST_NAME = 1 << 16
_BFLOAT16 = 12
_TYPES = dict(enumerate(["<f4", "<f8", "<f2", "u1", "<i4", "i1", "<i8", "?", "<i2", "<u2", "<u4", "<u8", "<u2"]))
"""NumPy's types by MXNet's numbers (``3rdparty/mshadow/mshadow/base.h``); bfloat16's bits are read as whole numbers."""

_SPARSE = {1: ("row-sparse", 1), 2: ("compressed-row (CSR)", 2)}
"""Storage types that are not dense: what they are called, and how many index arrays come with one."""


@dataclass(frozen=True)
class Entry:
    """One array of a file: its `name` (its number where the file has no names), `shape`, MXNet's number of its `type`,
    where its data begin, and of a sparse one what that is called."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int
    sparse: str = ""

    @property
    def numbers(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)


def entries(path: Path) -> tuple[Entry, ...]:
    """What is in the file `path`, its data not read. Raises `ModelError` for a damaged file."""
    with _opened(path) as stream:
        return _Reader(stream, path).entries()


def read(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of the file by name, ``arg:`` and ``aux:`` before the name as they stand; bfloat16 as float32.

    Raises `ModelError` for a damaged file, and for one with a sparse array, which it names.
    """
    with _opened(path) as stream:
        found = _Reader(stream, path).entries()
        for entry in found:
            if entry.sparse:
                raise ModelError(
                    f"The array {entry.name} of {path} is {entry.sparse}, and the zoo reads dense arrays alone: save"
                    " it with tostype('default')."
                )
        return {entry.name: _data(stream, entry, path) for entry in found}


def shapes(path: Path) -> Mapping[str, tuple[int, ...]]:
    """Names and shapes of the file's arrays. Raises as `entries`."""
    return {entry.name: entry.shape for entry in entries(path)}


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None


def _data(stream: BinaryIO, entry: Entry, path: Path) -> NDArray[Any]:
    stream.seek(entry.offset)
    kind = np.dtype(_TYPES[entry.type])
    data = stream.read(entry.numbers * kind.itemsize)
    if len(data) != entry.numbers * kind.itemsize:
        raise ModelError(f"{path} ends within the array {entry.name}.")
    array = np.frombuffer(data, kind).reshape(entry.shape)
    if entry.type == _BFLOAT16:
        return (array.astype("<u4") << 16).view(np.float32)
    return array


class _Reader:
    """Goes through a file once, from its beginning."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream, self._path = stream, path
        self._size = os.fstat(stream.fileno()).st_size

    def entries(self) -> tuple[Entry, ...]:
        if self._take(len(MAGIC)) != MAGIC:
            raise self._damaged("does not begin as MXNet's files of arrays do")
        count = self._count("arrays", 4)
        found = [self._entry(str(number)) for number in range(count)]
        names = self._names(self._count("names", 8), count)
        if self._left:
            raise self._damaged(f"goes on for {self._left} bytes after its end")
        return tuple(Entry(n, e.shape, e.type, e.offset, e.sparse) for n, e in zip(names, found, strict=True))

    def _entry(self, name: str) -> Entry:
        magic = self._number("I")
        if magic in (_V2, _V3):
            return self._new(name, magic)
        shape = self._shape("q", self._number("i")) if magic == _V1 else self._shape("I", magic)
        return self._dense(name, shape) if shape else Entry(name, (0,), 0, self._stream.tell())

    def _new(self, name: str, magic: int) -> Entry:
        """Versions 2 and 3, which differ in what no dimensions mean: no array, or one number."""
        storage = self._number("i")
        if storage == 0:
            dimensions = self._number("i")
            if dimensions == (0 if magic == _V2 else -1):
                return Entry(name, (0,), 0, self._stream.tell())
            return self._dense(name, self._shape("q", dimensions))
        if storage not in _SPARSE:
            raise self._damaged(f"has an array of the storage type {storage}, which there is not")
        return self._sparse(name, *_SPARSE[storage])

    def _dense(self, name: str, shape: tuple[int, ...]) -> Entry:
        self._take(8)  # the device that it was on
        entry = Entry(name, shape, self._type(), self._stream.tell())
        self._skip(entry.numbers, entry.type, name)
        return entry

    def _sparse(self, name: str, called: str, indices: int) -> Entry:
        stored = self._shape("q", self._number("i"))
        shape = self._shape("q", self._number("i"))
        self._take(8)
        entry = Entry(name, shape, self._type(), self._stream.tell(), called)
        others = [(self._type(), self._shape("q", self._number("i"))) for _ in range(indices)]
        for kind, sizes in [(entry.type, stored), *others]:
            self._skip(prod(sizes), kind, name)
        return entry

    def _shape(self, code: str, dimensions: int) -> tuple[int, ...]:
        if not 0 <= dimensions <= _DIMENSIONS:
            raise self._damaged(f"has an array of {dimensions} dimensions")
        shape = tuple(self._number(code) for _ in range(dimensions))
        if any(size < 0 for size in shape):
            raise self._damaged("has an array of a negative size")
        return shape

    def _type(self) -> int:
        number = self._number("i")
        if number not in _TYPES:
            raise self._damaged(f"has an array of the type {number}, which there is not")
        return number

    def _names(self, count: int, arrays: int) -> list[str]:
        if not count:
            return [str(number) for number in range(arrays)]
        if count != arrays:
            raise self._damaged(f"has {count} names for {arrays} arrays")
        names = [self._name() for _ in range(count)]
        twice = next((name for name, times in Counter(names).items() if times > 1), None)
        if twice is not None:
            raise self._damaged(f"has two arrays of the name {twice!r:.80}")
        return names

    def _name(self) -> str:
        length = self._number("Q")
        if length > min(self._left, _LONGEST_NAME):
            raise self._damaged(f"has a name of {length} bytes where {self._left} are left")
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise self._damaged("has a name that is no text") from None

    def _count(self, of: str, least: int) -> int:
        """How many there are, of which each takes at least so many bytes."""
        count = self._number("Q")
        if count > self._left // least:
            raise self._damaged(f"declares {count} {of} where {self._left} bytes are left")
        return count

    def _skip(self, numbers: int, kind: int, name: str) -> None:
        size = numbers * np.dtype(_TYPES[kind]).itemsize
        if size > self._left:
            raise self._damaged(f"declares {size} bytes for array {name} where {self._left} are left")
        self._stream.seek(size, os.SEEK_CUR)

    def _number(self, code: str) -> int:
        value: int = struct.unpack("<" + code, self._take(struct.calcsize("<" + code)))[0]
        return value

    def _take(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise self._damaged("ends in the middle")
        return data

    @property
    def _left(self) -> int:
        return self._size - self._stream.tell()

    def _damaged(self, what: str) -> ModelError:
        return ModelError(f"{self._path} is damaged or no file of MXNet's arrays: it {what}.")
