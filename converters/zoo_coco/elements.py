"""The elements of a large JSON document one at a time, each with the bytes that it takes in the file.

The file passes through a window that holds little more than one element. Bytes are looked at as Latin-1, in which every
byte is one character, so that positions in the text are offsets in the file; JSON's own signs are ASCII in UTF-8 too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from zoo.errors import InputError

LARGEST = 1 << 22
"""Most bytes that one element (an image, an annotation, a description) may have."""

_CHUNK = 1 << 18
_SPACE = re.compile(r"[ \t\r\n]*")
_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Element:
    """One value: an element of the list `name` of the document, or where `listed` is false the value called `name`
    itself, which for a list is None and comes before its elements. In a document that is itself a list, `name` is
    empty. Texts in `value` are Latin-1: see `element`."""

    name: str
    value: Any
    offset: int
    length: int
    listed: bool = True


def element(data: bytes) -> Any:
    """The value whose bytes are `data`. Raises `InputError` when they are not JSON in UTF-8."""
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is not JSON in UTF-8: {error}") from None


def elements(stream: BinaryIO, where: str) -> Iterator[Element]:
    """The elements of the document in `stream`, lists one level deep taken apart.

    Raises `InputError` that names the file `where` and the byte offset for what is not JSON, or larger than `LARGEST`.
    """
    window = _Window(stream, where)
    first = window.peek()
    if first == "[":
        yield from _listed("", window)
    elif first == "{":
        yield from _named(window)
    else:
        raise window.error("neither a JSON object nor a list begins here")
    if window.peek():
        raise window.error("something follows the end of the document")


def _named(window: _Window) -> Iterator[Element]:
    names: set[str] = set()
    window.take("{")
    while window.peek() != "}":
        name = window.value().value
        if not isinstance(name, str) or name in names:
            raise window.error(f"{name!r} is no name, or one that was there before")
        names.add(name)
        window.take(":")
        if window.peek() == "[":
            yield from _listed(name, window)
        else:
            found = window.value()
            found.name, found.listed = name, False
            yield found
        if window.peek() != "}":
            window.take(",")
            if window.peek() == "}":
                raise window.error("a comma ends the object")
    window.take("}")


def _listed(name: str, window: _Window) -> Iterator[Element]:
    yield Element(name, None, window.take("["), 1, listed=False)
    while window.peek() != "]":
        found = window.value()
        found.name = name
        yield found
        if window.peek() != "]":
            window.take(",")
            if window.peek() == "]":
                raise window.error("a comma ends the list")
    window.take("]")


class _Window:
    """A part of the file as text, `_base` its offset, and the position reached in it."""

    def __init__(self, stream: BinaryIO, where: str) -> None:
        self._stream, self._where = stream, where
        self._text, self._base, self._at, self._ended = "", 0, 0, False
        self._decode = json.JSONDecoder().raw_decode
        self._more()
        if self._text.startswith(_BOM.decode("latin-1")):
            self._at = len(_BOM)

    def error(self, why: str) -> InputError:
        """What to raise for something wrong at this place."""
        return InputError(f"{self._where} is not JSON as COCO has it, at byte {self._base + self._at:,}: {why}.")

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, sign: str) -> int:
        """Pass over `sign`, which has to come next; gives its offset."""
        if self.peek() != sign:
            raise self.error(f"{sign!r} is missing" if self.peek() else f"the file ends where {sign!r} should be")
        self._at += 1
        return self._base + self._at - 1

    def value(self) -> Element:
        """The next value, whatever it is."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except RecursionError:
                raise self.error("lists are nested too deeply") from None
            except ValueError as error:
                if not self._grow():
                    raise self.error(getattr(error, "msg", str(error)).lower()) from None
                continue
            if end < len(self._text) or not self._grow():
                offset, length = self._base + self._at, end - self._at
                self._at = end
                return Element("", value, offset, length)

    def _grow(self) -> bool:
        """Read on, because a value may not have ended yet; false at the end of the file."""
        size = len(self._text) - self._at
        if size >= LARGEST:
            raise self.error(f"no value of up to {LARGEST >> 20} MiB begins here")
        return self._more(max(_CHUNK, size))

    def _more(self, size: int = _CHUNK) -> bool:
        if self._ended:
            return False
        data = self._stream.read(size)
        self._ended = not data
        if data:
            self._base += self._at
            self._text, self._at = self._text[self._at :] + data.decode("latin-1"), 0
        return not self._ended
