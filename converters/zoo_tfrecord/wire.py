"""tf.train.Example in protobuf's wire format, read and written by hand.

An Example is a message whose field 1 is a Features message; that is a map (field 1, repeated: 1 the name, 2 a Feature);
a Feature holds one of three lists: of bytes (field 1), of floats (2, packed) or of int64 (3, packed). Whatever order
the parts are in, lists that are not packed and fields that are unknown are read, too. What is written is what protobuf
writes when it is told to be deterministic: the map sorted by name, numbers packed.
Source: tensorflow/core/example/{example,feature}.proto and protobuf's encoding documentation.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from zoo.types import Floats

BYTES, FLOATS, INTS = 1, 2, 3
KINDS = ("nothing", "bytes", "floats", "integers")
"""Names of the kinds of lists by number."""

Feature: TypeAlias = tuple[int, int, int]
"""The kind of a list, and where its message begins and ends in the Example."""

MOST_NUMBERS = 1 << 22
"""Longest list of numbers that is read, in bytes: a million floats."""

_LENGTHS = 2
"""The wire type of what has a length: strings, messages, packed numbers."""


class WireError(ValueError):
    """The bytes are no Example; the text is a clause that says why."""


def features(data: bytes) -> dict[bytes, Feature]:
    """The features of a serialised Example by name. Of a name that occurs twice, the last counts."""
    found: dict[bytes, Feature] = {}
    try:
        if data[:1] == b"\x0a":
            size, start = _varint(data, 1)
            if start + size == len(data):  # nothing else in it, as always
                _read_map(data, start, len(data), found)
                return found
        for number, wire, start, end in _fields(data, 0, len(data)):
            if number == 1 and wire == _LENGTHS:
                _read_map(data, start, end, found)
    except IndexError:
        raise WireError("a number is cut off") from None
    return found


def _read_map(data: bytes, position: int, end: int, found: dict[bytes, Feature]) -> None:
    while position < end:
        if data[position] != 0x0A:
            for number, wire, start, stop in _fields(data, position, end):
                if number == 1 and wire == _LENGTHS:
                    _read_entry(data, start, stop, found)
            return
        size = data[position + 1]
        position += 2
        if size > 127:
            size, position = _varint(data, position - 1)
        stop = position + size
        if stop > end:
            raise WireError(f"a feature of {size} bytes does not fit into its map")
        _read_entry(data, position, stop, found)
        position = stop


def _read_entry(data: bytes, position: int, end: int, found: dict[bytes, Feature]) -> None:
    """The usual layout, name before value and nothing else, at once; any other by `_read_odd_entry`."""
    stop = position + 2 + data[position + 1]
    if data[position] == 0x0A and stop - position < 130 and stop + 2 < end and data[stop] == 0x12:
        name = data[position + 2 : stop]
        size, start = data[stop + 1], stop + 2
        if size > 127:
            size, start = _varint(data, stop + 1)
        tag = data[start]
        if start + size == end and tag in _KIND_OF_TAG:
            size, first = data[start + 1], start + 2
            if size > 127:
                size, first = _varint(data, start + 1)
            if first + size == end:
                found[name] = (_KIND_OF_TAG[tag], first, end)
                return
    _read_odd_entry(data, position, end, found)


_KIND_OF_TAG = {BYTES << 3 | _LENGTHS: BYTES, FLOATS << 3 | _LENGTHS: FLOATS, INTS << 3 | _LENGTHS: INTS}


def _read_odd_entry(data: bytes, position: int, end: int, found: dict[bytes, Feature]) -> None:
    name, feature = b"", (0, 0, 0)
    for number, wire, start, stop in _fields(data, position, end):
        if number == 1 and wire == _LENGTHS:
            name = data[start:stop]
        elif number == 2 and wire == _LENGTHS:
            for kind, inner, first, last in _fields(data, start, stop):
                if kind in (BYTES, FLOATS, INTS) and inner == _LENGTHS:
                    feature = (kind, first, last)
    found[name] = feature


def _fields(data: bytes, position: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of the message at `position` to `end`: number, wire type, and where the value begins and ends."""
    while position < end:
        tag, position = _varint(data, position)
        wire = tag & 7
        if wire == _LENGTHS:
            size, position = _varint(data, position)
            stop = position + size
        elif wire == 0:
            stop = _varint(data, position)[1]
        elif wire in (1, 5):
            stop = position + (8 if wire == 1 else 4)
        else:
            raise WireError(f"a field has the wire type {wire}, which is not used today")
        if stop > end:
            raise WireError(f"a field of {stop - position} bytes does not fit into its message")
        yield tag >> 3, wire, position, stop
        position = stop


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, lowest first, and the position behind it."""
    value = data[position]
    if value < 128:
        return value, position + 1
    byte = data[position + 1]
    if byte < 128:
        return value & 127 | byte << 7, position + 2
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFFFFFFFFFFFFFF, position
        shift += 7
        if shift > 63:
            raise WireError("a number has more than ten bytes")


def byte_strings(data: bytes, feature: Feature) -> Iterator[bytes]:
    """The strings of a list of bytes. Raises `WireError` when the feature is of another kind."""
    for number, wire, start, end in _items(data, feature, BYTES):
        if number == 1 and wire == _LENGTHS:
            yield data[start:end]


def first_string(data: bytes, feature: Feature) -> bytes:
    """The first string of a list of bytes, empty when the list is."""
    kind, start, end = feature
    if kind == BYTES and end - start > 1 and data[start] == 0x0A:
        size, first = data[start + 1], start + 2
        if size > 127:
            size, first = _varint(data, start + 1)
        if first + size == end:
            return data[first:end]
    return next(byte_strings(data, feature), b"")


def joined_strings(data: bytes, feature: Feature) -> bytes:
    """The strings of a list of bytes one after another; quick for thousands of strings of one byte."""
    body = data[feature[1] : feature[2]]
    count, odd = divmod(len(body), 3)
    if feature[0] == BYTES and not odd and body[0::3] == b"\x0a" * count and body[1::3] == b"\x01" * count:
        return body[2::3]
    joined = bytearray()
    for piece in byte_strings(data, feature):
        joined += piece
    return bytes(joined)


def floats(data: bytes, feature: Feature) -> Floats:
    """The numbers of a list of floats, packed or not, as an array of its own."""
    import numpy as np

    pieces = [np.empty(0, np.float32)]
    for number, wire, first, last in _items(data, feature, FLOATS):
        if number == 1 and wire in (_LENGTHS, 5):
            if (last - first) % 4:
                raise WireError(f"{last - first} bytes are no packed floats")
            pieces.append(np.frombuffer(data, "<f4", (last - first) // 4, first))
    return np.concatenate(pieces)


def integers(data: bytes, feature: Feature) -> list[int]:
    """The numbers of a list of int64, packed or not."""
    values: list[int] = []
    for number, wire, first, last in _items(data, feature, INTS):
        if number == 1 and wire in (0, _LENGTHS):
            _read_varints(data, first, last, values)
    return values


def first_integer(data: bytes, feature: Feature) -> int | None:
    """The first number of a list of int64, None when the list is empty."""
    kind, start, end = feature
    if kind == INTS and end - start > 2 and data[start] == 0x0A and start + 2 + data[start + 1] == end:
        value, position = _varint(data, start + 2)
        if position == end and value < 1 << 63:
            return value
    return next(iter(integers(data, feature)), None)


def _read_varints(data: bytes, position: int, end: int, values: list[int]) -> None:
    while position < end:
        value, position = _varint(data, position)
        values.append(value - (1 << 64) if value >> 63 else value)
    if position > end:
        raise WireError("a packed number does not fit into its list")


def _items(data: bytes, feature: Feature, wanted: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of a list of the kind `wanted`."""
    kind, start, end = feature
    if kind != wanted:
        raise WireError(f"a feature holds {KINDS[kind]} where {KINDS[wanted]} are wanted")
    if kind != BYTES and end - start > MOST_NUMBERS:
        raise WireError(f"a list of numbers has {end - start} bytes, more than the {MOST_NUMBERS} that are read")
    try:
        yield from _fields(data, start, end)
    except IndexError:
        raise WireError("a number is cut off") from None


