"""Images with a list of who they show, label.txt."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

from zoo.datasets import beside
from zoo.datasets.folders import FileError, read_image
from zoo.datasets.formats import UNIT, About, Reader, Unit
from zoo.datasets.sample import Broken, Sample
from zoo.errors import InputError

LIST = "label.txt"
LONGEST = 1 << 16
"""Longest line that is read, in bytes."""


class IdentityListReader(Reader):
    """Reads ``label.txt``, lines of a relative path, a tab and an identity: a number where it is one."""

    def about(self) -> About:
        """Counted by reading the list."""
        count = sum(1 for _ in self._lines(0))
        return About("identities", count, frozenset({"identity", "keys", "images"}))

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """A unit's place is the byte offset of its first line, and the keys in it that are not as the paths say."""
        start, found, keys = 0, self._lines(0), beside.UniqueKeys()
        while lines := list(itertools.islice(found, size)):
            for number, (_, line) in enumerate(lines, start):
                keys.add(number, beside.key_of(line.decode("utf-8", "replace").partition("\t")[0]))
            stop = start + len(lines)
            yield Unit(start, stop, {"offset": lines[0][0], "keys": keys.of(start, stop)})
            start = stop

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        """The images of a unit's lines."""
        found = itertools.islice(self._lines(unit.place["offset"]), unit.stop - unit.start)
        for number, (offset, line) in enumerate(found, unit.start):
            try:
                yield self._load(line, offset, unit.place["keys"].get(str(number), ""))
            except InputError as error:
                path = line[:200].decode("utf-8", "replace").strip().partition("\t")[0]
                yield Broken(path, str(error), str(self.path / LIST), offset, line)

    def _load(self, line: bytes, offset: int, key: str) -> Sample:
        try:
            path, tab, identity = line.decode().strip("\r\n").partition("\t")
        except UnicodeDecodeError:
            raise FileError("The line is not UTF-8 text.", LIST, offset) from None
        identity = identity.strip()
        if not (path and tab and identity):
            raise FileError("The line is not a path, a tab and an identity.", LIST, offset)
        beside.check_name(path)
        image = read_image(self.path / path.replace("\\", "/"))
        number = identity.isascii() and identity.isdecimal() and len(identity) < 19
        return Sample(key or beside.key_of(path), image, identity=int(identity) if number else identity)

    def _lines(self, offset: int) -> Iterator[tuple[int, bytes]]:
        """(offset, line) of every line that is not empty, from `offset` on. Raises `InputError`."""
        try:
            with (self.path / LIST).open("rb") as stream:
                stream.seek(offset, os.SEEK_SET)
                while line := stream.readline(LONGEST):
                    if line.strip():
                        yield offset, line
                    offset += len(line)
        except OSError as error:
            raise InputError(f"{self.path / LIST} cannot be read: {error.strerror or error}.") from None
