"""The archives of a set: one, those of a folder, or those that a pattern with braces names."""

from __future__ import annotations

import re
from pathlib import Path

from zoo.datasets.windows import Window
from zoo.errors import InputError

SUFFIXES = (".tar", ".tar.gz", ".tgz")
MOST = 1_000_000
"""Most archives that a pattern may name."""

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")


def files(path: Path) -> list[Path]:
    """The archives in order. A folder gives its ``*.tar``, ``*.tar.gz`` and ``*.tgz`` sorted by name, a name like
    ``data-{000000..000009}.tar`` ten archives. Raises `InputError` when there are none."""
    if path.is_dir():
        found = sorted(child for child in path.iterdir() if _is_named_so(child) and child.is_file())
        if not found:
            raise InputError(f"{path} has no file named *.tar.")
        return found
    if not path.exists() and _BRACES.search(path.name):
        return _expanded(path)
    return [path]


def _is_named_so(path: Path) -> bool:
    return path.name.endswith(SUFFIXES) and not path.name.startswith(".")


def _expanded(path: Path) -> list[Path]:
    names = [path.name]
    while found := _BRACES.search(names[0]):
        first, last = int(found[1]), int(found[2])
        if last < first or (last - first + 1) * len(names) > MOST:
            raise InputError(f"{path} is a pattern for no archive, or for more than {MOST:,}.")
        digits = [f"{number:0{len(found[1])}d}" for number in range(first, last + 1)]
        names = [_BRACES.sub(text, name, count=1) for name in names for text in digits]
    return [path.with_name(name) for name in names]


def is_compressed(path: Path) -> bool:
    """Whether an archive is inside GZIP. Raises `InputError` when it cannot be read."""
    with Window(path) as window:
        return window.fill(0, 2)[:2] == b"\x1f\x8b"


def window(path: Path, offset: int = 0) -> Window:
    """A window on an archive; on what was inflated where it is compressed (then from its beginning)."""
    inflate = is_compressed(path)
    return Window(path, 0 if inflate else offset, inflate)
