"""Telling the folder formats apart by a few names of their files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from zoo.datasets.folders import is_image

_BESIDE = ("_bbox.txt", "_ldmks.txt", "_seg.png", ".npts", ".pts")
_LOOKED_AT = 500
_FOLDERS = 3
_NPTS = 1088


def identity_folders(path: Path) -> tuple[float, str]:
    """Folders with images in them, and nothing beside these."""
    folders = list(islice((name for name, is_folder in _list(path) if is_folder), _FOLDERS))
    if not folders:
        return 0.0, "no folders in it" if path.is_dir() else "no folder"
    inside = [name for folder in folders for name, _ in _list(path / folder)]
    if not any(_is_image(name) for name in inside):
        return 0.0, "no images in its folders"
    if any(name.endswith(_BESIDE) for name in inside) or (path / "label.txt").is_file():
        return 0.1, "folders of images, but with annotation beside them"
    if {"img", "ldmks", "images"} & set(folders):
        return 0.1, "folders of images, but not called after people"
    if any(_is_image(name) for name, is_folder in _list(path) if not is_folder):
        return 0.3, "folders of images, but other images beside them"
    return (0.7, "folders of images") if len(folders) > 1 else (0.4, "one folder of images")


def identity_list(path: Path) -> tuple[float, str]:
    """A label.txt of paths, tabs and identities."""
    head = _head(path / "label.txt")
    lines = [line.split(b"\t") for line in head.splitlines()[:20] if line.strip()]
    if not lines:
        return 0.0, "no label.txt"
    if all(len(words) == 2 and is_image(words[0].decode("latin-1")) for words in lines):
        return 0.95, "label.txt has an image, a tab and an identity a line"
    return 0.0, "label.txt has other lines than an image, a tab and an identity"


def boxes_landmarks(path: Path) -> tuple[float, str]:
    """Boxes, or 68 points, beside images."""
    names = _names(path)
    boxes = next((name for name in names if name.endswith("_bbox.txt")), "")
    points = next((name for name in names if name.endswith("_ldmks.txt")), "")
    if not (boxes or points) or not any(_is_image(name) for name in names):
        return 0.0, "no _bbox.txt or _ldmks.txt beside images"
    if points and _rows(path / points) == 70:
        return 0.1, f"{points} has the 70 points of FaceSynthetics"
    if boxes:
        return 0.9, f"{boxes} beside images"
    return (
        (0.2, "_ldmks.txt beside frames with masks")
        if _frames(names)
        else (0.6, f"{points} of {_rows(path / points)} points")
    )


def facesynthetics(path: Path) -> tuple[float, str]:
    """70 points, or masks, or the folders img and ldmks."""
    if (path / "img").is_dir() and (path / "ldmks").is_dir():
        return 0.95, "the folders img and ldmks"
    names = _names(path)
    points = next((name for name in names if name.endswith("_ldmks.txt")), "")
    if not points or not any(_is_image(name) for name in names):
        return 0.0, "no _ldmks.txt beside images"
    if _rows(path / points) == 70:
        return 0.95, f"{points} has 70 points"
    if any(name.endswith("_bbox.txt") for name in names):
        return 0.2, "_ldmks.txt, but boxes beside it"
    return (0.8, "_ldmks.txt beside frames with masks") if _frames(names) else (0.4, f"{points} beside images")


def npts(path: Path) -> tuple[float, str]:
    """Files of 68 pairs of doubles."""
    found = next((name for name in _names(path) if name.endswith(".npts")), "")
    if not found:
        return 0.0, "no .npts in it"
    try:
        good = (path / found).stat().st_size == _NPTS
    except OSError:
        good = False
    return (
        (0.95, f"{found} has the {_NPTS} bytes of 68 points") if good else (0.3, f"{found}, but not of {_NPTS} bytes")
    )


def _list(folder: Path) -> Iterator[tuple[str, bool]]:
    """A few (name, whether it is a folder) of what is in a folder, nothing where there is none."""
    try:
        with os.scandir(folder) as entries:
            yield from ((e.name, e.is_dir()) for e in islice(entries, _LOOKED_AT) if not e.name.startswith("."))
    except OSError:
        return


def _names(folder: Path) -> list[str]:
    return sorted(name for name, is_folder in _list(folder) if not is_folder)


def _is_image(name: str) -> bool:
    return is_image(name) and not name.endswith("_seg.png")


def _frames(names: list[str]) -> bool:
    return any(name.endswith("_seg.png") for name in names)


def _head(path: Path) -> bytes:
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as stream:
            return stream.read(8192)
    except OSError:
        return b""


def _rows(path: Path) -> int:
    return sum(1 for line in _head(path).splitlines() if line.strip())
