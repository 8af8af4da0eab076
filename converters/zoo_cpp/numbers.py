"""How the generated C++ holds the numbers of a network: in the source or in a file, as float32 or with filters in fewer
bits, which are spread out when a model is created."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from string import Template
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ModelError
from zoo_cpp.packing import Packed
from zoo_cpp.program import Array
from zoo_cpp.sources import text
from zoo_cpp.tables import literal, table

Storage: TypeAlias = Literal["float32", "float16", "int8"]

HEADER = struct.Struct("<8s4sIQQQQ16x")
"""What a file of weights begins with: the magic, the kind, a reserved word, how many floats and how many filter numbers
follow, the checksum of all that follows, and how many whole numbers are in it. 64 bytes, little-endian."""

MAGIC = b"ZOOCPPW\x01"

CODES = {"float32": ("float", "<f4"), "float16": ("uint16_t", "<f2"), "int8": ("int8_t", "<i1")}
"""The C++ type of a stored filter number, and NumPy's."""


@dataclass(frozen=True)
class Numbers:
    """The numbers as they are stored: `floats` (all of them as float32, or without the filters where these are in
    `codes`), filters of `whole` numbers, and a table of filters (begin and length among all
    numbers, their lanes and blocks, begin of their scales or -1)."""

    storage: Storage
    floats: Array
    codes: NDArray[np.generic]
    whole: NDArray[np.int8]
    filters: tuple[tuple[int, int, int, int, int], ...]
    length: int


def numbers(packed: Packed, storage: Storage) -> Numbers:
    """The numbers of `packed` as `storage` says. Filters in int8 have a scale for each channel that comes out.

    Raises `ModelError` for numbers that are not finite, or too large for float16."""
    everything, whole = packed.numbers(), packed.whole_numbers()
    if not np.isfinite(everything).all():
        raise ModelError("The network has weights that are not finite numbers: it cannot be written as C++.")
    if storage == "float32" or not packed.filters:
        return Numbers(storage, everything, np.zeros(0, np.float32), whole, (), len(everything))
    floats, codes, filters, at = list[Array](), list[NDArray[np.generic]](), list[tuple[int, int, int, int, int]](), 0
    scales, scaled = list[Array](), 0
    for begin, length, lanes in packed.filters:
        floats.append(everything[at:begin])
        at = begin + length
        values = everything[begin:at]
        if storage == "float16":
            codes.append(_halved(values))
            filters.append((begin, length, lanes, packed.blocks[begin], -1))
            continue
        code, scale = _quantised(values, lanes, packed.blocks[begin])
        codes.append(code)
        scales.append(scale)
        filters.append((begin, length, lanes, packed.blocks[begin], scaled))
        scaled += len(scale)
    floats.append(everything[at:])
    plain = sum(map(len, floats))
    filters = [(*row[:4], row[4] + plain if row[4] >= 0 else -1) for row in filters]
    return Numbers(
        storage, np.concatenate(floats + scales), np.concatenate(codes), whole, tuple(filters), len(everything)
    )


def _halved(values: Array) -> NDArray[np.float16]:
    largest = np.finfo(np.float16).max
    if np.abs(values).max() > largest:
        raise ModelError(f"The network has weights beyond {largest:.0f}, which cannot be kept as float16.")
    return values.astype("<f2")


def _quantised(values: Array, lanes: int, blocks: int) -> tuple[NDArray[np.int8], Array]:
    """Numbers of (blocks, any, lanes) as int8, and the scale of each block and lane."""
    shaped = values.reshape(blocks, -1, lanes)
    scale = np.abs(shaped).max(axis=1) / np.float32(127)
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    return np.rint(shaped / scale[:, None]).astype(np.int8).ravel(), scale.ravel()


def in_source(stored: Numbers) -> str:
    """C++ that defines the numbers as constants and ``numbers_at``, which says where they are."""
    kind = CODES[stored.storage][0]
    parts = [_array("float", "kFloats", stored.floats)]
    if len(stored.codes):
        codes = stored.codes.view(np.uint16) if stored.storage == "float16" else stored.codes
        parts.append(_array(kind, "kCodes", codes))
    if len(stored.whole):
        parts.append(_array("int8_t", "kWhole", stored.whole))
    names = {
        "codes": "kCodes" if len(stored.codes) else "nullptr",
        "whole": "kWhole" if len(stored.whole) else "nullptr",
    }
    parts.append(Template(text("numbers_inside")).substitute(names))
    return _with_tables(stored, "\n".join(parts))


def in_file(stored: Numbers) -> tuple[str, bytes]:
    """C++ that takes the numbers from a file's bytes, and these bytes."""
    data = stored.floats.astype("<f4").tobytes() + stored.codes.astype(CODES[stored.storage][1]).tobytes()
    data += stored.whole.tobytes()
    data += b"\0" * (-len(data) % 8)
    counts = len(stored.floats), len(stored.codes), len(stored.whole)
    kind = stored.storage.encode()[:4].ljust(4, b"\0")
    header = HEADER.pack(MAGIC, kind, 0, *counts[:2], checksum(data), counts[2])
    constants = {"kind": int.from_bytes(kind, "little"), "floats": counts[0], "codes": counts[1], "whole": counts[2]}
    words = Template(text("numbers_outside")).substitute(constants | {"checksum": f"{checksum(data):#x}"})
    return _with_tables(stored, words), header + data


def checksum(data: bytes) -> int:
    """FNV-1a over words of eight bytes, little-endian; `data` is a multiple of eight bytes long."""
    value = 0xCBF29CE484222325
    for word in np.frombuffer(data, "<u8").tolist():
        value = ((value ^ word) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def _with_tables(stored: Numbers, words: str) -> str:
    constants = (
        f"constexpr size_t kNumbers = {stored.length}, kWholeNumbers = {len(stored.whole)};\n"
        "constexpr size_t kWidened = kAtOnce == 4 ? 0 : kWholeNumbers;\n"
        f"constexpr int kFilters = {len(stored.filters)};\n"
    )
    rows = ["{" + ", ".join(map(str, row)) + "}" for row in stored.filters]
    kind = CODES[stored.storage][0]
    parts = [constants, f"typedef {kind} Code;\n", text("numbers")]
    if rows:
        parts += [
            table("FilterInfo", "kFilterTable", rows, "kFilters"),
            text(f"numbers_{stored.storage}"),
            text("spread"),
        ]
    else:
        parts.append(text("numbers_as_they_are"))
    return "\n".join([parts[0], parts[1], parts[2], words, *parts[3:]])


def _array(kind: str, name: str, array: NDArray[np.generic]) -> str:
    said = map(literal, array) if kind == "float" else map(str, array.tolist())
    values = list(said)
    rows = (", ".join(values[at : at + 16]) for at in range(0, len(values), 16))
    return "alignas(64) " + table(kind, name, rows, str(len(values)))
