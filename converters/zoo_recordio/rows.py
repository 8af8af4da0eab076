"""Where the records of a ``.rec`` file begin and what their keys are: from its ``.idx``, or by scanning the file.

Rows come in blocks, each with a `place` to which one can return, so that neither the list of a hundred million records
is held in memory nor one process has to tell the others about each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import InputError
from zoo_recordio.labels import EXACT, SIZE, range_of, unpack_header
from zoo_recordio.records import RecordError, Records

BLOCK = 1 << 14
"""Bytes of a text file that are read at a time; no line may be longer."""

BAD = -1
"""The key of a place in the file where a record should begin and none can be read."""

OTHER = -2
"""The key of a record that is no image: a header or an identity, told by scanning."""

_ROWS = 1 << 10  # in a block of scanned rows
_FARTHEST = 1 << 62
_NEAR = 8  # float32 labels up to 2^28 are at most so far from the number that was meant


@dataclass(frozen=True)
class Survey:
    """What a walk over all rows has shown: how many `records` there are, how many of them `images`, the keys of the
    identity records as (first, one after the last) where there is a header record, what is odd, and at how many places
    (counted as records and images) nothing can be read, which only scanning tells."""

    records: int
    images: int
    identities: tuple[int, int] | None = None
    oddities: tuple[str, ...] = ()
    unreadable: int = 0


Block = tuple[list[Any], list[int], list[int]]
"""A place, and the keys and offsets of the rows from there on."""


class Rows(ABC):
    """The rows of a set: a key and an offset for each record."""

    @abstractmethod
    def survey(self, trust: bool = False) -> Survey:
        """Walk over all rows. Raises `InputError` with the reason when they do not fit the file; with `trust` only when
        they are no rows."""

    @abstractmethod
    def blocks(self, place: list[Any] | None = None) -> Iterator[Block]:
        """The rows from `place` on (default: all)."""

    @abstractmethod
    def is_image(self, key: int) -> bool:
        """Whether the row is one of the images. Ask after `survey`."""


class Index(Rows):
    """The rows of an ``.idx`` file: lines of key and byte offset, in whatever order. A place is ``[byte]``."""

    def __init__(self, idx: Path, rec: Path) -> None:
        self._idx, self._rec = idx, rec
        self._images: range | None = None

    def blocks(self, place: list[Any] | None = None) -> Iterator[Block]:
        """See `Rows`. Raises `InputError` for a line that is not two numbers."""
        for at, block in text_blocks(self._idx, place[0] if place else 0):
            try:
                numbers = list(map(int, block.split()))
            except ValueError:
                numbers = []
            if len(numbers) != 2 * block.count(b"\n") or min(numbers) < 0 or max(numbers) >= _FARTHEST:
                raise InputError(f"{self._idx.name} has lines after byte {at:,} that are not a key and an offset")
            yield [at], numbers[::2], numbers[1::2]

    def is_image(self, key: int) -> bool:
        """See `Rows`."""
        return self._images is None or key in self._images

    def survey(self, trust: bool = False) -> Survey:
        """See `Rows`. That every row fits would take reading the whole ``.rec``; some of each block are tried, the
        first and the last record of the file among them."""
        records, zero, low, high, orderly = 0, -1, _FARTHEST, -1, 0
        with Records(self._rec) as file:
            for _, keys, offsets in self.blocks():
                if zero < 0 and 0 in keys:
                    zero = offsets[keys.index(0)]
                records += len(keys)
                orderly = _continue(orderly, keys)
                low, high = min(low, *offsets), max(high, *offsets)
                if not trust:
                    self._try(file, keys, offsets)
            if not trust:
                self._try_ends(file, low, high)
            header, oddity = self._header(file, zero)
        if header is None:
            return Survey(records, records, None, oddity)
        return self._with_header(records, orderly, header)

    def _try(self, file: Records, keys: list[int], offsets: list[int]) -> None:
        """Raise `InputError` when a row of a few is wrong."""
        for i in {*range(0, len(keys), len(keys) // 4 + 1), len(keys) - 1}:
            try:
                file.peek(offsets[i])
            except RecordError as error:
                raise InputError(
                    f"{self._idx.name} places record {keys[i]} at byte {offsets[i]:,}, but {error}"
                ) from None

    def _try_ends(self, file: Records, low: int, high: int) -> None:
        if file.size and high < 0:
            raise InputError(f"{self._idx.name} is empty")
        if high >= 0 and low > 0:
            raise InputError(f"{self._idx.name} does not list the first record of {self._rec.name}")
        if high >= 0 and (end := file.peek(high).after) < file.size:
            raise InputError(f"{self._idx.name} ends before {self._rec.name}, which goes on after byte {end:,}")

    def _header(self, file: Records, zero: int) -> tuple[tuple[int, int] | None, tuple[str, ...]]:
        """The keys of the identity records as the record with key 0 says, when that is a header."""
        if zero < 0:
            oddity = "there is no record 0, without which insightface's own loader fails (KeyError: 0)"
            return None, (oddity,) if file.size else ()
        try:
            seen = file.peek(zero)
        except RecordError as error:
            return None, (f"record 0 cannot be read: {error}",)
        found = range_of(seen.length, seen.head)
        if found is None or found[0] < 1:
            return None, ()
        return (self._first_identity(file, found[0]), found[1]), ()

    def _first_identity(self, file: Records, stated: int) -> int:
        """The key of the first identity record. A header states it as float32, which is off by some beyond 2^24; then
        the records around it tell."""
        if stated < EXACT:
            return stated
        near = [
            (key, offset)
            for _, keys, offsets in self.blocks()
            for key, offset in zip(keys, offsets, strict=True)
            if abs(key - stated) <= _NEAR
        ]
        seen = [(key, file.peek(offset)) for key, offset in near]
        return min((key for key, peek in seen if range_of(peek.length, peek.head)), default=stated)

    def _with_header(self, records: int, orderly: int, header: tuple[int, int]) -> Survey:
        first, stop = header
        self._images = range(1, first)
        if orderly >= 0:  # the keys are 1, 2, ..., so that none has to be looked at
            images = min(orderly, first - 1)
        else:
            images = sum(key in self._images for _, keys, _ in self.blocks() for key in keys)
        if (records, images) == (stop, first - 1):
            return Survey(records, images, header)
        oddity = (
            f"the header record speaks of {first - 1:,} images in {stop:,} records, {self._idx.name} lists {images:,}"
            f" in {records:,}"
        )
        return Survey(records, images, header, (oddity,))


def _continue(last: int, keys: list[int]) -> int:
    """The last of `keys` when they, but for 0, count on from `last`; -1 when they, or earlier ones, do not."""
    if last < 0:
        return -1
    numbers = [key for key in keys if key] if 0 in keys else keys
    after = last + len(numbers)
    return after if numbers == list(range(last + 1, after + 1)) else -1


class Scan(Rows):
    """The rows as the file itself has them. A place is ``[byte, number of the record, whether ids are keys]``.

    The id in each image's label header is its key in everything that insightface's and MXNet's tools write; where
    two are the same, the key is the position instead.
    """

    def __init__(self, rec: Path) -> None:
        self._rec = rec
        self._by_id = False

    def is_image(self, key: int) -> bool:
        """See `Rows`."""
        return key != OTHER

    def survey(self, trust: bool = False) -> Survey:
        """See `Rows`."""
        records = images = others = bad = 0
        header, last, increasing = None, -1, True
        for _, length, head, _ in self._walk(0):
            records += 1
            found = range_of(length, head)
            if found is not None:
                others += 1
                header = found if unpack_header(head)[2] == 0 else header
                continue
            images += 1
            bad += length < 0
            if length >= SIZE:
                own = unpack_header(head)[2]
                increasing, last = increasing and last < own < _FARTHEST, own
        self._by_id = last >= 0 and (increasing or self._ids_differ())
        oddities = [f"{bad} places in it cannot be read"] if bad else []
        if others and header is None:
            header = (images + 1, images + 1 + others)
            oddities.append("its header record is missing")
        elif header and (header[0] != images + 1 or header[1] - header[0] != others - 1):
            stated = f"{header[0] - 1:,} images and {header[1] - header[0]:,} identities"
            oddities.append(f"the header record speaks of {stated}, there are {images:,} and {others - 1:,}")
        return Survey(records, images, header, tuple(oddities), bad)

    def _ids_differ(self) -> bool:
        """Whether no two images have the same id; takes 8 bytes of memory an image."""
        import numpy as np  # takes longer than reading most sets, and is needed for few

        ids = array("Q")
        for _, length, head, _ in self._walk(0):
            if length >= SIZE and range_of(length, head) is None:
                ids.append(unpack_header(head)[2])
        return len(np.unique(ids)) == len(ids) and max(ids) < _FARTHEST

    def blocks(self, place: list[Any] | None = None) -> Iterator[Block]:
        """See `Rows`."""
        offset, number, by_id = place or (0, 0, self._by_id)
        keys: list[int] = []
        offsets: list[int] = []
        begin = [offset, number, by_id]
        for position, (at, length, head, after) in enumerate(self._walk(offset), number):
            keys.append(_key(length, head, position if not by_id else -1))
            offsets.append(at)
            if len(keys) == _ROWS:
                yield begin, keys, offsets
                keys, offsets, begin = [], [], [after, position + 1, by_id]
        if keys:
            yield begin, keys, offsets

    def _walk(self, offset: int) -> Iterator[tuple[int, int, bytes, int]]:
        """Each record from `offset` on: its offset, length (-1: cannot be read), first bytes, the offset after it."""
        with Records(self._rec) as file:
            while offset < file.size:
                try:
                    seen = file.peek(offset)
                    yield offset, seen.length, seen.head, seen.after
                    offset = seen.after
                except RecordError:
                    after = file.next(offset + 4)
                    yield offset, -1, b"", after
                    offset = after


def _key(length: int, head: bytes, number: int) -> int:
    if range_of(length, head) is not None:
        return OTHER
    if length < SIZE and number < 0:
        return BAD
    return number if number >= 0 else unpack_header(head)[2]


def text_blocks(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Whole lines of a text file from byte `start` on, about `BLOCK` bytes at a time, each block with the byte where it
    begins. The last line gets its end where it has none. Raises `InputError` for a line longer than `BLOCK`."""
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            rest = b""
            while data := stream.read(BLOCK):
                cut = data.rfind(b"\n") + 1
                if not cut and len(rest) + len(data) > BLOCK:
                    raise InputError(f"{path.name} has a line of more than {BLOCK:,} bytes after byte {start:,}")
                block, rest = (rest + data[:cut], data[cut:]) if cut else (b"", rest + data)
                if block:
                    yield start, block
                    start += len(block)
            if rest:
                yield start, rest + b"\n"
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror or error}") from None
