"""The members of an archive in order, and the groups of them that are samples.

Nothing is ever extracted to a disk. What a data set has no use for (links, devices, names that climb out) is refused by
name; what is damaged is passed over up to the next header.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from zoo.datasets.windows import LARGEST, Window
from zoo_webdataset.headers import BLOCK, Header, HeaderError, name_of, parse
from zoo_webdataset.suffixes import UNDERSTOOD

SEARCHED = 1 << 26
"""How far behind a damaged header the next one is looked for, in bytes."""

_ZEROS = bytes(BLOCK)
_FILE = ord("0")
_LONGEST_EXTENSION = 1 << 20

Member: TypeAlias = tuple[int, bytes, bytes, str]
"""Offset of the first header that is about it, name, content, and why it cannot be used (empty when it can)."""


@dataclass(slots=True)
class Group:
    """The members of one sample: contents by lower-case suffix without its first dot; `why` it is broken."""

    key: bytes
    offset: int
    parts: dict[bytes, bytes] = field(default_factory=dict)
    why: str = ""


def groups(window: Window, contents: bool = True) -> Iterator[Group]:
    """The samples of an archive from the window's beginning on: members that follow one another and have the same name
    up to the first dot of its last part. Files without a dot belong to no sample, nor do those of which none is an
    image, a label or a document (a README, a list). Without `contents` the members' contents are passed over and
    empty, which is quick.

    Of what is damaged the name is not known, so the samples before and behind it may lack a member: both are broken.
    """
    group: Group | None = None
    damage: Group | None = None
    for offset, name, content, why in members(window, contents):
        slash = name.rfind(b"/") + 1
        dot = name.find(b".", slash)
        if dot <= slash:
            if why:
                damage = damage or Group(name, offset, why=_sentence(name, f"{why} (at byte {offset})"))
                if group is not None:
                    group.why = group.why or damage.why
            continue
        key = name[:dot]
        if group is None or group.key != key:
            if group is not None and (group.why or not UNDERSTOOD.isdisjoint(group.parts)):
                yield group
            group = Group(key, offset if damage is None else damage.offset, why="" if damage is None else damage.why)
        damage = None
        suffix = name[dot + 1 :].lower()
        if why or suffix in group.parts:
            group.why = group.why or _sentence(name, why or "is there twice")
        else:
            group.parts[suffix] = content
    last = group or damage
    if last is not None and (last.why or not UNDERSTOOD.isdisjoint(last.parts)):
        yield last


def _sentence(name: bytes, why: str) -> str:
    return f"{name.decode('utf-8', 'replace')!r} {why}" if name else why


def members(window: Window, contents: bool = True) -> Iterator[Member]:
    """The files of an archive in order, and what is in their place where one cannot be read."""
    cursor = _Cursor(window)
    begun, given, refusal = -1, None, ""
    while (block := cursor.block()) is not None:
        offset = cursor.offset if begun < 0 else begun
        try:
            header = parse(block)
        except HeaderError as error:
            yield offset, b"", b"", str(error)
            begun, given, refusal = -1, None, ""
            if not cursor.find_header():
                return
            continue
        name = header.name if given is None else given
        why = refusal or _refusal(cursor, header, name)
        content: bytes | None = b""
        if header.is_extension and not why:
            content = cursor.content(header.size)
            begun, given, refusal = offset, *_extended(header, content or b"", given)
        else:
            begun, given, refusal = -1, None, ""
            if contents and header.is_file and not why:
                content = cursor.content(header.size)
            if content is not None and (why or header.is_file):
                yield offset, name.removeprefix(b"./"), content, why
        if content is None:
            yield offset, name.removeprefix(b"./"), b"", window.fault or f"is cut off within its {header.size} bytes"
        if content is None or not cursor.skip(header):
            return
    if window.fault or not cursor.complete:
        yield cursor.offset, b"", b"", window.fault or "the archive ends without its end mark, as if cut off"


class _Cursor:
    """A place in an archive."""

    def __init__(self, window: Window) -> None:
        self.window, self.position = window, 0
        self.complete = False  # whether the end mark was seen

    @property
    def offset(self) -> int:
        """The place, from the beginning of the archive."""
        return self.window.base + self.position

    def block(self) -> bytes | None:
        """The block of a header, None at the end. An archive that was appended to another, end mark and all, is part of
        it."""
        position = self.position
        block = self.window.data[position : position + BLOCK]
        if len(block) < BLOCK:
            block = self._peek(BLOCK)
        if block == _ZEROS and not self._peek(2 * BLOCK).strip(b"\0"):
            self.complete = True
            return self._peek(BLOCK) if self.find_header() else None
        return block if len(block) == BLOCK else None

    def content(self, size: int) -> bytes | None:
        """What follows the header, None when it is cut off."""
        end = self.position + BLOCK + size
        if end > len(self.window.data):
            self._peek(BLOCK + size)
            end = self.position + BLOCK + size
        return self.window.data[self.position + BLOCK : end] if end <= len(self.window.data) else None

    def skip(self, header: Header) -> bool:
        """Go to the next header; false when the archive ends within the content of this one."""
        after = self.position + BLOCK + header.padded
        if after <= len(self.window.data):
            self.position = after
            return True
        end = self.offset + BLOCK + header.size
        self.position = self.window.jump(self.position, BLOCK + header.padded)
        return self.offset >= end

    def find_header(self) -> bool:
        """Go to the next good header behind a place where there is none; false when none is near. Headers stand at
        multiples of 512 bytes from one another."""
        for _ in range(SEARCHED // BLOCK):
            self.position += BLOCK
            block = self._peek(BLOCK)
            if len(block) < BLOCK:
                break
            if block[257:262] == b"ustar":
                try:
                    parse(block)
                except HeaderError:
                    continue
                return True
        return False

    def _peek(self, count: int) -> bytes:
        data = self.window.data
        if self.position + count > len(data):
            data = self.window.fill(min(self.position, len(data)), count)
            self.position = 0
        return data[self.position : self.position + count]


def _extended(header: Header, content: bytes, given: bytes | None) -> tuple[bytes | None, str]:
    """The name that an extension gives to the next member, and why that one is refused, if it is."""
    try:
        return name_of(header, content) or given, ""
    except HeaderError as error:
        return given, f"is {error}"


def _refusal(cursor: _Cursor, header: Header, name: bytes) -> str:
    """Why a member cannot be used, empty when it can."""
    end = cursor.position + BLOCK + header.size
    if header.type == _FILE and end <= len(cursor.window.data) and b".." not in name and name[:1] != b"/":
        return ""
    if header.refusal:
        return f"is {header.refusal}, which has no place in a data set"
    if header.size > cursor.window.left(cursor.position + BLOCK):
        return f"says that it has {header.size} bytes, more than the archive has left"
    if header.size > (_LONGEST_EXTENSION if header.is_extension else LARGEST):
        return f"has {header.size} bytes, more than is read"
    if name[:1] == b"/" or b".." in name.split(b"/") or (b"\\" in name and b".." in name.split(b"\\")):
        return "has a name that leads out of the data set"
    return ""
