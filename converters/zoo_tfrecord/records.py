"""The framing of TFRecord files: a record is the length of its payload (8 bytes), the checksum of these 8 bytes (4),
the payload, and the checksum of the payload (4), all little-endian.

Checksums are CRC-32C, rotated and shifted ("masked"), so that a checksum of data with checksums in it stays useful.
Source: tensorflow/core/lib/hash/crc32c.h and record_writer.h.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from functools import lru_cache

import google_crc32c

from zoo.datasets.sample import Broken
from zoo.datasets.windows import LARGEST, Window

HEAD = 12
"""Bytes before a payload."""

TAIL = 4
"""Bytes after a payload."""

SEARCHED = 1 << 24
"""How far behind a damaged length the next record is looked for, in bytes."""

_MASK = 0xA282EAD8
_HEADER = struct.Struct("<QI")
_LENGTH = struct.Struct("<Q")
_CHECK = struct.Struct("<I")
_HIGH_ZEROS = re.compile(rb"(?=\0{4}(?!\0{4}))")
_crc = google_crc32c.value


def masked(data: bytes) -> int:
    """The masked CRC-32C of `data`."""
    crc: int = _crc(data)
    return ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF


def frame(payload: bytes) -> bytes:
    """A record with this payload."""
    return b"".join((_head(len(payload)), payload, _CHECK.pack(masked(payload))))


@lru_cache(1 << 14)
def _head(size: int) -> bytes:
    length = _LENGTH.pack(size)
    return length + _CHECK.pack(masked(length))


def is_header(data: bytes, position: int = 0) -> bool:
    """Whether a length with its right checksum stands at `position`."""
    head = data[position : position + HEAD]
    return len(head) == HEAD and masked(head[:8]) == _CHECK.unpack_from(head, 8)[0]


def payloads(window: Window, where: str, verify: bool = True) -> Iterator[tuple[int, bytes | Broken]]:
    """The offsets and payloads of the records from the window's beginning on. A damaged record comes as `Broken` (its
    key is empty) and the rest goes on, unless no record can be found after it."""
    data, position = window.data, 0
    while True:
        start = position + HEAD
        if start > len(data):
            data, position, start = window.fill(position, HEAD), 0, HEAD
            if len(data) < HEAD:
                yield from ((window.base, item) for item in _rest(window, where))
                return
        length, check = _HEADER.unpack_from(data, position)
        end = start + length
        good = masked(data[position : position + 8]) == check
        if good and end + TAIL > len(data) and length <= _most(window, start):
            data, position = window.fill(position, HEAD + length + TAIL), 0
            start, end = HEAD, HEAD + length
            if end + TAIL > len(data):
                yield window.base, Broken("", _cut_off(window, length), where, window.base, data)
                return
        if not good or end + TAIL > len(data):
            offset = window.base + position
            yield offset, Broken("", _length_fault(good, length), where, offset)
            position = _next(window, position)
            if position < 0:
                return
            data = window.data
            continue
        payload, offset = data[start:end], window.base + position
        if verify and masked(payload) != _CHECK.unpack_from(data, end)[0]:
            yield offset, Broken("", "the record's checksum does not fit its bytes", where, offset, payload)
        else:
            yield offset, payload
        position = end + TAIL


def offsets(window: Window) -> Iterator[int]:
    """The offset of each item that `payloads` gives, without reading the payloads."""
    position = 0
    while True:
        if position + HEAD > len(window.data):
            window.fill(position, HEAD)
            position = 0
            if len(window.data) < HEAD:
                yield from [window.base] if window.data or window.fault else []
                return
        yield window.base + position
        length = _LENGTH.unpack_from(window.data, position)[0]
        if is_header(window.data, position) and length <= _most(window, position + HEAD):
            target = window.base + position + HEAD + length + TAIL
            position = window.jump(position, HEAD + length + TAIL)
            if window.base + position < target:
                return
        else:
            position = _next(window, position)
            if position < 0:
                return


def _most(window: Window, position: int) -> int:
    """The largest length that a record whose payload begins at `position` can have."""
    return min(LARGEST, window.left(position))


def _rest(window: Window, where: str) -> Iterator[Broken]:
    if window.data or window.fault:
        why = window.fault or f"the file ends with {len(window.data)} bytes, which are less than a record"
        yield Broken("", why, where, window.base, window.data)


def _cut_off(window: Window, length: int) -> str:
    return window.fault or f"the file is cut off within a record of {length} bytes"


def _length_fault(good: bool, length: int) -> str:
    if not good:
        return "the checksum of the record's length does not fit it"
    if length > LARGEST:
        return f"the record says that it has {length} bytes, more than the {LARGEST} that are read"
    return f"the record says that it has {length} bytes, more than the file has left"


def _next(window: Window, position: int) -> int:
    """The position in the window's data, which moves on, of the next record behind a damaged length; -1 when there is
    none near. A length is below 2^32, so that its upper half is four zeros, and its checksum is not zero but for one in
    four billions, which makes the search quick."""
    searched = 0
    position += 1
    while searched < SEARCHED:
        for found in _HIGH_ZEROS.finditer(window.data, position + 4):
            start = found.start() - 4
            if is_header(window.data, start):
                length = _LENGTH.unpack_from(window.data, start)[0]
                if length <= _most(window, start + HEAD):
                    return start
        passed = max(position, len(window.data) - HEAD + 1)
        searched += passed - position
        before = len(window.data) - passed
        position = 0
        if len(window.fill(passed, HEAD)) <= before:
            break
    return -1
