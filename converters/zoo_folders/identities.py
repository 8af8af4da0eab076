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
    """Reads one folder a person: the identity is the name of the topmost folder in which an image lies. An image that
    lies in none is broken."""

    def __init__(self, path: Path, options: IdentityReadOptions | None = None) -> None:
        super().__init__(path, options or IdentityReadOptions())

    def about(self) -> About:
        """Counted by listing the folders. Those without an image are nobody's; the others are numbered in the order of
        their names, unless they are numbers."""
        people: dict[str, int] = {}
        outside = 0
        for path in walk(str(self.path), ordered=False):
            if is_image(path):
                person, slash, _ = path.partition("/")
                outside += not slash
                if slash:
                    people[person] = people.get(person, 0) + 1
        numbered = self.options.identities == "numbers"
        facts: dict[str, Any] = {"people": len(people), "images outside a person's folder": outside}
        classes = () if numbered else tuple(sorted(people))
        return About("identities", sum(people.values()) + outside, frozenset(_HOLDS), classes, facts)

    def load(self, key: str, path: str) -> Sample:
        """An image and whose it is."""
        person, slash, _ = path.partition("/")
        if not slash:
            raise FileError(f"{path} lies in no person's folder.", path)
        if self.options.identities == "numbers" and not (person.isascii() and person.isdecimal()):
            raise FileError(f"The folder {person} is not called by a number; identities=names takes any name.", path)
        identity = int(person) if self.options.identities == "numbers" else person
        return Sample(key, read_image(self.path / path), identity=identity)


_HOLDS = ("identity", "keys", "images")


class IdentityWriter(FolderWriter):
    """Writes one folder a person, the images' bytes as they are."""

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
        return [(f"{names.single(person)}/{name}{suffix}", data)]
