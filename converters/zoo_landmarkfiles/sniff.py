"""Telling .pts folders and dlib's XML from other things."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path

_LOOKED_AT = 500
_DATASET = re.compile(rb"<dataset[\s>]")
_IMAGE = re.compile(rb"<image\s+file\s*=")


def pts(path: Path) -> tuple[float, str]:
    """A .pts file that counts its points."""
    try:
        with os.scandir(path) as entries:
            found = sorted(entry.name for entry in islice(entries, _LOOKED_AT) if entry.name.endswith(".pts"))
    except OSError:
        return 0.0, "no folder"
    if not found:
        return 0.0, "no .pts in it"
    if b"n_points" in _head(path / found[0]):
        return 0.95, f"{found[0]} says n_points"
    return 0.2, f"{found[0]}, but without n_points"


def dlib_xml(path: Path) -> tuple[float, str]:
    """A dataset of images, as imglab writes it."""
    head = _head(path / "dataset.xml" if path.is_dir() else path)
    if not _DATASET.search(head):
        return 0.0, "no <dataset> in XML"
    return (0.95, "<dataset> with <image file=") if _IMAGE.search(head) else (0.5, "<dataset> in XML")


def _head(path: Path) -> bytes:
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as stream:
            return stream.read(1 << 16)
    except OSError:
        return b""
