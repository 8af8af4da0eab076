"""Files on their way into the cache: each belongs to one process, and outlives it only to be continued."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from zoo.errors import ZooError
from zoo.files import CHUNK

SUFFIX = ".part"


class Part:
    """A file that grows, and its hash.

    Who holds the lock on the file owns it. The operating system frees the lock when a process dies, however it dies,
    so that a part that can be locked is one that a dead process has left; a process id alone could mean another
    process by then, or one in another container.
    """

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self.path = path
        self.size = 0
        self._stream = stream
        self._hash = hashlib.sha256()

    @classmethod
    def create(cls, folder: Path, key: str) -> Part:
        """An empty part of this process in `folder`. Raises `ZooError` when the folder cannot be written."""
        path = folder / f"{key}.{os.getpid()}-{uuid.uuid4().hex[:8]}{SUFFIX}"
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            stream = path.open("x+b", buffering=0)
        _lock(stream)
        return cls(path, stream)

    @classmethod
    def resume(cls, folder: Path, key: str) -> Part:
        """The part for `key` that a dead process has left, hashed so far, else an empty one."""
        for path in sorted(folder.glob(f"{key}.*{SUFFIX}")):
            if (stream := _claim(path)) is not None:
                part = cls(path, stream)
                part._reread()
                return part
        return cls.create(folder, key)

    @property
    def sha256(self) -> str:
        """The hash of all that was written so far, as 64 hexadecimal digits."""
        return self._hash.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Append `chunk`. Raises `ZooError` when it cannot be written, for example because the disk is full."""
        with writing(self.path):
            remaining = memoryview(chunk)
            while remaining:
                remaining = remaining[self._stream.write(remaining) or 0 :]
        self._hash.update(chunk)
        self.size += len(chunk)

    def restart(self) -> None:
        """Forget what was written."""
        with writing(self.path):
            self._stream.seek(0)
            self._stream.truncate()
        self.size, self._hash = 0, hashlib.sha256()

    def install(self, target: Path) -> None:
        """Make the part the file `target`, at once. Raises `ZooError` when that cannot be."""
        with writing(target):
            # Else a power cut could leave a file of the right size, and of zeros.
            os.fsync(self._stream.fileno())
            if sys.platform == "win32":
                self._stream.close()
            target.parent.mkdir(parents=True, exist_ok=True)
            self.path.replace(target)

    def discard(self) -> None:
        """Remove the part."""
        if sys.platform == "win32":
            self._stream.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self._stream.close()

    def close(self) -> None:
        """Let go: an empty part is removed, one that holds something is left to be continued later."""
        if self.size:
            self._stream.close()
        else:
            self.discard()

    def __enter__(self) -> Part:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _reread(self) -> None:
        self._stream.seek(0)
        while chunk := self._stream.read(CHUNK):
            self._hash.update(chunk)
            self.size += len(chunk)


def dead_parts(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """The parts that no living process owns, each locked by this one until its stream is closed."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        if (stream := _claim(path)) is not None:
            yield path, stream


def _claim(path: Path) -> BinaryIO | None:
    """The part at `path`, locked; None when its process lives, or has just moved it into the cache."""
    try:
        stream = path.open("r+b", buffering=0)
    except OSError:
        return None
    if _lock(stream) and _is_at(stream, path):
        return stream
    stream.close()
    return None


def _is_at(stream: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except OSError:
        return False


def _lock(stream: BinaryIO) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            # A locked byte cannot be read there by others, so it lies far beyond every file's end.
            stream.seek(1 << 60)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
            stream.seek(0)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an `OSError` into a sentence about `path`."""
    try:
        yield
    except OSError as error:
        raise ZooError(
            f"Cannot write {path}: {error.strerror or error}; make room there, or set ZOO_CACHE to another folder."
        ) from error


def fill(part: Part, chunks: Iterable[bytes]) -> None:
    """Write all `chunks`."""
    for chunk in chunks:
        part.write(chunk)


def require_space(folder: Path, size: int) -> None:
    """Raise `ZooError` when the disk of `folder`, which need not exist yet, has no room for `size` bytes."""
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(existing).free
    if size > free:
        raise ZooError(
            f"No room in {folder}: {megabytes(size)} are needed and {megabytes(free)} are free; make room there, or "
            "set ZOO_CACHE to a folder on another disk."
        )


def megabytes(size: int) -> str:
    """`size` bytes for a person: ``1.7 MB``."""
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.1f} kB"
