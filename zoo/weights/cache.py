"""The folder that keeps verified files, ordered by their hash."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from zoo.errors import WeightsError, ZooError
from zoo.specs import WeightFile
from zoo.weights.hashes import HashMemory, mismatch
from zoo.weights.parts import Part, fill, require_space

_HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[\w+=@-][\w.+=@ -]*")


class Cache:
    """Verified files under `folder`, which need not exist: ``<sha256>/<name>``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts = folder / "parts"
        self.hashes = HashMemory(folder / "hashes.json")

    def get(self, file: WeightFile) -> Path | None:
        """The kept copy of `file`; None when there is none. Raises `WeightsError` when the copy is damaged."""
        damaged: WeightsError | None = None
        preferred = self._place(file)
        for path in sorted(self._files(preferred.parent), key=lambda each: (each != preferred, each.name)):
            try:
                if (actual := self.hashes.sha256(path)) == file.sha256:
                    return path
                damaged = WeightsError(f"the copy at {path} is damaged: {mismatch(file.sha256, actual)}")
            except OSError as error:
                damaged = WeightsError(f"the copy at {path} cannot be read: {error.strerror}")
        if damaged:
            raise damaged
        return None

    def put(self, file: WeightFile, chunks: Iterable[bytes]) -> Path:
        """Keep what `chunks` give as `file`. Raises `WeightsError`, keeping nothing, when it is not that file."""
        require_space(self.folder, file.size)
        with Part.create(self.parts, file.sha256) as part:
            try:
                fill(part, chunks)
                return self.install(file, part)
            finally:
                part.discard()

    def install(self, file: WeightFile, part: Part) -> Path:
        """Move the finished `part` to its place as `file`. Raises `WeightsError` with both hashes on a mismatch."""
        target = self._place(file)
        if part.sha256 != file.sha256:
            raise mismatch(file.sha256, part.sha256)
        try:
            part.install(target)
        except ZooError:
            # Some systems replace no file that another process reads; then that file is this very one already.
            if target.is_file() and self.hashes.sha256(target) == file.sha256:
                return target
            raise
        self.hashes.remember(target, file.sha256)
        return target

    def entries(self) -> Iterator[tuple[str, Path]]:
        """The expected hash and the path of every file that is kept."""
        if self.folder.is_dir():
            for folder in sorted(self.folder.iterdir()):
                if _HASH.fullmatch(folder.name) and not folder.is_symlink():
                    yield from ((folder.name, path) for path in self._files(folder))

    def _place(self, file: WeightFile) -> Path:
        return self.folder / file.sha256 / file.name

    @staticmethod
    def _files(folder: Path) -> list[Path]:
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def require_plain(file: WeightFile) -> None:
    """Raise `WeightsError` when the name or the hash of `file`, which become parts of paths, are not such."""
    plain_name(file.name)
    if not _HASH.fullmatch(file.sha256):
        raise WeightsError(f"The sha256 of {file.name} on its card is {file.sha256!r}, not 64 lower-case hex digits.")


def plain_name(name: str) -> str:
    """`name`, when it names a file and nothing but a file. Raises `WeightsError` for a path, or a hidden file."""
    if not _NAME.fullmatch(name):
        raise WeightsError(f"{name!r} cannot be the name of a model or of its file; use letters, digits, '.-_+=@'.")
    return name
