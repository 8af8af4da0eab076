"""The card in an ONNX file: an entry of ``metadata_props``, where the format keeps what its writers have to say.

The file is one protobuf message whose parts may stand in any order, so an entry is added behind the others, and the
graph with its tensors stays byte for byte; it is passed over and never parsed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from zoo.errors import ModelError
from zoo.files import replacing

KEY = "zoo.card"
_METADATA = 14
"""The number of the field ``metadata_props`` in ModelProto, of ``key`` and ``value`` in its entries: onnx.proto."""
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_CARD = 1 << 24
_CHUNK = 1 << 20


def read_card(path: Path) -> str:
    """The text of the card in the file, or an empty one. Raises `ModelError` for a file that is no ONNX model."""
    with _opened(path) as file:
        for number, _, start, end in _fields(file, 0, _size(file), path):
            if number == _METADATA and (text := _card(file, start, end, path)) is not None:
                return text
    return ""


def write_card(path: Path, text: str) -> None:
    """Put the card's `text` into the file in place of the one that is there, at once or not at all. Raises as
    `read_card`."""
    key, value = KEY.encode(), text.encode()
    entry = _field(_ENTRY_KEY, key) + _field(_ENTRY_VALUE, value)
    with _opened(path) as file, replacing(path) as temporary, temporary.open("wb") as target:
        for number, begin, start, end in _fields(file, 0, _size(file), path):
            if number == _METADATA and _card(file, start, end, path) is not None:
                continue
            file.seek(begin)
            _copy(file, target, end - begin)
        target.write(_field(_METADATA, entry))
        file.close()  # some systems replace no file that is open


def _card(file: IO[bytes], start: int, end: int, path: Path) -> str | None:
    """The value of the entry at `start` to `end` of the file, None where its key is another."""
    parts = {number: (first, last) for number, _, first, last in _fields(file, start, end, path)}
    first, last = parts.get(_ENTRY_KEY, (0, 0))
    if last - first != len(KEY) or _read(file, first, last) != KEY.encode():
        return None
    first, last = parts.get(_ENTRY_VALUE, (0, 0))
    if last - first > _LONGEST_CARD:
        raise ModelError(f"{path} has a card of {last - first:,} bytes, more than a card can have.")
    return _read(file, first, last).decode("utf-8", "replace")


def _fields(file: IO[bytes], position: int, end: int, path: Path) -> Iterator[tuple[int, int, int, int]]:
    """The fields of the message at `position` to `end`: number, and where tag, content and the next field begin."""
    while position < end:
        begin = position
        tag, position = _varint(file, position, end, path)
        start = position
        kind = tag & 7
        if kind == _VARINT:
            _, position = _varint(file, position, end, path)
        elif kind == _BYTES:
            size, start = _varint(file, position, end, path)
            position = start + size
        else:
            position += {_FIXED64: 8, _FIXED32: 4}.get(kind, end)
        if position > end or not tag >> 3:
            raise ModelError(f"{path} is cut off, damaged or not an ONNX model (byte {begin}).")
        yield tag >> 3, begin, start, position


def _varint(file: IO[bytes], position: int, end: int, path: Path) -> tuple[int, int]:
    """The number of 7 bits a byte at `position`, and where it ends."""
    value = 0
    data = _read(file, position, min(end, position + 10))
    for index, byte in enumerate(data):
        value |= (byte & 127) << 7 * index
        if byte < 128:
            return value, position + index + 1
    raise ModelError(f"{path} is cut off, damaged or not an ONNX model (byte {position}).")


def _field(number: int, content: bytes) -> bytes:
    size, sizes = len(content), bytearray()
    while size > 127:
        sizes.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | _BYTES, *sizes, size]) + content


def _read(file: IO[bytes], start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    while size:
        piece = source.read(min(size, _CHUNK))
        target.write(piece)
        size -= len(piece)


def _size(file: IO[bytes]) -> int:
    return file.seek(0, os.SEEK_END)


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error.strerror or error}.") from None
