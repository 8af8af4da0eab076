"""The protobuf wire format, as much of it as reading the zoo's files needs: no message classes, no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator

Value = int | memoryview
"""A number, or the bytes of a text, a message or packed numbers; of fixed-size numbers their 4 or 8 bytes."""


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number at `at` and where what follows it begins. Raises `ValueError` where there is none."""
    result = shift = 0
    for position in range(at, min(at + 10, len(data))):
        byte = data[position]
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position + 1
        shift += 7
    raise ValueError("a number runs past the end")


def varints(data: memoryview) -> Iterator[int]:
    """The packed numbers in `data`. Raises `ValueError` where it ends inside one."""
    at = 0
    while at < len(data):
        number, at = varint(data, at)
        yield number


def spans(data: memoryview) -> Iterator[tuple[int, Value, memoryview]]:
    """The fields of a message: number, value, and all bytes of the field, in their order. Raises `ValueError` for what
    is no message."""
    at = 0
    while at < len(data):
        start = at
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == 0:
            number, at = varint(data, at)
            yield tag >> 3, number, data[start:at]
            continue
        if kind not in (1, 2, 5):
            raise ValueError(f"a field has the unknown wire type {kind}")
        size, at = varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
        if size > len(data) - at:
            raise ValueError("a field runs past the end")
        yield tag >> 3, data[at : at + size], data[start : at + size]
        at += size


def fields(data: memoryview) -> Iterator[tuple[int, Value]]:
    """The fields of a message: number and value. Raises as `spans`."""
    return ((number, value) for number, value, _ in spans(data))


def first(data: memoryview, number: int) -> Value | None:
    """The first field `number` of a message, None where it has none."""
    return next((value for found, value in fields(data) if found == number), None)


def message(data: memoryview, *numbers: int) -> memoryview:
    """The first field of the first of `numbers`, therein that of the second and so on; empty where one is absent."""
    for number in numbers:
        value = first(data, number)
        data = value if isinstance(value, memoryview) else memoryview(b"")
    return data


def text(value: Value | None) -> str:
    """A text field. Raises `ValueError` for what is not UTF-8, or a number."""
    if isinstance(value, int):
        raise ValueError("a number stands where a text is expected")
    return bytes(value or b"").decode("utf-8")


def encoded(number: int, value: bytes | int) -> bytes:
    """Field `number` with a text, a message or a number (not negative), as bytes."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
