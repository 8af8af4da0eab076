"""Recognising verification sets by the head of a pickle, or by the list in a folder."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from zoo import safepickle
from zoo.errors import InputError
from zoo_verification.lists import NAMES, find, rows

_HEAD = 1024
_IMAGES = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n",
    "\xff\xd8\xff".encode(),
    "\x89PNG\r\n".encode(),
    rb"\xff\xd8\xff",
    rb"\x89PNG",
)
"""How JPEG and PNG begin: as bytes, as Latin-1 text in UTF-8 (Python 3, protocols 1 and 2), and as escapes."""


def bin_file(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a verification ``.bin``, from 0 to 1, and why."""
    if path.is_dir():
        return 0.0, "is a folder"
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        return 0.0, f"cannot be read: {error.strerror or error}"
    if not safepickle.begins(head):
        return 0.0, "does not begin like a pickle of a list"
    if not any(magic in head for magic in _IMAGES):
        return (0.3 if path.suffix == ".bin" else 0.1), "begins like a pickle of a list, but not of images"
    named = path.suffix.lower() == ".bin"
    return (0.95 if named else 0.8), "begins like a pickle of a list of images" + (
        " and is named .bin" if named else ""
    )


def pairs_folder(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a folder with a list of pairs (or that list), from 0 to 1, and why."""
    file = find(path, "") if path.is_dir() else path if path.name in NAMES else None
    if file is None:
        return 0.0, f"has no {' and no '.join(NAMES)}" if path.is_dir() else f"is not called {' or '.join(NAMES)}"
    try:
        first = next(islice(rows(file), 1), None)
    except InputError as error:
        return 0.0, str(error).rstrip(".")
    if first is None or len(first) != 3:
        return 0.2, f"has a {file.name}, which begins with no pair"
    return 0.95, f"{'has' if path.is_dir() else 'is'} a {file.name} that begins with a pair"
