"""Files and compressed streams seen through a window of bounded memory: what the readers of records and archives share.

Memory grows with what has been read, never with what a file says of its own size.
"""

from __future__ import annotations

import mmap
import zlib
from pathlib import Path
from typing import BinaryIO, Protocol

from zoo.errors import InputError

CHUNK = 1 << 18
"""Bytes read at a time: several chunks fit the second-level cache."""

LARGEST = 1 << 29
"""Largest record or archive member that is read, in bytes. It is also the limit of RecordIO."""

GROWTH = 250
"""How many times larger than itself a compressed file may become. Deflate's limit is 1032, which only a file made to
keep a reader busy comes near."""

_FREE = 1 << 26  # a compressed file may become so large whatever its size


def mapped(path: Path) -> mmap.mmap:
    """A whole file as bytes that are read when they are looked at. Raises `InputError` for a file that is empty or
    cannot be read."""
    try:
        with path.open("rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:
        raise InputError(f"{path} is empty.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder where a file is wanted; name the file in it.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None


class Readable(Protocol):
    """What a `Window` reads from: a file, or an `Inflated` one."""

    def read(self, count: int, /) -> bytes | None:
        """At most `count` bytes, none at the end."""


class Inflated:
    """A GZIP (of one or several members) or ZLIB file as a stream of what is in it.

    Damage ends the stream, and `fault` then says what it was, with the offset in the compressed file.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.fault = ""
        self._stream = stream
        self._input = b""
        self._taken = self._given = 0
        self._machine = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def read(self, count: int, /) -> bytes:
        """At most `count` bytes, none at the end or at a fault."""
        while not self.fault:
            if self._machine.eof and not self._next_member():
                return b""
            ended = not self._input and not self._load()
            try:
                data = self._machine.decompress(self._input, count)
            except zlib.error as error:
                self._fail(f"it is damaged ({str(error).partition(': ')[2] or error})")
                return b""
            self._input = self._machine.unused_data if self._machine.eof else self._machine.unconsumed_tail
            self._given += len(data)
            if self._given > _FREE + GROWTH * self._taken:
                self._fail(f"it grows to more than {GROWTH} times its size")
            elif data:
                return data
            elif ended and not self._machine.eof:
                self._fail("it is cut off")
        return b""

    def _load(self) -> bool:
        self._input = self._stream.read(CHUNK)
        self._taken += len(self._input)
        return bool(self._input)

    def _next_member(self) -> bool:
        """Whether another GZIP member follows the one that ended; zeros behind the last one are padding."""
        self._input = self._input.lstrip(b"\0")
        while not self._input and self._load():
            self._input = self._input.lstrip(b"\0")
        if self._input:
            self._machine = zlib.decompressobj(zlib.MAX_WBITS | 32)
        return bool(self._input)

    def _fail(self, why: str) -> None:
        self.fault = f"{why} at byte {self._taken - len(self._input)} of the compressed file"


class Window:
    """A file from `offset` on, of which `data` is in memory: bytes `base` and following.

    `size` is how many bytes the file has; None for a compressed one, which begins at its beginning, of which only
    reading tells the size, and whose offsets are those in what was inflated. Use it in a ``with`` block. Raises
    `InputError` when the file cannot be opened.
    """

    def __init__(self, path: Path, offset: int = 0, inflate: bool = False) -> None:
        try:
            self._file: BinaryIO = path.open("rb", buffering=0)
            self.size = None if inflate else self._file.seek(0, 2)
            self._file.seek(0 if inflate else offset)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
        self._stream: Readable = Inflated(self._file) if inflate else self._file
        self.data, self.base = b"", 0 if inflate else offset

    def __enter__(self) -> Window:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def fault(self) -> str:
        """Why a compressed stream ended early; empty when it did not."""
        return self._stream.fault if isinstance(self._stream, Inflated) else ""

    def fill(self, position: int, count: int) -> bytes:
        """Forget what lies before `position` of `data` and read on, until `data` has `count` bytes (at most `LARGEST`
        and a little) or the file ends. Gives `data`."""
        self.base += position
        pieces = [self.data[position:]]
        have, wanted = len(pieces[0]), max(count, CHUNK)
        while have < wanted and (piece := self._stream.read(max(CHUNK, wanted - have) if self.size else CHUNK)):
            pieces.append(piece)
            have += len(piece)
        self.data = b"".join(pieces)
        return self.data

    def jump(self, position: int, count: int) -> int:
        """Pass over the `count` bytes at `position` of `data` without reading them where that is possible; gives the
        position in `data`, which may be another one now, at which to go on."""
        if position + count <= len(self.data):
            return position + count
        target = self.base + position + count
        if self.size is not None:
            self.base, self.data = min(target, self.size), b""
            self._file.seek(self.base)
            return 0
        while self.base + len(self.data) < target and self.fill(len(self.data), 1):
            pass
        return min(target - self.base, len(self.data))

    def left(self, position: int) -> int:
        """How many bytes follow `position` of `data`, as far as that is known: `LARGEST` for a compressed file."""
        return LARGEST if self.size is None else max(0, self.size - self.base - position)
