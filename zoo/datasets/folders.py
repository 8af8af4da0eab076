"""Reading data sets in which each image is a file, with what is known of it in text files beside it.

A folder is listed in the order of its names in bounded memory: the next names are picked from the whole listing again
and again. Links to folders are followed at the top only, so that none leads in a circle. Names that begin with a dot
are left alone.
"""

from __future__ import annotations

import itertools
import os
import stat
from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from zoo.datasets.formats import UNIT, Reader, Unit
from zoo.datasets.sample import Broken, EncodedImage, Sample, sniff
from zoo.errors import InputError

_PNM = (".pbm", ".pgm", ".pnm", ".ppm")
SUFFIXES = frozenset(
    (".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp", *_PNM)
)
"""Those of `zoo.images`, again, because OpenCV comes with that module and listing a folder does without."""

LARGEST_IMAGE = 1 << 29
"""Largest image file that is read, in bytes."""

LARGEST_TEXT = 1 << 22
"""Largest file of points or boxes that is read, in bytes."""

_BATCH = 1 << 15
_DEEPEST = 32


class FileError(InputError):
    """A file of a set cannot be used: the sentence, the file `where`, and the byte `offset`, -1 where there is none."""

    def __init__(self, why: str, where: str = "", offset: int = -1) -> None:
        super().__init__(why)
        self.where, self.offset = where, offset


def walk(root: str, ordered: bool = True, folder: str = "", depth: int = 0) -> Iterator[str]:
    """The files below `root` as relative paths with forward slashes, `ordered` as these sort. Raises `InputError` for a
    folder that cannot be listed."""
    if depth > _DEEPEST:
        raise InputError(f"{root}/{folder} lies more than {_DEEPEST} folders deep.")
    for name in (_ordered if ordered else _listed)(f"{root}/{folder}", depth):
        if name.endswith("/"):
            yield from walk(root, ordered, folder + name, depth + 1)
        else:
            yield folder + name


def _listed(folder: str, depth: int, after: str = "") -> Iterator[str]:
    """What lies in `folder`, in any order, folders with a slash behind: the names greater than `after`."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = f"{entry.name}/" if entry.is_dir(follow_symlinks=depth == 0) else entry.name
                if name > after and not name.startswith("."):
                    yield name
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be listed: {error.strerror or error}.") from None


def _ordered(folder: str, depth: int) -> Iterator[str]:
    after = ""
    while batch := _smallest(_listed(folder, depth, after)):
        yield from batch
        if len(batch) < _BATCH:
            return
        after = batch[-1]


def _smallest(names: Iterator[str]) -> list[str]:
    """The `_BATCH` first of the names in order; never more than twice as many are held."""
    kept: list[str] = []
    while more := list(itertools.islice(names, _BATCH)):
        kept += [name for name in more if name < kept[-1]] if len(kept) == _BATCH else more
        kept.sort()
        del kept[_BATCH:]
    return kept


def is_image(path: str) -> bool:
    """Whether a name has the suffix of an image."""
    stem, _, suffix = path.rpartition(".")  # os.path.splitext says the same, but takes twice as long
    return f".{suffix}".lower() in SUFFIXES and stem.rpartition("/")[2].strip(".") != ""


class Keys:
    """Gives images their keys: the path without suffix, or with it when another image of the same stem came before.
    Paths must come in the order of `walk`; only those that the next one may clash with are remembered."""

    def __init__(self) -> None:
        self._near: list[str] = []

    def key(self, path: str) -> str:
        """The key of the next path."""
        while self._near and not path.startswith(f"{self._near[-1]}."):
            self._near.pop()
        stem = os.path.splitext(path)[0]  # noqa: PTH122
        key = path if stem in self._near else stem
        self._near.append(key)
        return _readable(key)


def _readable(name: str) -> str:
    """A name as text; bytes that are no UTF-8 are read as Latin-1."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode("latin-1")
    return name


_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_BINARY", "O_CLOEXEC", "O_NONBLOCK"))
"""The last one lets a named pipe open that nobody writes to."""


