"""Files that grow part by part: what the writers of single files share."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import IO, Any

from zoo.errors import ZooError

CHUNK = 1 << 18


class Growing:
    """A file to which finished parts are appended. It can be cut back to an earlier size, so that a run that was killed
    between two appends can go on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: IO[bytes] | None = None
        self._hash: Any = None  # made when the file is opened, because a writer is sent to other processes before
        self._hashed = 0

    @property
    def size(self) -> int:
        """Its size in bytes. What is buffered is handed to the operating system first, so that a process that is killed
        afterwards leaves a file of at least this size."""
        if self._stream is not None:
            self._stream.flush()
            return self._stream.tell()
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def sha256(self) -> str | None:
        """Its SHA-256, taken while it grew; None where it was cut back, because then not all of it was seen."""
        return self._hash.hexdigest() if self._hash and self._hashed == self.size else None

    def append(self, part: Path) -> int:
        """Append the file `part` and remove it; gives the offset at which it begins."""
        offset = self._open().tell()
        buffer = memoryview(bytearray(CHUNK))  # one for all: new memory for each piece costs as much as the copying
        with part.open("rb", buffering=0) as source:
            while count := source.readinto(buffer):
                self._add(buffer[:count])
        part.unlink()
        return offset

    def write(self, data: bytes) -> int:
        """Append `data`; gives the offset at which it begins."""
        offset = self._open().tell()
        self._add(data)
        return offset

    def cut(self, size: int) -> None:
        """Cut the file back to `size` bytes. Raises `ZooError` when it has fewer: truncating would fill up with zeros
        what was lost."""
        self.close()
        self._hash, self._hashed = None, 0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as stream:
            if (found := stream.seek(0, os.SEEK_END)) < size:
                raise ZooError(
                    f"{self.path} has {found} bytes where {size} were written; run without --resume to start anew."
                )
            stream.truncate(size)

    def close(self) -> None:
        """Close the file; `append` opens it again."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _add(self, data: bytes | memoryview) -> None:
        self._open().write(data)
        self._hash.update(data)
        self._hashed += len(data)

    def _open(self) -> IO[bytes]:
        if self._stream is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self.path.open("ab")
            self._hash = self._hash or hashlib.sha256()
        return self._stream


def part_path(work: Path, number: int, suffix: str = "") -> Path:
    """Where the part of unit `number` keeps its file; its folder is made."""
    folder = work / "parts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{number:08d}{suffix}"
