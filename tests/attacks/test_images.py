"""Image files made to do harm: they cost neither memory nor time, and never more than one sentence."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
import zlib

import cv2
import numpy as np
import pytest

from tests.converters.driving import mutations
from zoo import images
from zoo.errors import InputError

SIDE = 30_000


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bomb() -> bytes:
    """A whole PNG of 30,000 x 30,000 pixels in 3 MB: a row of zeros deflates to nearly nothing."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + SIDE // 8)
    body = b"".join(packer.compress(row) for _ in range(SIDE)) + packer.flush()
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def bombs() -> dict[str, bytes]:
    size = struct.pack("<HH", SIDE, SIDE)
    sof = b"\xff\xc0\0\x11\x08" + struct.pack(">HH", SIDE, SIDE) + b"\3\1\x22\0\2\x11\1\3\x11\1"
    entries = struct.pack("<HHHII", 2, 256, 4, 1, SIDE) + struct.pack("<HHII", 257, 4, 1, SIDE)
    return {
        "png": png_bomb(),
        "jpeg": b"\xff\xd8" + sof + b"\xff\xda\0\2\xff\xd9",
        "gif": b"GIF89a" + size + b"\0\0\0;",
        "bmp": b"BM" + bytes(12) + struct.pack("<Iii", 40, SIDE, -SIDE) + bytes(28),
        "webp": b"RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + struct.pack("<I", SIDE - 1)[:3] * 2,
        "tiff": b"II*\0" + struct.pack("<I", 8) + entries + bytes(4),
        "pnm": b"P6 # made to burst\n%d %d 255\n" % (SIDE, SIDE),
    }


@pytest.mark.parametrize("name", bombs())
def test_a_header_bomb_is_refused_at_once(name: str) -> None:
    data = bombs()[name]
    started = time.perf_counter()
    with pytest.raises(InputError, match=f"{SIDE} x {SIDE} pixels, more than the limit"):
        images.decode(data)
    assert time.perf_counter() - started < 0.05


def test_a_bomb_takes_no_memory() -> None:
    resource = pytest.importorskip("resource")
    del resource
    script = """
import resource, sys
from zoo import images
from zoo.errors import InputError
data = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    images.decode(data)
except InputError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script], input=png_bomb(), capture_output=True, check=True)
    unit = 1024 if sys.platform != "darwin" else 1
    assert int(done.stdout) * unit < 20e6


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".webp", ".tif", ".bmp", ".ppm"])
def test_a_file_cut_at_any_byte_gives_an_error_or_an_image(suffix: str) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (9, 11, 3), np.uint8)
    data = cv2.imencode(suffix, noise)[1].tobytes()
    for end in range(len(data)):
        try:
            assert images.decode(data[:end]).shape == (9, 11, 3)
        except InputError as error:
            assert str(error).count("\n") == 0


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".webp", ".tif", ".bmp", ".ppm"])
def test_flipped_bytes_give_an_error_or_an_image(suffix: str) -> None:
    random = np.random.default_rng(2)
    data = cv2.imencode(suffix, random.integers(0, 255, (9, 11, 3), np.uint8))[1].tobytes()
    for damaged in mutations(data, 300, seed=2):
        try:
            image = images.decode(damaged, max_pixels=1_000_000)
            assert image.ndim == 3 and image.dtype == np.uint8
        except InputError as error:
            assert str(error).count("\n") == 0


@pytest.mark.parametrize("filler", [b"\xff\x01", b"\xff\xe0\0\2", b"\xff", b"\xff\0", b"\0"])
def test_a_jpeg_that_never_gets_to_its_pixels_is_given_up_soon(filler: bytes) -> None:
    data = b"\xff\xd8\xff" + filler * (20_000_000 // len(filler))
    started = time.perf_counter()
    with pytest.raises(InputError):
        images.decode(data)
    assert time.perf_counter() - started < 2