def read_file(path: Path | str, limit: int) -> bytes:
    """The bytes of a file. Raises `FileError` when it is no file, larger than `limit`, or cannot be read."""
    try:
        file = os.open(path, _FLAGS)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise FileError(f"{path} is not a file.", str(path))
            if status.st_size > limit:
                raise FileError(f"{path} has {status.st_size} bytes, more than the {limit} that are read.", str(path))
            return _rest(file, status.st_size)
        finally:
            os.close(file)
    except (OSError, ValueError) as error:
        raise FileError(f"{path} cannot be read: {getattr(error, 'strerror', '') or error}.", str(path)) from None


def _rest(file: int, size: int) -> bytes:
    """`size` bytes of an open file, or as many as there are. A stream makes three times as many calls of the system."""
    data = os.read(file, size)
    while len(data) < size and (more := os.read(file, size - len(data))):
        data += more
    return data


def read_image(path: Path | str) -> EncodedImage:
    """An image file as it is. Raises `FileError`, also for a file that begins like no image."""
    data = read_file(path, LARGEST_IMAGE)
    kind = sniff(data)
    if not kind:
        raise FileError(f"{path} is {'not an image' if data else 'empty'}.", str(path), 0)
    return EncodedImage(data, kind)


def read_optional(path: Path, limit: int = LARGEST_TEXT) -> bytes | None:
    """The bytes of a file that need not be there."""
    return read_file(path, limit) if os.path.lexists(path) else None


class FolderReader(Reader):
    """Reads a folder of images, each of which `load` makes a sample."""

    beside: ClassVar[tuple[str, ...]] = ()
    """How the names of annotation files end, after the stem of their image."""

    further: ClassVar[tuple[str, ...]] = ()
    """How the names of files end that an image may have besides."""

    def entries(self) -> Iterator[tuple[str, str]]:
        """(key, path) of every sample, in order. An annotation file without its image is one, too."""
        keys, root = Keys(), str(self.path)
        for path in walk(root):
            if self.takes(path):
                yield self.key_of(keys.key(path)), path
            elif (stem := self.stem(path)) and not self.image_of(stem):
                yield _readable(path), path

    def takes(self, path: str) -> bool:
        """Whether a file is an image of the set."""
        return is_image(path)

    def key_of(self, path: str) -> str:
        """The key of the image whose path without suffix is `path`."""
        return path

    def stem(self, path: str) -> str:
        """The path of an annotation file without its ending, empty for other files."""
        return next((path.removesuffix(ending) for ending in self.beside if path.endswith(ending)), "")

    def image_of(self, stem: str) -> str:
        """The path of the image to which annotation at `stem` belongs, empty when there is none."""
        suffixes = (*_COMMON, *sorted(SUFFIXES - set(_COMMON)))
        tried = (f"{stem}{form}" for suffix in suffixes for form in (suffix, suffix.upper()))
        return next((path for path in tried if os.path.lexists(self.path / path)), "")

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """Stretches of `size` entries; the place of each is the list of them."""
        start, entries = 0, self.entries()
        while place := list(itertools.islice(entries, size)):
            yield Unit(start, start + len(place), place)
            start += len(place)

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        """The samples of the entries of a unit; what `load` refuses is `Broken`."""
        for key, path in unit.place:
            try:
                if not self.takes(path):
                    raise FileError(f"{path} has no image beside it.", path)
                yield self.load(key, path)
            except InputError as error:
                yield Broken(key, str(error), getattr(error, "where", path), getattr(error, "offset", -1))

    @abstractmethod
    def load(self, key: str, path: str) -> Sample:
        """The sample of the image at the relative `path`. Raises `InputError`."""

    @cached_property
    def _all(self) -> list[tuple[str, str]]:
        return list(self.entries())

    def sample(self, index: int) -> Sample:
        """The sample number `index`; the first call lists the folder and keeps the list."""
        self.require_number(index, len(self._all))
        return self.good(next(iter(self.read(Unit(index, index + 1, [self._all[index]])))))

    def survey(self) -> tuple[int, frozenset[str]]:
        """How many samples there are, and which of the endings `beside` and `further` occur: by listing, without
        reading."""
        count, found = 0, set()
        for path in walk(str(self.path), ordered=False):
            ending = next((ending for ending in (*self.beside, *self.further) if path.endswith(ending)), "")
            found.add(ending)
            alone = ending in self.beside and not self.image_of(path.removesuffix(ending))
            count += alone or self.takes(path)
        return count, frozenset(found - {""})


_COMMON = (".jpg", ".png", ".jpeg")
