"""Image files to pixels and back.

A file is looked at before it is decoded: its header says what it is and how large, so that a file of a few bytes that
announces gigabytes, a text renamed ``.jpg`` and a half-downloaded photograph are refused with one sentence, before
memory is taken and without the decoder's own messages on the terminal. Pixels are always (H, W, 3) uint8 in the order
blue, green, red, turned as the EXIF orientation says. What OpenCV's own readers do with the rest is kept, because the
published models were evaluated that way: grey becomes three equal channels, an alpha channel is dropped (not blended),
16 bits become the upper 8, and of an animation or a document of several pages the first picture is taken.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zoo.drawing import draw as draw
from zoo.errors import InputError, UsageError
from zoo.types import Image

MAX_PIXELS = 100_000_000
"""Largest image that is decoded, in pixels (300 MB of memory); the variable ``ZOO_MAX_PIXELS`` replaces it."""

_PNM_SUFFIXES = (".pbm", ".pgm", ".pnm", ".ppm")
SUFFIXES = frozenset(
    (".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp", *_PNM_SUFFIXES)
)
"""Lower-case file suffixes under which images are looked for in folders."""

WRITABLE = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"))
"""Lower-case file suffixes that `encode` can write for colour images."""

_KNOWN = "PNG, JPEG, GIF, BMP, WebP, TIFF or PNM"
_HEAD = 64

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # what is wrong is said by the errors raised here


@dataclass(frozen=True)
class Header:
    """What a file's first bytes say: its format's name, and the stored size in pixels (before EXIF orientation).
    A size of 0 x 0 means that the header is cut off."""

    format: str
    width: int = 0
    height: int = 0


def header(data: bytes) -> Header | None:
    """The header of an encoded image, read without decoding; None when the first bytes are of no known format."""
    for magic, name, read_size in _FORMATS:
        if magic.match(data):
            try:
                width, height = read_size(data)
            except (struct.error, IndexError, ValueError):
                return Header(name)
            return Header(name, width, height)
    return None


def image_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels as stored (before EXIF orientation), or None when `data` begins like no known image."""
    found = header(data)
    return (found.width, found.height) if found else None


def pixel_limit() -> int:
    """The largest number of pixels that is decoded: ``ZOO_MAX_PIXELS`` where it is set, else `MAX_PIXELS`."""
    text = os.environ.get("ZOO_MAX_PIXELS", "")
    try:
        return int(float(text)) if text else MAX_PIXELS
    except (ValueError, OverflowError):
        raise UsageError(f"ZOO_MAX_PIXELS must be a number of pixels, not {text!r}.") from None


def decode(data: bytes, where: str = "image", max_pixels: int | None = None) -> Image:
    """The pixels of an encoded image: (H, W, 3) uint8 BGR, turned as its EXIF orientation says.

    `where` names the image in errors. Raises `InputError` when it is empty, no image, larger than `max_pixels`
    (default `pixel_limit`), cut off or damaged; all but damage inside the pixel data is found without decoding.
    """
    found = check(data, where, max_pixels)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{where} is a truncated or damaged {found.format} file.")
    return image  # type: ignore[return-value]


def check(data: bytes, where: str = "image", max_pixels: int | None = None) -> Header:
    """The header of an encoded image that has everything a whole file has, found without decoding it.

    Raises `InputError` for what `decode` refuses, all but damage inside the pixel data.
    """
    limit = pixel_limit() if max_pixels is None else max_pixels
    if not data:
        raise InputError(f"{where} is empty.")
    found = header(data)
    if found is None:
        raise InputError(f"{where} is not an image that the zoo can read ({_KNOWN}).")
    if found.width * found.height > limit:
        raise InputError(
            f"{where} has {found.width} x {found.height} pixels, more than the limit of {limit:,}; "
            "set ZOO_MAX_PIXELS to allow it."
        )
    if not _complete(data, found):
        raise InputError(f"{where} is a truncated or damaged {found.format} file.")
    return found


def _complete(data: bytes, found: Header) -> bool:
    if found.width <= 0 or found.height <= 0:
        return False
    if found.format == "JPEG":
        return _jpeg_is_complete(data)
    return _png_is_complete(data) if found.format == "PNG" else True


def read(path: Path, where: str = "") -> Image:
    """The pixels of an image file, as `decode` gives them; `where` names it in errors (default its path).

    Raises `InputError`, also when the file cannot be read. A large file that is no image is not read to its end.
    """
    where = where or str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(_HEAD)
            if header(data):
                data += stream.read()
    except OSError as error:
        raise InputError(f"{where} cannot be read: {error.strerror or error}.") from None
    return decode(data, where)


def encode(image: Image, suffix: str, quality: int = 95) -> bytes:
    """`image` as the bytes of a file with `suffix` (one of `WRITABLE`). `quality` 1..100 is for JPEG and WebP.

    Raises `InputError` when the format cannot hold the image.
    """
    parameters = {".webp": [cv2.IMWRITE_WEBP_QUALITY, quality], ".png": [cv2.IMWRITE_PNG_COMPRESSION, 1]}
    chosen = parameters.get(suffix.lower(), [cv2.IMWRITE_JPEG_QUALITY, quality])
    with contextlib.suppress(cv2.error):
        good, data = cv2.imencode(suffix, image, chosen)
        if good:
            return data.tobytes()
    height, width = image.shape[:2]
    raise InputError(f"An image of {width} x {height} pixels cannot be written as {suffix}.")


