"""The label header that MXNet puts before each image: ``u32 flag | f32 label | u64 id | u64 id2``, 24 bytes.

With flag 0 the label is the number in the header. A greater flag is the length of a vector of float32 labels that
follows; the number in the header is then 0 (from Python's recordio.pack) or the first label (from the C++ im2rec).
"""

from __future__ import annotations

import math
import struct
from typing import Any

from zoo.errors import InputError

SIZE = 24
EXACT = 1 << 24
"""Labels are float32, which has every whole number up to here only."""

unpack_header = struct.Struct("<IIQQ").unpack_from
"""flag, label (as the bits of the float32), id, id2."""

_bits, _float = struct.Struct("<I"), struct.Struct("<f")
_pack_header = struct.Struct("<IfQQ").pack
_MOST = 1 << 12


class Scalars(dict[int, int | None]):
    """Which whole number the bits of a float32 are, None for all others (fractions, NaN, minus zero). Remembers."""

    def __missing__(self, bits: int) -> int | None:
        number = whole(to_float(bits))
        if len(self) >= _MOST:
            self.clear()
        self[bits] = number
        return number


def whole(value: float) -> int | None:
    """`value` as a whole number, None for one that it would not come back from: fractions, NaN, minus zero."""
    return int(value) if value.is_integer() and (value or math.copysign(1, value) > 0) else None


def to_float(bits: int) -> float:
    """The float32 with these bits."""
    value: float = _float.unpack(_bits.pack(bits))[0]
    return value


def vector(data: bytes, start: int, count: int) -> list[float]:
    """`count` float32 from `start` on; the caller has seen that they are there."""
    return list(struct.unpack_from(f"<{count}f", data, start))


def range_of(length: int, head: bytes) -> tuple[int, int] | None:
    """Of a record without an image whose two labels are whole numbers a <= b: those. So are a header (the first
    record of an identity, and the one after the last) and an identity (its first image, and the one after its last).
    `head` is the beginning of a payload of `length` bytes. None for any other record."""
    if length != SIZE + 8 or len(head) < length or unpack_header(head)[0] != 2:
        return None
    a, b = vector(head, SIZE, 2)
    return (int(a), int(b)) if a.is_integer() and b.is_integer() and 0 <= a <= b else None


def pack_header(label: float | list[float], id: int, id2: int = 0, own: float = 0.0) -> bytes:
    """A header, with its vector when `label` is a list; `own` is then the number in the header.

    Raises `InputError` for a label beyond float32, or an id beyond 64 bits.
    """
    try:
        if not isinstance(label, list):
            return _pack_header(0, label, id, id2)
        return _pack_header(len(label), own, id, id2) + struct.pack(f"<{len(label)}f", *label)
    except (struct.error, OverflowError):
        raise InputError(f"The label {label!r} with the id {id} and {id2} is out of range for a record.") from None


def from_sample(identity: int | None, extra: dict[str, Any]) -> float | list[float]:
    """The label to write: the identity, with the rest of a vector that ``extra["label"]`` brings.

    Raises `InputError` where there is neither, or a label that is neither a number nor a list of numbers.
    """
    label = extra.get("label")
    if isinstance(label, list) and label and all(isinstance(value, float | int) for value in label):
        return label if identity is None else [identity, *label[1:]]
    if identity is not None:
        if abs(identity) > EXACT and identity != _as_float32(identity):
            raise InputError(f"The identity {identity:,} is beyond {EXACT:,}, up to which labels (float32) are exact.")
        return identity
    if isinstance(label, float | int):
        return label
    raise InputError("The sample has no identity, which is the label of a record.")


def _as_float32(number: int) -> float | None:
    try:
        value: float = _float.unpack(_float.pack(number))[0]
    except (OverflowError, struct.error):
        return None
    return value
