"""RecordIO files as sequences of payloads: what is in them does not matter here.

A record is ``u32 magic | u32 flag << 29 | length | payload | zeros up to a multiple of 4``, little-endian. Where the
magic number itself stands in a payload, at a multiple of 4 bytes from its beginning, the payload is split and the
number left out: the parts carry the flags 1 (first), 2 (middle) and 3 (last), a whole record 0. So a magic number at a
multiple of 4 in the file always begins a record or a part, which is how a reader finds its way after damage.
(dmlc-core, include/dmlc/recordio.h and src/recordio.cc.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import InputError

MAGIC = 0xCED7230A
MARK = struct.pack("<I", MAGIC)
LARGEST = (1 << 29) - 1
"""Largest payload in bytes."""

CHUNK = 1 << 18
"""Bytes that are read at a time by `Records.locate`: they and their copies fit the second-level cache."""

PEEK = 32
"""Bytes of a payload that `Records.peek` gives: a label header and two labels."""

_HEAD = struct.Struct("<II")
_unpack_head = _HEAD.unpack_from
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)


class RecordError(InputError):
    """A record cannot be read; `offset` is the byte of the file where it is, or should be."""

    def __init__(self, why: str, offset: int) -> None:
        super().__init__(why)
        self.offset = offset

    def __reduce__(self) -> tuple[type[RecordError], tuple[str, int]]:
        return RecordError, (str(self), self.offset)


@dataclass(slots=True)
class Peek:
    """What is seen of a record without reading all of it: the `length` of its payload, the first bytes (at most
    `PEEK`), and the offset `after` it, where the next one begins."""

    length: int
    head: bytes
    after: int


def pack(payload: bytes) -> bytes:
    """The record that holds `payload`. Raises `InputError` for one of 2^29 bytes or more."""
    length = len(payload)
    if length > LARGEST:
        raise InputError(f"A record holds at most {LARGEST:,} bytes, not {length:,}.")
    if payload.rfind(MARK) < 0:  # from the end takes half the time of from the beginning
        return b"".join((_HEAD.pack(MAGIC, length), payload, bytes(-length % 4)))
    pieces = _split(payload)
    flags = [_FIRST, *[_MIDDLE] * (len(pieces) - 2), _LAST] if len(pieces) > 1 else [_WHOLE]
    heads = (_HEAD.pack(MAGIC, flag << 29 | len(piece)) for flag, piece in zip(flags, pieces, strict=True))
    return b"".join(part for pair in zip(heads, pieces, strict=True) for part in pair) + bytes(-length % 4)


def _split(payload: bytes) -> list[bytes]:
    """The pieces between the magic numbers that stand at multiples of 4."""
    pieces, start, at = [], 0, payload.find(MARK)
    while at >= 0:
        if at % 4 == 0:
            pieces.append(payload[start:at])
            start = at + 4
        at = payload.find(MARK, at + 4 if at % 4 == 0 else at + 1)
    return [*pieces, payload[start:]]


def payloads(path: Path) -> Iterator[tuple[int, bytes]]:
    """Every record of a file in order: its offset and its payload. Raises `RecordError` at the first damage."""
    with Records(path) as records:
        offset = 0
        while offset < records.size:
            data, start, stop = records.locate(offset)
            yield offset, data[start:stop]
            offset = records.after


class Records:
    """The records of a file, each found by its offset, in whatever order. Use it in a ``with`` block.

    The file is read, not mapped: a file that is cut while it is mapped kills the process, and pages that were touched
    count as its memory. Nothing is allocated from a length that the file only claims. Raises `InputError` when the
    file cannot be opened, and each method `RecordError` when there is no whole record at the offset.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("rb", buffering=0)
            self.size = self._file.seek(0, 2)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
        self._data, self._base = b"", 0
        self.after = 0
        """The offset after the record that was located last."""

    def __enter__(self) -> Records:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def locate(self, offset: int) -> tuple[bytes, int, int]:
        """The payload of a record as ``data[start:stop]``: data, start, stop. Quick for records that follow one
        another."""
        data = self._data
        at = offset - self._base
        if at < 0 or at + 8 > len(data):
            data, at = self._load(offset, 8)
        magic, word = _unpack_head(data, at)
        if magic != MAGIC or word > LARGEST:
            return self._split_record(offset)
        stop = at + 8 + word
        if stop > len(data):
            data, at = self._load(offset, 8 + word)
            stop = at + 8 + word
        self.after = offset + 8 + word + (-word & 3)
        return data, at + 8, stop

    def peek(self, offset: int) -> Peek:
        """The length and the first bytes of a record."""
        head = self._at(offset, 8 + PEEK, at_least=8)
        magic, word = _unpack_head(head)
        if magic == MAGIC and word <= LARGEST:
            self._require(offset, 8 + word)
            return Peek(word, head[8 : 8 + word], offset + 8 + word + (-word & 3))
        data, start, stop = self._split_record(offset)
        return Peek(stop - start, data[start : start + PEEK], self.after)

    def payload(self, offset: int) -> bytes:
        """The payload of one record. For random access: no more is read than it."""
        magic, word = _unpack_head(self._at(offset, 8))
        if magic == MAGIC and word <= LARGEST:
            return self._at(offset + 8, word, where=offset)
        data, start, stop = self._split_record(offset)
        return data[start:stop]

    def next(self, offset: int) -> int:
        """Where the first record at or after `offset` begins, found by the magic numbers; the file's size when there
        is none."""
        offset += -offset % 4
        while offset + 8 <= self.size:
            data = self._at(offset, CHUNK, at_least=8)
            at = data.find(MARK)
            while at >= 0 and at + 8 <= len(data):
                if at % 4 == 0 and _unpack_head(data, at)[1] >> 29 in (_WHOLE, _FIRST):
                    return offset + at
                at = data.find(MARK, at + 1)
            offset += (len(data) - 7) // 4 * 4 or 4
        return self.size

    def _split_record(self, offset: int) -> tuple[bytes, int, int]:
        """`locate` for what is no whole record: its parts joined by the magic number, or an error."""
        pieces, total, place, flag = [], 0, offset, _WHOLE
        while flag != _LAST:
            magic, word = _unpack_head(self._at(place, 8, where=offset))
            if magic != MAGIC:
                raise RecordError(_no_record(offset, place), offset)
            previous, flag, length = flag, word >> 29, word & LARGEST
            if (previous == _WHOLE) is not (flag == _FIRST) or flag not in (_FIRST, _MIDDLE, _LAST):
                raise RecordError(_misplaced(flag, offset, place), offset)
            if flag != _LAST and length % 4:
                raise RecordError(f"a part at byte {place:,} has {length:,} bytes, no multiple of 4", offset)
            total += length + 4
            if total - 4 > LARGEST:
                raise RecordError(f"its parts come to more than {LARGEST:,} bytes", offset)
            pieces.append(self._at(place + 8, length, where=offset))
            place += 8 + length + (-length & 3)
        self.after = place
        payload = MARK.join(pieces)
        return payload, 0, len(payload)

    def _load(self, offset: int, count: int) -> tuple[bytes, int]:
        """Have at least `count` bytes from `offset` on in memory; gives them with the position of the first."""
        self._data = self._at(offset, max(count, CHUNK), at_least=count)
        self._base = offset
        return self._data, 0

    def _at(self, offset: int, count: int, *, at_least: int = -1, where: int = -1) -> bytes:
        """`count` bytes of the file (fewer, but `at_least`, at its end); `where` is the record that they belong to."""
        least = count if at_least < 0 else at_least
        self._require(offset, least, where)
        self._file.seek(offset)
        data = self._file.read(min(count, self.size - offset)) or b""
        if len(data) < least:
            raise RecordError("the file became shorter while it was read", offset if where < 0 else where)
        return data

    def _require(self, offset: int, count: int, where: int = -1) -> None:
        where = offset if where < 0 else where
        if not 0 <= offset <= self.size:
            raise RecordError(f"the file has only {self.size:,} bytes", where)
        if offset + count > self.size:
            left = self.size - offset
            raise RecordError(f"{count:,} bytes should follow but only {left:,} are left: it is cut off", where)


def _no_record(offset: int, place: int) -> str:
    if place == offset:
        return "no record begins here"
    return f"the next part of the record should begin at byte {place:,}, but does not"


def _misplaced(flag: int, offset: int, place: int) -> str:
    if place == offset:
        return f"a part of a record ({flag}) stands where a record should begin"
    return f"the part at byte {place:,} has the flag {flag}: the record's last part is missing"
