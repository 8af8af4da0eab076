"""Hashes that were computed before, and what to say when one is not the expected one."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from zoo.errors import WeightsError, ZooError
from zoo.files import atomic_write, sha256


class HashMemory:
    """The hash of a file, computed once for each change of it.

    A file counts as unchanged while its size, its modification time and its status-change time are the same. What is
    lost of the memory, for example because two processes write it at once, is computed again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def sha256(self, file: Path, *, fresh: bool = False) -> str:
        """The SHA-256 of `file`; `fresh` reads the file whatever is remembered. Raises `OSError` when it cannot."""
        stamp = _stamp(file)
        known = {} if fresh else self._load()
        if (entry := known.get(str(file.resolve()))) and entry[0] == stamp:
            return entry[1]
        digest = sha256(file)
        if _stamp(file) == stamp:
            self._remember(file, stamp, digest)
        return digest

    def remember(self, file: Path, digest: str) -> None:
        """`digest` was computed while `file` was written."""
        self._remember(file, _stamp(file), digest)

    def _remember(self, file: Path, stamp: str, digest: str) -> None:
        known = {path: entry for path, entry in self._load().items() if Path(path).exists()}
        known[str(file.resolve())] = (stamp, digest)
        # A cache that may only be read works too, it is merely hashed each time.
        with contextlib.suppress(ZooError):
            atomic_write(self._path, json.dumps({"schema": 1, "hashes": known}))

    def _load(self) -> dict[str, tuple[str, str]]:
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
            return {path: (stamp, digest) for path, (stamp, digest) in document["hashes"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}


def _stamp(file: Path) -> str:
    status = file.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def mismatch(expected: str, actual: str) -> WeightsError:
    """The error that names both hashes."""
    return WeightsError(f"its sha256 is {actual}, expected {expected}")
