"""Reading folders of images with a list of pairs, or of people to make pairs of."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from zoo.datasets.aligning import Aligner, Detect
from zoo.datasets.beside import ImageFolder, check_name
from zoo.datasets.folders import FileError, read_image
from zoo.datasets.formats import UNIT, About, Reader, Unit
from zoo.datasets.sample import Broken, Sample
from zoo.errors import InputError
from zoo_verification.bins import together, whole_pairs
from zoo_verification.lists import Row, find, rows
from zoo_verification.making import People
from zoo_verification.options import ReadPairsOptions

PATH = "path"
"""The key of `Sample.extra` under which an image's path below the folder stands."""


class PairsReader(Reader):
    """Reads pairs. The path is the folder of the images, or the list in it."""

    def __init__(self, path: Path, options: Any = None) -> None:
        super().__init__(path, options or ReadPairsOptions())
        self._root = path if path.is_dir() else path.parent
        self._images = ImageFolder(self._root)
        self._aligner = Aligner(self.options, _load)

    def about(self) -> About:
        """The number of images: two a line of the list."""
        same, others, faults = self._counts
        facts: dict[str, Any] = {"pairs": same + others, "of one person": same, "from": self._origin}
        if faults:
            facts["lines that are no pair"] = faults
        facts["alignment"] = self._aligner.describe()
        return About("verification", 2 * (same + others + faults), frozenset(("pairs", "images")), facts=facts)

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """Stretches of whole pairs; the place of each is the list of them."""
        size, start, found = whole_pairs(size), 0, self._rows()
        while place := list(islice(found, size // 2)):
            yield Unit(start, start + 2 * len(place), place)
            start += 2 * len(place)

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        """The images of the unit's pairs. When one of a pair is missing, both are broken."""
        for number, row in enumerate(unit.place, unit.start // 2):
            yield from self._pair(number, row)

    def sample(self, index: int) -> Sample:
        """The image number `index`; the first call keeps the whole list."""
        self.require_number(index, 2 * len(self._all))
        return self.good(list(self._pair(index // 2, self._all[index // 2]))[index % 2])

    @cached_property
    def _all(self) -> list[Row]:
        return list(self._rows())

    def _rows(self) -> Iterator[Row]:
        if self._list is not None:
            return rows(self._list, self.options.style)
        return self._people.rows(self.options.make_pairs, self.options.make_seed)

    @cached_property
    def _list(self) -> Path | None:
        """The list, None where pairs are made."""
        if self.options.make:
            return None
        found = find(self._root, self.options.list) if self.path.is_dir() else self.path
        if found is None:
            raise InputError(
                f"{self.path} has no pairs.txt and no pairs_label.txt: name the list with list=FILE, or let make=true"
                " make pairs of its people."
            )
        return found

    @cached_property
    def _people(self) -> People:
        return People(self._root)

    @cached_property
    def _counts(self) -> tuple[int, int, int]:
        """Pairs of one person, pairs of two, and lines that are no pair."""
        if self._list is None:
            return *self._people.numbers(self.options.make_pairs), 0
        counts = [0, 0, 0]
        for row in self._rows():
            counts[2 if len(row) == 2 else 0 if row[2] else 1] += 1
        return counts[0], counts[1], counts[2]

    @property
    def _origin(self) -> str:
        if self._list is not None:
            return self._list.name
        return f"made of {self._people.count} people with {len(self._people.images)} images"

    def _pair(self, number: int, row: Row) -> Iterator[Sample | Broken]:
        if len(row) == 2:
            where, (why, offset) = str(self._list), row
            yield from (Broken(f"{index:06d}", str(why), where, int(offset)) for index in (2 * number, 2 * number + 1))
            return
        first, second, same = str(row[0]), str(row[1]), bool(row[2])
        yield from together([self._image(2 * number, first, same), self._image(2 * number + 1, second, same)])

    def _image(self, index: int, name: str, same: bool) -> Sample | Broken:
        key = f"{index:06d}/{name}"
        try:
            check_name(name)
            path = self._images.path(name)
            if path is None:
                raise FileError(f"There is no image {name} in {self._root}.", name)
            relative = path.relative_to(self._root).as_posix()
            sample = Sample(key, read_image(path), pair=index // 2, same=same, extra={PATH: relative})
            return self._aligner.align(sample, relative)
        except InputError as error:
            return Broken(key, str(error), getattr(error, "where", ""), getattr(error, "offset", -1))


def _load(name: str) -> Detect:
    """A detector on one thread, because every worker has one."""
    from zoo.inference.loading import load

    return load(name, threads=1)
