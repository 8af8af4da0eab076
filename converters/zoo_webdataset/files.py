"""The archives of a set, and whether one is compressed."""

from __future__ import annotations

from pathlib import Path

from zoo.datasets import patterns
from zoo.datasets.windows import Window

SUFFIXES = (".tar", ".tar.gz", ".tgz")


def files(path: Path) -> list[Path]:
    """The archives in order (see `zoo.datasets.patterns.files`). Raises `InputError` when there are none."""
    return patterns.files(path, _is_named_so, "*.tar, *.tar.gz or *.tgz")


def _is_named_so(name: str) -> bool:
    return name.endswith(SUFFIXES) and not name.startswith(".")


def is_compressed(path: Path) -> bool:
    """Whether an archive is inside GZIP. Raises `InputError` when it cannot be read."""
    with Window(path) as window:
        return window.fill(0, 2)[:2] == b"\x1f\x8b"


def window(path: Path, offset: int = 0) -> Window:
    """A window on an archive; on what was inflated where it is compressed (then from its beginning)."""
    return Window(path, offset, is_compressed(path))
