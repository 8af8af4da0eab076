"""Sets of files that are read from beginning to end, compressed or not: their units, and samples by number."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from zoo.datasets.formats import UNIT, Reader, Unit
from zoo.datasets.sample import Broken, Sample

COUNTED = 1 << 30
"""Largest set, in bytes, whose samples are counted before it is read."""


class SequentialReader(Reader):
    """Reads the files `files` one after another, which `offsets` and `samples` can enter at the offset of a sample.

    Those that are not `compressed` are cut into units that may span files. A compressed file is a unit of its own, and,
    where another follows, is inflated once more to count its samples.
    """

    def __init__(self, path: Path, options: Any, files: Sequence[Path], compressed: Sequence[bool]) -> None:
        super().__init__(path, options)
        self.files, self.compressed = files, compressed
        self._index: list[array[int]] = []

    @abstractmethod
    def offsets(self, file: Path) -> Iterator[int]:
        """The offset of each item that `samples` gives, without reading their contents."""

    @abstractmethod
    def samples(self, file: Path, offset: int, number: int) -> Iterator[Sample | Broken]:
        """The samples of a file from an offset on, of which the first has the number `number` in the set."""

    def count(self) -> int | None:
        """The number of samples, broken ones too; None for compressed sets and those of more than `COUNTED` bytes."""
        if any(self.compressed) or sum(file.stat().st_size for file in self.files) > COUNTED:
            return None
        return sum(1 for file in self.files for _ in self.offsets(file))

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """Stretches of `size` samples; `place` is the number of a file and an offset in it."""
        number = begun = 0
        place: list[int] | None = None
        for index, offset in self._places():
            if place is not None and (number - begun == size or offset < 0):
                yield Unit(begun, number, place)
                place = None
            if offset < 0:
                yield Unit(number, -1, [index, 0])
                number += self._inflated_count(index)
            else:
                if place is None:
                    begun, place = number, [index, offset]
                number += 1
        if place is not None:
            yield Unit(begun, number, place)

    def _places(self) -> Iterator[tuple[int, int]]:
        """The number of a file and an offset in it for each sample; for a compressed file once, with the offset -1."""
        for index, file in enumerate(self.files):
            if self.compressed[index]:
                yield index, -1
            else:
                yield from ((index, offset) for offset in self.offsets(file))

    def _inflated_count(self, index: int) -> int:
        last = index + 1 == len(self.files)
        return 0 if last else sum(1 for _ in self.offsets(self.files[index]))

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        """The samples of a unit."""
        index, offset = unit.place
        if unit.stop < 0:
            return self.samples(self.files[index], offset, unit.start)
        return islice(self._from(index, offset, unit.start), unit.stop - unit.start)

    def _from(self, index: int, offset: int, number: int) -> Iterator[Sample | Broken]:
        for file in self.files[index:]:
            for sample in self.samples(file, offset, number):
                yield sample
                number += 1
            offset = 0

    def sample(self, index: int) -> Sample:
        """The sample number `index`; the first call looks for where the samples are. Raises `IndexError` beyond the
        end, `InputError` for a broken sample, `TypeError` for compressed sets."""
        if any(self.compressed):
            raise TypeError(f"{self.path} is compressed and reads in order only")
        if not self._index:
            self._index = [array("Q", self.offsets(file)) for file in self.files]
        self.require_number(index, sum(map(len, self._index)))
        number, rest = 0, index
        while rest >= len(self._index[number]):
            rest -= len(self._index[number])
            number += 1
        return self.good(next(self.samples(self.files[number], self._index[number][rest], index)))
