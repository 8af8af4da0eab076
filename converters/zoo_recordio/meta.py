"""``train.meta`` of insightface's Python package: a pickled list of a dictionary for each image.

It is written image by image, because Python's pickler would want all dictionaries in memory at once, half a kilobyte
an image. The bytes are the same as those of ``pickle.dump`` with protocol 5.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

_FRAME = 1 << 16  # pickle ends a frame before the first value that begins behind so many bytes
_BATCH = 1000  # pickle appends to a list so many items at a time
_KEYS = ("image_index", "image_classes")


def write(path: Path, runs: Iterable[tuple[int, int]], count: int) -> None:
    """Write the file for `count` images, which come as `runs`: an identity and the number of its images."""
    with path.open("wb") as stream:
        stream.write(pickle.PROTO + bytes([5]))
        frame = bytearray()
        for piece in _pieces(_identities(runs), count):
            if len(frame) >= _FRAME:
                _write_frame(stream, frame)
            frame += piece
        frame += pickle.STOP
        _write_frame(stream, frame)


def _write_frame(stream: IO[bytes], frame: bytearray) -> None:
    if len(frame) >= 4:
        stream.write(pickle.FRAME + struct.pack("<Q", len(frame)))
    stream.write(frame)
    frame.clear()


def _identities(runs: Iterable[tuple[int, int]]) -> Iterator[int]:
    for identity, length in runs:
        for _ in range(length):
            yield identity


def _pieces(identities: Iterator[int], count: int) -> Iterator[bytes]:
    """The pickle of the list, cut before each value, which is where a frame may end."""
    single = count == 1
    names = [pickle.SHORT_BINUNICODE + bytes([len(key)]) + key.encode() + pickle.MEMOIZE for key in _KEYS]
    yield pickle.EMPTY_LIST + pickle.MEMOIZE + (b"" if single or not count else pickle.MARK)
    for index, identity in enumerate(identities):
        yield pickle.EMPTY_DICT + pickle.MEMOIZE + pickle.MARK
        yield names[0]
        yield _whole(index)
        yield names[1]
        yield pickle.EMPTY_LIST + pickle.MEMOIZE
        last = index == count - 1
        ends = pickle.APPEND if single else pickle.APPENDS if last or index % _BATCH == _BATCH - 1 else b""
        begins = pickle.MARK if ends and not last else b""
        yield _whole(identity) + pickle.APPEND + pickle.SETITEMS + ends + begins
        names = [pickle.BINGET + bytes([place]) for place in (2, 3)]


def _whole(number: int) -> bytes:
    if number < 1 << 8:
        return pickle.BININT1 + struct.pack("<B", number)
    return pickle.BININT2 + struct.pack("<H", number) if number < 1 << 16 else pickle.BININT + struct.pack("<i", number)
