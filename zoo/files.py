"""Files that exist only complete: written beside their place under a hidden name, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator

from zoo.errors import ZooError

TYPE_CHECKING = False  # typing's own costs its import; pathlib's is a twentieth of the time of `zoo list`
if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


def cache_dir() -> Path:
    """The zoo's cache folder: the environment variable ``ZOO_CACHE``, else the user's own. It may not exist."""
    from pathlib import Path

    return Path(cache_folder())


def cache_folder() -> str:
    """`cache_dir` as text, for the quick commands."""
    if chosen := os.environ.get("ZOO_CACHE"):
        return chosen
    if sys.platform == "linux":  # what platformdirs would say; importing it takes a tenth of the time of `zoo list`
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - no pathlib here
        return f"{base}/facezoo"
    import platformdirs

    return str(platformdirs.user_cache_dir("facezoo", appauthor=False))


@contextlib.contextmanager
def replacing(path: Path, within: Path | None = None) -> Iterator[Path]:
    """Give a temporary sibling of `path` to write to, and rename it to `path` when the block ends well.

    The sibling keeps the suffix, because image and video encoders choose by it. When the block raises, the sibling is
    removed and `path` is as it was. A process that is killed leaves it; `within` is another folder of the same file
    system for it, one that is removed anyhow. Raises `ZooError` when the place cannot be written.
    """
    temporary = (within or path.parent) / f".{path.stem}.{os.getpid()}-{os.urandom(4).hex()}.part{path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> ZooError:
    """What to raise where `path` cannot be written."""
    blocked = isinstance(error, FileExistsError | NotADirectoryError)
    reason = "a part of its path is a file, not a folder" if blocked else error.strerror or error
    place = "one with more room" if error.errno in _FULL else "a place that you may write to"
    return ZooError(f"Cannot write {path}: {reason}; choose {place}.")


def atomic_write(path: Path, data: bytes | str, within: Path | None = None) -> None:
    """Write `data` (text as UTF-8) to `path` at once or not at all; `within` as for `replacing`."""
    with replacing(path, within) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


def sha256(path: Path) -> str:
    """The SHA-256 of a file as 64 hexadecimal digits, read in pieces of 1 MiB."""
    import hashlib

    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
