"""Which files make a set of several: those of a folder that are named so, or those that a name with braces means."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from zoo.errors import InputError

MOST = 1_000_000
"""Most files that a name with braces may stand for."""

_BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")


def expanded(path: Path) -> list[Path]:
    """What `path` stands for: itself when it is there or has no braces, otherwise a file for each number, as in
    ``data-{000000..000009}.tar``. Raises `InputError` for a range that ends before it begins, or is too long."""
    names = [path.name]
    while (found := _BRACES.search(names[0])) and not path.exists():
        first, last = int(found[1]), int(found[2])
        if last < first or (last - first + 1) * len(names) > MOST:
            raise InputError(f"{path} stands for no file, or for more than {MOST:,}; mend the range in the braces.")
        digits = [f"{number:0{len(found[1])}d}" for number in range(first, last + 1)]
        names = [_BRACES.sub(text, name, count=1) for name in names for text in digits]
    return [path.with_name(name) for name in names]


def exists(path: Path) -> bool:
    """Whether there is a file or folder `path`, or the first one that a name with braces stands for."""
    return path.exists() or (_BRACES.search(path.name) is not None and expanded(path)[0].exists())


def files(path: Path, fits: Callable[[str], bool], called: str) -> list[Path]:
    """The files of the set at `path`: of a folder those whose names `fits` takes, sorted by name; of others what
    `expanded` gives. Raises `InputError` when a folder has none; `called` says what they are called there."""
    if not path.is_dir():
        return expanded(path)
    try:
        found = sorted(child for child in path.iterdir() if fits(child.name) and child.is_file())
    except OSError as error:
        raise InputError(f"The folder {path} cannot be listed: {error.strerror or error}.") from None
    if not found:
        raise InputError(f"{path} has no file named {called}; name the folder that has them, or one of them.")
    return found


def stamp(path: Path) -> list[int]:
    """The size in bytes and the latest time of change, in nanoseconds, of what `path` stands for: they differ when it
    was changed. Raises `OSError` when something is not there."""
    states = [file.stat() for file in expanded(path)]
    return [sum(state.st_size for state in states), max(state.st_mtime_ns for state in states)]
