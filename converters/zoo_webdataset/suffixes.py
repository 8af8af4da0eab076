"""What the members of a sample are, by the suffix of their names."""

from __future__ import annotations

IMAGES = {
    b"jpg": "jpeg", b"jpeg": "jpeg", b"png": "png", b"webp": "webp", b"gif": "gif", b"bmp": "bmp", b"tif": "tiff",
    b"tiff": "tiff", b"pbm": "pbm", b"pgm": "pgm", b"ppm": "ppm", b"bin": "",
}  # fmt: skip
"""Formats of images by suffix. An image whose format the zoo cannot tell is written as .bin."""

LABEL, DOCUMENT = b"cls", b"json"
UNDERSTOOD = frozenset((*IMAGES, LABEL, DOCUMENT))
"""Members with one of these make a sample."""
