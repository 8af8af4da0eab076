"""Folders of people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo import names
from zoo.datasets.folders import FileError, FolderReader, is_image, read_image, walk
from zoo.datasets.folderwriters import FolderWriter, stored
from zoo.datasets.formats import About
from zoo.datasets.sample import Sample
from zoo.errors import InputError
from zoo_folders.options import IdentityReadOptions, IdentityWriteOptions


class IdentityReader(FolderReader):
    """Reads one folder a person: the identity is the name of the topmost folder in which an image lies, without the
    hash by which the writer tells names apart that differ in case. An image that lies in none is broken."""

    def __init__(self, path: Path, options: IdentityReadOptions | None = None) -> None:
        super().__init__(path, options or IdentityReadOptions())

    def about(self) -> About:
        """Counted by listing the folders. Those without an image are nobody's; the others are numbered in the order of
        their names, unless they are numbers."""
        people: dict[str, int] = {}
        outside = 0
        for path in walk(str(self.path), ordered=False):
            if is_image(path):
                folder, slash, _ = path.partition("/")
                outside += not slash
                if slash:
                    people[folder] = people.get(folder, 0) + 1
        numbered = self.options.identities == "numbers"
        facts: dict[str, Any] = {"people": len(people), "images outside a person's folder": outside}
        classes = () if numbered else tuple(sorted({names.original(folder) for folder in people}))
        return About("identities", sum(people.values()) + outside, frozenset(_HOLDS), classes, facts)

    def key_of(self, path: str) -> str:
        """The path with the person's name as it was."""
        folder, slash, rest = path.partition("/")
        return f"{names.original(folder)}/{rest}" if slash else path

    def load(self, key: str, path: str) -> Sample:
        """An image and whose it is."""
        folder, slash, _ = path.partition("/")
        person = names.original(folder)
        if not slash:
            raise FileError(f"{path} lies in no person's folder.", path)
        if self.options.identities == "numbers" and not (person.isascii() and person.isdecimal()):
            raise FileError(f"The folder {person} is not called by a number; identities=names takes any name.", path)
        identity = int(person) if self.options.identities == "numbers" else person
        return Sample(key, read_image(f"{self.path}/{path}"), identity=identity)


_HOLDS = ("identity", "keys", "images")


class IdentityWriter(FolderWriter):
    """Writes one folder a person, the images' bytes as they are.

    Names that differ only in case, or in how accents are put together, would be one folder on some disks. So names at
    risk have a hash behind them until all are there; then the first of each kind loses it.
    """

    needs = frozenset({"identity", "images"})

    def __init__(self, work: Path, options: IdentityWriteOptions | None = None, about: About | None = None) -> None:
        super().__init__(work, options or IdentityWriteOptions(), about)

    def files(self, sample: Sample, number: int) -> list[tuple[str, bytes]]:
        """The image, in the folder of its identity. Raises `InputError` for one of nobody."""
        if sample.identity is None:
            raise InputError(f"{sample.key} has no identity.")
        data, suffix = stored(sample.image, sample.key)
        person = str(sample.identity)
        if isinstance(sample.identity, int):
            person = person.zfill(self.options.digits)
        by_number = self.options.names == "number"
        name = f"{number:06d}" if by_number else names.flat(sample.key.removeprefix(f"{person}/"))
        return [(f"{names.apart(person)}/{name}{suffix}", data)]

    def finish(self) -> None:
        """Give the folders their names; this can be done again."""
        alike: dict[str, list[str]] = {}
        for path in self.out.iterdir() if self.out.is_dir() else ():
            alike.setdefault(names.folded(names.original(path.name)), []).append(path.name)
        for folders in alike.values():
            first = min(folders, key=lambda name: (names.original(name) != name, name))
            if first != names.original(first):
                (self.out / first).rename(self.out / names.original(first))
        super().finish()
