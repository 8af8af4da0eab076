"""The card of a model among a TFLite file's metadata, under the name ``zoo.card``.

Nothing of the file is rewritten: a new first table is put before it, which refers to all that the old one does and to
one piece of metadata more. So every old byte stays as it was, moved by a multiple of the alignment that the numbers
need, and taking the card away gives the file back.
"""

from __future__ import annotations

import struct
from pathlib import Path

from zoo.errors import ModelError
from zoo.files import atomic_write
from zoo_tflite.flat import Table, number_at, root
from zoo_tflite.model import parse, read
from zoo_tflite.sniff import IDENTIFIER

KEY = "zoo.card"
_MARK = b"zoo.card"
_ALIGNMENT = 64
_FIELDS = 8
_BUFFERS, _METADATA = 4, 6
_FAR = 1 << 30
_HEAD = 24
"""The place of the root, the identifier, the mark, how long the new part is, and padding to 8 bytes."""


def read_card(path: Path) -> str:
    """The text in the file, empty where there is none. Raises `ModelError` for a damaged file."""
    found = parse(read(path), str(path)).metadata.get(KEY)
    try:
        return bytes(found or b"").decode("utf-8")
    except UnicodeDecodeError:
        raise ModelError(f"{path} is damaged: the card in it is no text.") from None


def write_card(path: Path, card: str) -> None:
    """Put `card` into the file; an older one is replaced. Raises `ModelError` for a damaged file, and for one whose
    numbers lie outside its structure because they are more than 2 GB."""
    data = without_card(read(path))
    parse(data, str(path))
    model = root(data, IDENTIFIER)
    if any(buffer.number(1, "<Q") > 1 for buffer in model.tables(_BUFFERS)):
        raise ModelError(f"{path} is too large to take a card: its numbers lie outside its structure.")
    atomic_write(path, _before(model, card.encode()) + bytes(data))


def without_card(data: memoryview) -> memoryview:
    """The bytes of a file as they were before `write_card`."""
    if bytes(data[8:16]) != _MARK:
        return data
    return data[number_at(data, 16, "<I") :]


def _before(model: Table, card: bytes) -> bytes:
    """What goes before the file of `model`. Places are counted from the new beginning; those of the old file are only
    known once the length of this is, which does not depend on them."""
    buffers = [table.at for table in model.tables(_BUFFERS)]
    metadata = [table.at for table in model.tables(_METADATA)]
    length = len(_laid_out(model, buffers, metadata, card, _FAR))
    return _laid_out(model, buffers, metadata, card, length)


def _laid_out(model: Table, buffers: list[int], metadata: list[int], card: bytes, shift: int) -> bytes:
    """The new part, its references to the old file moved by `shift`."""
    out = bytearray(_HEAD)
    fields = len(out)
    out += bytes(4 + 2 * _FIELDS + 4)  # the list of fields, padded
    table = len(out)
    out += bytes(4 + 4 * _FIELDS)
    struct.pack_into("<HH", out, fields, 4 + 2 * _FIELDS, 4 + 4 * _FIELDS)
    struct.pack_into("<i", out, table, table - fields)
    places = {number: _old_place(model, number) for number in range(1, _FIELDS)}
    targets = {number: place + shift for number, place in places.items() if place}
    targets[_BUFFERS], buffer = _list(out, [each + shift for each in buffers])
    targets[_METADATA], entry = _list(out, [each + shift for each in metadata])
    for number in range(_FIELDS):
        if number in targets or not number:
            struct.pack_into("<H", out, fields + 4 + 2 * number, 4 + 4 * number)
    struct.pack_into("<I", out, table + 4, model.number(0, "<I"))
    for number, target in targets.items():
        place = table + 4 + 4 * number
        struct.pack_into("<I", out, place, target - place)
    _metadata(out, entry, len(buffers))
    _buffer(out, buffer, card)
    out += bytes(-len(out) % _ALIGNMENT)
    out[:_HEAD] = struct.pack("<I4s8sII", table, IDENTIFIER, _MARK, len(out), 0)
    return bytes(out)


def _old_place(model: Table, number: int) -> int:
    place = model.field(number)
    return place + number_at(model.data, place, "<I") if place else 0


def _list(out: bytearray, places: list[int]) -> tuple[int, int]:
    """A list of references to `places` and one more, which is still to be set: where the list is, and that one."""
    start = len(out)
    out += struct.pack("<I", len(places) + 1)
    for place in places:
        out += struct.pack("<I", place - len(out))
    out += bytes(4)
    return start, len(out) - 4


def _metadata(out: bytearray, reference: int, buffer: int) -> None:
    """A ``Metadata`` table: its name, and the number of its buffer."""
    out += bytes(-len(out) % 4)
    fields = len(out)
    out += struct.pack("<HHHH", 8, 12, 4, 8)
    table = len(out)
    struct.pack_into("<I", out, reference, table - reference)
    out += struct.pack("<iII", table - fields, 8, buffer)  # the name follows at once, 8 bytes from its field
    out += struct.pack("<I", len(KEY)) + KEY.encode() + b"\0"


def _buffer(out: bytearray, reference: int, data: bytes) -> None:
    """A ``Buffer`` table with `data`, aligned as numbers would be."""
    out += bytes(-len(out) % 4)
    fields = len(out)
    out += struct.pack("<HHHH", 6, 8, 4, 0)
    table = len(out)
    struct.pack_into("<I", out, reference, table - reference)
    start = table + 8
    start += -(start + 4) % 16
    out += struct.pack("<iI", table - fields, start - (table + 4))
    out += bytes(start - len(out)) + struct.pack("<I", len(data)) + data
