"""Standard input as bytes: the beginning, which says what it is, and the list of paths that it may be."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

from zoo.errors import InputError, UsageError

_HEAD = 64
_PIECE = 1 << 16


def stream() -> BinaryIO:
    """Standard input. Raises `UsageError` when it is a terminal, where nobody types images."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("- reads standard input: pipe an image or a list of paths into it.")
    return sys.stdin.buffer


def first(stream: BinaryIO) -> bytes:
    """The first bytes, enough to tell an image. Raises `InputError` when there are none."""
    head = b""
    while len(head) < _HEAD and (more := stream.read(_HEAD - len(head))):
        head += more
    if not head:
        raise InputError("Standard input is empty; pipe an image or a list of paths into it.")
    return head


def lines(head: bytes, stream: BinaryIO) -> Iterator[str]:
    """The entries of a list as they arrive: separated by NUL where the first one ends so, else by line ends."""
    read = getattr(stream, "read1", stream.read)
    rest, separator, ended = head, b"", False
    while not ended:
        separator = separator or _separator(rest)
        *entries, rest = rest.split(separator) if separator else [rest]
        yield from filter(None, map(_text, entries))
        more = read(_PIECE)
        rest, ended = rest + more, not more
    yield from filter(None, map(_text, rest.split(separator) if separator else [rest]))


def _separator(data: bytes) -> bytes:
    return min((mark for mark in (b"\0", b"\n") if mark in data), key=data.index, default=b"")


def _text(entry: bytes) -> str:
    return os.fsdecode(entry.removesuffix(b"\r"))