def as_image(array: NDArray[Any], where: str = "image") -> Image:
    """A user's array as (H, W, 3) uint8 BGR.

    Accepts uint8 or uint16 (the upper 8 bits are taken) of shape (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA
    (the alpha channel is dropped). Raises `InputError` for every other type or shape.
    """
    if array.dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"{where} is an array of {array.dtype}; give uint8 values from 0 to 255, channels in BGR order."
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)) or not array.size:
        raise InputError(f"{where} is an array of shape {array.shape}; give (height, width, 3) in BGR order.")
    bytes_ = (array >> 8).astype(np.uint8) if array.dtype == np.uint16 else array
    planes = bytes_.reshape(*bytes_.shape[:2], -1)
    wide = np.repeat(planes, 3, axis=2) if planes.shape[2] == 1 else planes[:, :, :3]
    return np.ascontiguousarray(wide, dtype=np.uint8)


def _png_size(data: bytes) -> tuple[int, int]:
    return struct.unpack_from(">4xII", data, 12)


def _png_is_complete(data: bytes) -> bool:
    """Whether the chunks follow one another with right checksums as far as the end chunk."""
    position, view = 8, memoryview(data)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data) or zlib.crc32(view[position + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            return False
        if kind == b"IEND":
            return True
        position = end
    return False


_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF markers; the three others are DHT, JPG and DAC
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length: TEM, RST0..7, SOI
_SCAN, _END = frozenset({0xDA}), b"\xff\xd9"
_MARKER = re.compile(rb"\xff([^\x00\xff])", re.DOTALL)
_MOST_SEGMENTS = 10_000


def _jpeg_segment(data: bytes, wanted: frozenset[int]) -> int:
    """Where the body of the first segment with a marker in `wanted` begins. Raises ValueError when there is none, or
    none among so many segments that the file can only have been made to keep a reader busy."""
    position = 2
    for _ in range(_MOST_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None:
            break
        marker, position = found[1][0], found.end()
        if marker in wanted:
            return position
        if marker not in _BARE:
            position += max(2, int.from_bytes(data[position : position + 2], "big"))
    raise ValueError("no such segment")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    height, width = struct.unpack_from(">HH", data, _jpeg_segment(data, _FRAMES) + 3)
    return width, height


def _jpeg_is_complete(data: bytes) -> bool:
    """Whether the end marker follows the pixel data. It is looked for after the header, where a thumbnail has one of
    its own; what stands behind it (a second picture, a motion photo's video) does not matter."""
    try:
        return data.rfind(_END, _jpeg_segment(data, _SCAN)) >= 0
    except ValueError:
        return False


def _gif_size(data: bytes) -> tuple[int, int]:
    return struct.unpack_from("<HH", data, 6)


def _bmp_size(data: bytes) -> tuple[int, int]:
    if int.from_bytes(data[14:18], "little") == 12:  # the header of OS/2 has 16-bit sizes
        return struct.unpack_from("<HH", data, 18)
    width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)  # negative: rows from top to bottom


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":  # 24 bits each, less one
        return 1 + int.from_bytes(data[24:27], "little"), 1 + _byte_triple(data, 27)
    if kind == b"VP8L":  # 14 bits each, less one
        bits = struct.unpack_from("<I", data, 21)[0]
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _byte_triple(data: bytes, offset: int) -> int:
    if len(data) < offset + 3:
        raise ValueError("cut off")
    return int.from_bytes(data[offset : offset + 3], "little")


def _tiff_size(data: bytes) -> tuple[int, int]:
    """Width (tag 256) and height (tag 257) of the first directory."""
    order = "<" if data[:2] == b"II" else ">"
    directory = struct.unpack_from(f"{order}I", data, 4)[0]
    count = struct.unpack_from(f"{order}H", data, directory)[0]
    sizes = {}
    for entry in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if tag in (256, 257):  # kind 3 is 16 bits, kind 4 is 32 bits
            sizes[tag] = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, entry + 8)[0]
    return sizes.get(256, 0), sizes.get(257, 0)


def _pnm_size(data: bytes) -> tuple[int, int]:
    """The first two numbers after the magic; a comment goes from ``#`` to the end of its line."""
    words: list[bytes] = []
    for line in data[2:1024].split(b"\n"):
        words += line.split(b"#")[0].split()
    return int(words[0]), int(words[1])


_FORMATS: tuple[tuple[re.Pattern[bytes], str, Callable[[bytes], tuple[int, int]]], ...] = tuple(
    (re.compile(magic, re.DOTALL), name, read_size)
    for magic, name, read_size in (
        (rb"\xff\xd8\xff", "JPEG", _jpeg_size),
        (rb"\x89PNG\r\n\x1a\n", "PNG", _png_size),
        (rb"GIF8[79]a", "GIF", _gif_size),
        (rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", "BMP", _bmp_size),  # the header sizes there are
        (rb"RIFF.{4}WEBP", "WebP", _webp_size),
        (rb"II\*\0|MM\0\*", "TIFF", _tiff_size),
        (rb"P[1-6]\s", "PNM", _pnm_size),
    )
)
