"""The headers of tar archives, read and written by hand.

A member is a header of 512 bytes and its content, filled up with zeros to a multiple of 512; two blocks of zeros end
the archive. Names of more than 100 bytes are split (ustar), or stand in a member of their own before the header (GNU
type L, pax type x). Source: POSIX.1-2017 pax, "ustar interchange format"; GNU tar manual, "basic tar format".
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

BLOCK = 512
END = bytes(2 * BLOCK)
"""What ends an archive."""

_ADLER = 65521
_CHECK = slice(148, 156)
_SPACES = b" " * 8
_BLANK = sum(_SPACES)
_LARGEST = 8**11 - 1
_PLAIN = frozenset((0, 48, 55))  # NUL, "0" and "7": a file, and how old or unusual programs say so
_EXTENSIONS = frozenset(b"LKxgX")
_NOTHING = frozenset(b"5Vg")  # a folder, the label of a volume, and what is said of all members
_REFUSED = {
    ord("1"): "a hard link", ord("2"): "a symbolic link", ord("3"): "a device", ord("4"): "a device",
    ord("6"): "a pipe", ord("S"): "a sparse file", ord("M"): "the continuation of another archive",
}  # fmt: skip


class HeaderError(ValueError):
    """A block is no header, or one that cannot be used; the text is a clause that says why."""


@dataclass(slots=True)
class Header:
    """What a header says: the member's name, the size of its content in bytes, and its type."""

    name: bytes
    size: int
    type: int

    @property
    def padded(self) -> int:
        """The size with the zeros that follow."""
        return -(-self.size // BLOCK) * BLOCK

    @property
    def is_file(self) -> bool:
        """Whether it is an ordinary file."""
        return self.type in _PLAIN

    @property
    def is_extension(self) -> bool:
        """Whether its content is about the header that follows."""
        return self.type in _EXTENSIONS

    @property
    def refusal(self) -> str:
        """What it is, when it is something that a data set has no use for; empty otherwise."""
        known = self.type in _PLAIN or self.type in _EXTENSIONS or self.type in _NOTHING
        return "" if known else _REFUSED.get(self.type, f"of the unknown type {chr(self.type)!r}")


def parse(block: bytes) -> Header:
    """The header in a block of 512 bytes. Raises `HeaderError`.

    Bytes add up to the checksum, which is taken as spaces. Adler-32 from 0 has the sum, modulo 65521, in its lower
    half, ten times as fast as adding bytes up.
    """
    check = block[_CHECK]
    stated = _number(check)
    if ((zlib.adler32(block, 0) & 0xFFFF) - sum(check) + _BLANK - stated) % _ADLER and not _is_signed_sum(
        block, stated
    ):
        raise HeaderError("the checksum of a header does not fit it")
    size = _number(block[124:136])
    if size < 0:
        raise HeaderError("a header states a negative size")
    name = block[: block.find(b"\0", 0, 100)] if block[99] == 0 else block[:100]
    if block[345] and block[257:263] == b"ustar\0":
        name = block[345:500].partition(b"\0")[0] + b"/" + name
    return Header(name.partition(b"\0")[0], size, block[156])


def _number(field: bytes) -> int:
    """A number in octal digits, or as GNU tar writes large ones: 256-based behind a byte with the highest bit."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big") if field[0] == 0x80 else -1
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise HeaderError("a number in a header is not octal") from None


def _is_signed_sum(block: bytes, stated: int) -> bool:
    """Whether the bytes add up when they are taken as signed, as some old programs did."""
    blanked = block[:148] + _SPACES + block[156:]
    return sum(blanked) - 256 * sum(byte > 127 for byte in blanked) == stated


def name_of(extension: Header, content: bytes) -> bytes | None:
    """The name that an extension gives to the member that follows, None when it gives none.

    Raises `HeaderError` for an extension that changes more than that: the size, or a sparse file.
    """
    if extension.type == ord("L"):
        return content.partition(b"\0")[0]
    if extension.type not in b"xX":
        return None
    records = _pax(content)
    if any(key.startswith(b"GNU.sparse") for key in records):
        raise HeaderError("a sparse file, which is not read")
    if b"size" in records:
        raise HeaderError("a file with its size in a pax record, which is not read")
    return records.get(b"path")


def _pax(content: bytes) -> dict[bytes, bytes]:
    """The records ``LENGTH KEY=VALUE\\n`` of a pax header."""
    records, position = {}, 0
    while position < len(content):
        space = content.find(b" ", position, position + 20)
        digits = content[position : max(space, position)]
        end = position + int(digits) if digits.isdigit() else -1
        if not space < end <= len(content) or content[end - 1 : end] != b"\n":
            raise HeaderError("a file with a damaged pax record")
        key, _, value = content[space + 1 : end - 1].partition(b"=")
        records[key] = value
        position = end
    return records


def make(name: bytes, size: int) -> bytes:
    """The header of a file, with what comes before it for a long name. Time and owner are 0, so that equal data give
    equal archives. Raises `HeaderError` for a size of 8 GiB and more."""
    if len(name) <= 100:
        return _make(name, b"", size, b"0")
    cut = name.rfind(b"/", max(0, len(name) - 101), 156)
    if cut > 0 and len(name) - cut - 1 <= 100:
        return _make(name[cut + 1 :], name[:cut], size, b"0")
    record = _pax_record(name)
    return _make(b"pax", b"", len(record), b"x") + record + padding(len(record)) + _make(name[:100], b"", size, b"0")


def _make(name: bytes, prefix: bytes, size: int, type: bytes) -> bytes:
    if size > _LARGEST:
        raise HeaderError(f"{size} bytes are too many for a member of an archive")
    block = b"".join((name, _ZEROS[: 100 - len(name)], _OWNER, b"%011o" % size, _TIME, type, _MAGIC, prefix))
    total = sum(block) if prefix else zlib.adler32(block, 0) & 0xFFFF  # a name alone stays below 65521
    return b"".join((block[:148], b"%06o\0 " % total, block[156:], _ZEROS[: BLOCK - len(block)]))


_ZEROS = bytes(BLOCK)
_OWNER = b"0000644\0" + b"0000000\0" * 2
_TIME = b"\0" + b"00000000000\0" + _SPACES
_MAGIC = bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2


def _pax_record(path: bytes) -> bytes:
    length = len(path) + 7  # " path=" and the end of the line
    while len(str(length)) + len(path) + 7 != length:
        length = len(str(length)) + len(path) + 7
    return b"%d path=%s\n" % (length, path)


def padding(size: int) -> bytes:
    """The zeros that fill up `size` bytes to whole blocks."""
    return _ZEROS[: -size % BLOCK]
