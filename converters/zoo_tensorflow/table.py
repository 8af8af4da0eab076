"""Sorted string tables, the container of TensorFlow's checkpoints: LevelDB's table format without its filters.

At the end 48 bytes: the places of two blocks as variable-length numbers, padding, and a magic number. The second of the
two blocks lists the places of the blocks with the entries. A block is entries, whose keys say how much they share with
the key before, a list of restart points, and after it one byte for the compression and four for a checksum.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import google_crc32c

from zoo_tensorflow.wire import varint

MAGIC = bytes.fromhex("57fb808b247547db")
FOOTER = 48


def entries(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Keys and values, sorted by key. Raises `ValueError` with one clause for what is no whole, uncompressed table."""
    if len(data) < FOOTER or data[-len(MAGIC) :] != MAGIC:
        raise ValueError("it does not end like a checkpoint")
    footer = data[-FOOTER:]
    at = _skip_handle(footer, 0)
    for _, handle in _block(data, footer[at:]):
        yield from _block(data, handle)


def masked_crc(data: bytes | memoryview) -> int:
    """CRC-32C as TensorFlow stores it, rotated and shifted so that a checksum of checksums is no special case."""
    crc: int = google_crc32c.value(bytes(data))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _skip_handle(data: memoryview, at: int) -> int:
    for _ in range(2):
        _, at = varint(data, at)
    return at


def _block(data: memoryview, handle: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The entries of the block whose place `handle` says."""
    offset, at = varint(handle, 0)
    size, _ = varint(handle, at)
    if offset + size + 5 > len(data):
        raise ValueError("a block lies past the end")
    kind, crc = data[offset + size], struct.unpack("<I", data[offset + size + 1 : offset + size + 5])[0]
    if masked_crc(data[offset : offset + size + 1]) != crc:
        raise ValueError("the checksum of a block is wrong")
    if kind:
        raise ValueError("its blocks are compressed, which TensorFlow's own checkpoints are not")
    yield from _entries(data[offset : offset + size])


def _entries(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    if len(block) < 4:
        raise ValueError("a block is too short")
    restarts = struct.unpack("<I", block[-4:])[0]
    end, at, key = len(block) - 4 - 4 * restarts, 0, b""
    while at < end:
        shared, at = varint(block, at)
        own, at = varint(block, at)
        size, at = varint(block, at)
        if shared > len(key) or at + own + size > end:
            raise ValueError("an entry runs past its block")
        key = key[:shared] + bytes(block[at : at + own])
        yield key, block[at + own : at + own + size]
        at += own + size
