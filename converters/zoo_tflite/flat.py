"""FlatBuffers, read with every place checked, as much of them as looking at a TFLite file needs.

A table begins with the distance back to its list of fields, which says for each field where in the table it stands;
what is no number stands elsewhere, and in the table is the distance forward to it. Numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TABLES = 100_000
"""Tables in lists that are looked at: ten times what the largest networks have."""


@dataclass
class Budget:
    """What may still be read of a file: `elements`, in bytes, of lists, and `tables` in lists. Lists may share their
    place in a file, so that a small one could keep a reader busy for long."""

    elements: int
    tables: int = TABLES

    def spend(self, elements: int, tables: int = 0) -> None:
        """Raises `ValueError` where so much is not left."""
        self.elements -= elements
        self.tables -= tables
        if self.elements < 0 or self.tables < 0:
            raise ValueError("its lists are too many or overlap")


@dataclass(frozen=True)
class Table:
    """A table in `data` at `at`. What reads it raises `ValueError` for places outside the file, and when the `budget`
    of its file is spent."""

    data: memoryview
    at: int
    budget: Budget

    def field(self, number: int) -> int:
        """Where the field stands, 0 when it is absent and so has its default."""
        fields = self.at - number_at(self.data, self.at, "<i")
        size, extent = (number_at(self.data, fields + shift, "<H") for shift in (0, 2))
        if size < 4 or fields + size > len(self.data) or self.at + extent > len(self.data):
            raise ValueError("a table lies past the end")
        if 4 + 2 * number + 2 > size:
            return 0
        shift = int(number_at(self.data, fields + 4 + 2 * number, "<H"))
        if shift >= extent > 0:
            raise ValueError("a field lies outside its table")
        return self.at + shift if shift else 0

    def number(self, field: int, format: str = "<i", default: int = 0) -> int:
        """A field that is a number of the `struct` format."""
        place = self.field(field)
        return number_at(self.data, place, format) if place else default

    def table(self, field: int) -> Table | None:
        """A field that is a table."""
        place = self.field(field)
        return self._at(place) if place else None

    def tables(self, field: int) -> Iterator[Table]:
        """A field that is a list of tables."""
        start, count = self._list(field, 4)
        self.budget.spend(0, count)
        return (self._at(start + 4 * index) for index in range(count))

    def integers(self, field: int) -> NDArray[Any]:
        """A field that is a list of 32-bit numbers."""
        start, count = self._list(field, 4)
        return np.frombuffer(self.data, "<i4", count, start) if count else np.zeros(0, "<i4")

    def bytes(self, field: int) -> memoryview:
        """A field that is a list of bytes, or a text."""
        start, count = self._list(field, 1)
        return self.data[start : start + count]

    def count(self, field: int, width: int) -> int:
        """How many elements of `width` bytes a field has that is a list."""
        return self._list(field, width)[1]

    def text(self, field: int) -> str:
        """A field that is a text."""
        return bytes(self.bytes(field)).decode("utf-8")

    def _at(self, place: int) -> Table:
        """The table that the place refers to."""
        return Table(self.data, _followed(self.data, place), self.budget)

    def _list(self, field: int, width: int) -> tuple[int, int]:
        """Where the elements of a list begin, and how many there are."""
        place = self.field(field)
        if not place:
            return 0, 0
        start = _followed(self.data, place)
        count = number_at(self.data, start, "<I")
        if start + 4 + count * width > len(self.data):
            raise ValueError("a list runs past the end")
        self.budget.spend(count * width)
        return start + 4, count


def root(data: memoryview, identifier: bytes) -> Table:
    """The first table of a file. Raises `ValueError` for a file that does not say that it is `identifier`."""
    if len(data) < 8 or bytes(data[4:8]) != identifier:
        raise ValueError(f"it does not say that it is {identifier.decode()}")
    return Table(data, _followed(data, 0), Budget(4 * len(data)))


def number_at(data: memoryview, at: int, format: str) -> int:
    """The number of the `struct` format at a place. Raises `ValueError` outside the file."""
    if not 0 <= at <= len(data) - struct.calcsize(format):
        raise ValueError("a number lies past the end")
    number: int = struct.unpack_from(format, data, at)[0]
    return number


def _followed(data: memoryview, at: int) -> int:
    return at + number_at(data, at, "<I")
