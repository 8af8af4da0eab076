"""Pairs made out of a folder of people: which ones is decided by a seed alone, and nothing is drawn twice."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, groupby
from pathlib import Path

from zoo.datasets.folders import is_image, walk
from zoo.errors import InputError
from zoo_verification.lists import Row

_ROUNDS = 4


class People:
    """The images of a folder with one folder a person, and all pairs of them, numbered without being listed.

    Raises `InputError` when there is no pair of one person, or no two persons.
    """

    def __init__(self, root: Path) -> None:
        found = [path for path in walk(str(root)) if "/" in path and is_image(path)]
        groups = [list(paths) for _, paths in groupby(found, lambda path: path.partition("/")[0])]
        sizes = [len(paths) for paths in groups]
        self.images = [path for paths in groups for path in paths]
        self.count = len(groups)
        self._ends = list(accumulate(sizes))
        self._starts = [end - size for end, size in zip(self._ends, sizes, strict=True)]
        self._same = list(accumulate(size * (size - 1) // 2 for size in sizes))
        left = len(self.images)
        self._others = list(accumulate(size * (left - end) for size, end in zip(sizes, self._ends, strict=True)))
        if not self.same or not self.others:
            raise InputError(
                f"{root} has no pairs to make: it needs folders of people, two at least, and two images in one of them."
            )

    @property
    def same(self) -> int:
        """How many pairs of one person there are."""
        return self._same[-1] if self._same else 0

    @property
    def others(self) -> int:
        """How many pairs of two persons there are."""
        return self._others[-1] if self._others else 0

    def numbers(self, wanted: int) -> tuple[int, int]:
        """How many pairs of one person, and of two, make `wanted` pairs, half and half; 0 wants all of one person."""
        same = min(self.same, wanted - wanted // 2 if wanted else self.same)
        return same, min(self.others, wanted // 2 if wanted else same)

    def rows(self, wanted: int, seed: int) -> Iterator[Row]:
        """So many pairs: by turns of one person and of two, so that each stretch of the set has both."""
        same, others = self.numbers(wanted)
        for number in range(max(same, others)):
            if number < same:
                drawn = number if same == self.same else shuffled(number, self.same, f"{seed} same")
                yield [*self._one_person(drawn), True]
            if number < others:
                yield [*self._two_persons(shuffled(number, self.others, f"{seed} others")), False]

    def _one_person(self, number: int) -> tuple[str, str]:
        person = bisect_right(self._same, number)
        number -= self._same[person - 1] if person else 0
        second = 1
        while number >= second:  # the pairs (0, 1), (0, 2), (1, 2), (0, 3) ...
            number -= second
            second += 1
        start = self._starts[person]
        return self.images[start + number], self.images[start + second]

    def _two_persons(self, number: int) -> tuple[str, str]:
        """The first image is of a person before that of the second."""
        person = bisect_right(self._others, number)
        number -= self._others[person - 1] if person else 0
        end = self._ends[person]
        first, second = divmod(number, len(self.images) - end)
        return self.images[self._starts[person] + first], self.images[end + second]


def shuffled(number: int, count: int, seed: str) -> int:
    """Where `number` comes in a random order of ``range(count)``: a permutation that needs no memory (a Feistel network
    over a power of four, walked until it comes back into the range)."""
    half = ((count - 1).bit_length() + 1) // 2
    mask = (1 << half) - 1
    while True:
        left, right = number >> half, number & mask
        for turn in range(_ROUNDS):
            digest = hashlib.blake2b(f"{seed} {turn} {right}".encode(), digest_size=8).digest()
            left, right = right, left ^ (int.from_bytes(digest, "big") & mask)
        number = left << half | right
        if number < count:
            return number
