"""Recognising WebDataset archives by the names of their first members."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from zoo.errors import InputError
from zoo_webdataset import files
from zoo_webdataset.members import Group, groups
from zoo_webdataset.suffixes import DOCUMENT, IMAGES, LABEL

_LOOKED_AT = 16


def sniff(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a set of WebDataset archives, from 0 to 1, and why."""
    if path.is_file() and not path.name.endswith((*files.SUFFIXES, ".tar.part")) and not _has_magic(path):
        return 0.0, "is no tar archive"
    try:
        first = files.files(path)[0]
        with files.window(first) as window:
            found = list(islice(groups(window, contents=False), _LOOKED_AT))
    except InputError as error:
        return 0.0, str(error)
    return _judge([group for group in found if not group.why])


def _has_magic(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(262)[257:262] == b"ustar"
    except OSError:
        return False


def _judge(found: list[Group]) -> tuple[float, str]:
    pictured = [group for group in found if group.parts.keys() & IMAGES.keys()]
    said = [group for group in found if group.parts.keys() & {LABEL, DOCUMENT}]
    if pictured and len(said) * 2 >= len(found):
        return 0.95, "is a tar of images with .cls or .json members of the same names"
    if found and all(DOCUMENT in group.parts for group in found):
        return 0.7, "is a tar of .json members without images"
    if pictured:
        return 0.55, "is a tar of images, without .cls or .json members"
    return 0.0, "is no tar with images"
