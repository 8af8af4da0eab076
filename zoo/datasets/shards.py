"""Sets of several files of like size: parts that roll over to a next file, and the numbered files they become."""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO

from zoo.datasets.streams import part_path
from zoo.errors import UsageError

_NAME = re.compile(r"[\w][\w.-]*")
_BUFFER = 1 << 18


def checked_name(name: str) -> str:
    """`name`, if it can begin the names of files. Raises `UsageError`."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"Option name takes letters, digits, dots, hyphens and underscores, not {name!r}.")
    return name


class PartFiles:
    """The files of the part of unit `number`: a new one is begun after every `shard` samples (0: there is only one)."""

    def __init__(self, work: Path, number: int, shard: int) -> None:
        self._work, self._number, self._shard = work, number, shard
        self._samples = 0
        self.paths: list[Path] = []
        self.stream = self._open()

    def count(self) -> bool:
        """Count a sample that is about to be written; true when it belongs into the next file, so that the caller
        completes this one and calls `roll` first."""
        full = 0 < self._shard <= self._samples
        self._samples += 1
        return full

    def roll(self) -> None:
        """Close the file and begin the next one."""
        self.stream.close()
        self.stream, self._samples = self._open(), 1

    def _open(self) -> IO[bytes]:
        self.paths.append(part_path(self._work, self._number, f"-{len(self.paths)}"))
        return self.paths[-1].open("wb", buffering=_BUFFER)


class Shards:
    """The files of a set in the order in which they were taken, in `folder`, named ``NAME-000000SUFFIX`` and so on.

    Taking the same file again after `restore` gives the same names, so that a run that was killed can go on.
    """

    def __init__(self, folder: Path, name: str, suffix: str, digits: int = 6) -> None:
        self._folder, self._name, self._suffix, self._digits = folder, checked_name(name), suffix, digits
        self.count = 0

    def take(self, work: Path, number: int, files: int) -> None:
        """Move the `files` files of the part of unit `number` into the set."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for index in range(files):
            part_path(work, number, f"-{index}").replace(self.path(self.count))
            self.count += 1

    def restore(self, count: int) -> None:
        """Go back to `count` files."""
        self.count = count
        for path in self._folder.glob(f"{self._name}-*{self._suffix}"):
            digits = path.name[len(self._name) + 1 :].partition(".")[0]
            if digits.isdigit() and int(digits) >= count:
                path.unlink()

    def path(self, index: int) -> Path:
        """The file number `index`."""
        return self._folder / f"{self._name}-{index:0{self._digits}d}{self._suffix}"

    def name_totals(self) -> None:
        """Rename all files to ``NAME-00000-of-00010SUFFIX``, as TensorFlow's programs do. Can be done again."""
        for index in range(self.count):
            old = self.path(index)
            if old.exists():
                total = f"-of-{self.count:0{self._digits}d}{self._suffix}"
                old.rename(old.with_name(old.name.removesuffix(self._suffix) + total))
