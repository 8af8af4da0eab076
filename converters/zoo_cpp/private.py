"""A folder in the zoo's cache that nobody but the user can write, because what is in it is run."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from zoo.errors import ZooError
from zoo.files import cache_dir, unwritable

_PART = ".part-"
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def folder(name: str) -> Path:
    """The folder `name` in the ``cpp`` folder of the cache, made where it is absent.

    Raises `ZooError` where somebody else could put something into it, or where it cannot be made.
    """
    try:
        cache_dir().mkdir(parents=True, exist_ok=True)
        base = cache_dir().resolve() / "cpp"
        for place in (base, base / name):
            with contextlib.suppress(FileExistsError):  # what is there is looked at, whatever it is
                place.mkdir(mode=0o700)
            require(place)
    except OSError as error:
        raise unwritable(cache_dir() / "cpp" / name, error) from error
    return base / name


def require(path: Path) -> None:
    """Raise `ZooError` unless `path` is a folder or file of the user's, no link, which nobody else can write or put
    another in the place of."""
    if not hasattr(os, "geteuid"):  # where there are other rules, a user's cache is in the user's profile
        return
    facts = path.lstat()
    if not (stat.S_ISDIR(facts.st_mode) or stat.S_ISREG(facts.st_mode)):
        _refuse(path, "is a link or no ordinary file")
    if facts.st_uid != os.geteuid():
        _refuse(path, "belongs to somebody else")
    if facts.st_mode & _OTHERS:
        _refuse(path, "can be written by others")
    for parent in path.parents:
        if _replaceable(parent.stat()):
            _refuse(path, f"lies in {parent}, which others can write")


def _replaceable(facts: os.stat_result) -> bool:
    """Whether others could rename what is in a folder: a sticky one, such as /tmp, forbids that. A group is trusted
    where it is the user's own, as many systems give everybody one."""
    if facts.st_uid not in (0, os.geteuid()):
        return True
    others = stat.S_IWOTH | (0 if facts.st_gid == os.getegid() else stat.S_IWGRP)
    return bool(facts.st_mode & others and not facts.st_mode & stat.S_ISVTX)


def _refuse(path: Path, reason: str) -> None:
    raise ZooError(
        f"{path} {reason}, so that nothing in it is run: take it away, or name a cache of your own in ZOO_CACHE."
    )


def kept(name: str, find: Callable[[Path], Path | None], make: Callable[[Path, Path], Path]) -> Path:
    """What the folder `name` holds, once made and found again ever after.

    `find` is called with the folder and returns what is in it, None for nothing that is whole; then `make` is called
    with the folder and an empty one, in which it works and from which it renames what it has made. Of several processes
    one makes it, the others wait. What a killed one has left is cleared away. Raises as `folder`, and `make`.
    """
    place = folder(name)
    if found := find(place):
        return found
    with _locked(place):
        if found := find(place):
            return found
        try:
            for left in place.iterdir():  # who holds the lock is alone here
                shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
            work = Path(tempfile.mkdtemp(prefix=_PART, dir=place))
        except OSError as error:
            raise unwritable(place, error) from error
        try:
            return make(place, work)
        except OSError as error:
            raise unwritable(place, error) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder `path` while the block runs; others wait. The system lets go of it when a process dies."""
    try:
        import fcntl
    except ImportError:  # then two may do the same work, of which the later takes the earlier's place
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
