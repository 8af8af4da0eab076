"""Files that are compressed in parts, by several processes, and are one GZIP or ZLIB stream in the end.

Each part is deflated on its own and ends at a whole byte, so that the parts can be put one after another; the checksum
of the whole is made of those of the parts. Source: RFC 1950 to 1952; Adler, "combining checksums" in zlib.
"""

from __future__ import annotations

import zlib
from typing import IO

HEADERS = {"gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\xff", "zlib": b"\x78\x9c"}
"""What comes before the deflated data: no name, no time, so that equal data give equal files."""

EMPTY = {"gzip": 0, "zlib": 1}
"""Checksums of nothing: CRC-32 and Adler-32."""

_LAST = b"\x03\x00"  # a last block of deflate without content
_ADLER = 65521
_CRC = 0xEDB88320  # the polynomial of CRC-32, reflected


class Deflater:
    """Deflates what is written into `stream`, and keeps `check` and `length` of it."""

    def __init__(self, stream: IO[bytes], form: str) -> None:
        self.form, self.check, self.length = form, EMPTY[form], 0
        self._stream = stream
        self._machine = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._sum = zlib.crc32 if form == "gzip" else zlib.adler32

    def write(self, data: bytes) -> None:
        """Deflate `data`."""
        self._stream.write(self._machine.compress(data))
        self.check = self._sum(data, self.check)
        self.length += len(data)

    def close(self) -> None:
        """Come to the end of a byte; the stream stays open."""
        self._stream.write(self._machine.flush(zlib.Z_FULL_FLUSH))


def trailer(form: str, check: int, length: int) -> bytes:
    """What comes after the deflated data: the last block, the checksum, and for GZIP the length."""
    if form == "zlib":
        return _LAST + check.to_bytes(4, "big")
    return _LAST + check.to_bytes(4, "little") + (length & 0xFFFFFFFF).to_bytes(4, "little")


def combine(form: str, first: int, second: int, length: int) -> int:
    """The checksum of two pieces one after the other, from those of each and the `length` of the second."""
    if form == "gzip":
        return _product(_power(length), first) ^ second
    low = (first & 0xFFFF) + (second & 0xFFFF) - 1
    high = (first >> 16) + (second >> 16) + length * ((first & 0xFFFF) - 1)
    return high % _ADLER << 16 | low % _ADLER


def _power(length: int) -> int:
    """x to the power of 8 * `length` modulo the polynomial: what `length` more bytes do to a CRC."""
    result, square = 1 << 31, 1 << 23
    while length:
        if length & 1:
            result = _product(result, square)
        square = _product(square, square)
        length >>= 1
    return result


def _product(a: int, b: int) -> int:
    """The product of two polynomials modulo that of CRC-32, bits reflected."""
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (_CRC if b & 1 else 0)
    return product