def varint(value: int) -> bytes:
    """A number that is not negative in protobuf's variable length."""
    if value < 128:
        return _SMALL[value]
    if value < 1 << 14:
        return bytes((value & 127 | 128, value >> 7))
    pieces = bytearray()
    while value > 127:
        pieces.append(value & 127 | 128)
        value >>= 7
    pieces.append(value)
    return bytes(pieces)


_SMALL = [bytes([value]) for value in range(128)]


def bytes_feature(name: bytes, *values: bytes) -> bytes:
    """A feature of the map: a list of bytes."""
    return feature(name, BYTES, *[piece for value in values for piece in (b"\x0a", varint(len(value)), value)])


def string_feature(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """`bytes_feature` of one string in two pieces, so that a long string is not copied."""
    return _before(name, len(value)), value


@lru_cache(1 << 14)
def _before(name: bytes, length: int) -> bytes:
    """What stands before a single string of this length, under this name."""
    size = varint(length)
    listed = length + len(size) + 1
    inner = varint(listed)
    value = listed + len(inner) + 1
    outer = varint(value)
    named = _named(name)
    whole = varint(len(named) + len(outer) + value + 1)
    return b"".join((b"\x0a", whole, named, b"\x12", outer, _SMALL[BYTES << 3 | _LENGTHS], inner, b"\x0a", size))


def single_bytes_feature(name: bytes, data: bytes) -> bytes:
    """A feature of the map: a list of as many strings as `data` has bytes, of one byte each."""
    body = bytearray(b"\x0a\x01\0" * len(data))
    body[2::3] = data
    return feature(name, BYTES, bytes(body))


def floats_feature(name: bytes, values: Floats) -> bytes:
    """A feature of the map: a list of floats, of an array of any shape."""
    packed = values.astype("<f4").tobytes()
    return feature(name, FLOATS, b"\x0a" + varint(len(packed)) + packed if packed else b"")


def integers_feature(name: bytes, values: Iterable[int]) -> bytes:
    """A feature of the map: a list of int64. Raises `struct.error` for a number beyond 64 bits."""
    packed = b"".join([varint(struct.unpack("<Q", struct.pack("<q", value))[0]) for value in values])
    return feature(name, INTS, b"\x0a" + varint(len(packed)) + packed if packed else b"")


def feature(name: bytes, kind: int, *body: bytes) -> bytes:
    """An entry of the map: the list of this kind whose message is the pieces of `body`, under a name."""
    length = sum(map(len, body))
    size = varint(length)
    inner = length + len(size) + 1
    value = varint(inner)
    named = _named(name)
    outer = len(named) + len(value) + inner + 1
    return b"".join((b"\x0a", varint(outer), named, b"\x12", value, _SMALL[kind << 3 | _LENGTHS], size, *body))


@lru_cache(256)
def _named(name: bytes) -> bytes:
    return b"\x0a" + varint(len(name)) + name


def example(entries: Sequence[bytes]) -> bytes:
    """A serialised Example with these entries of the map (or pieces of such), in this order: sort them by name."""
    return b"".join((b"\x0a", varint(sum(map(len, entries))), *entries))
