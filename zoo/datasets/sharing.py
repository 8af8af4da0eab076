"""Sharing a data set out among the ranks of a distributed run and the workers of each: every sample goes to one."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeVar

from zoo.datasets.formats import UNIT, Unit

T = TypeVar("T")
_UNITS = 64
"""A rank gets at least so many units where there are enough samples: the workers' shares are then nearly equal."""

_UNKNOWN = 256
"""Samples a unit where the set does not know how many it has."""


@dataclass(frozen=True)
class Place:
    """One of `count` equals: number `index` from 0."""

    index: int = 0
    count: int = 1


ALL = Place()
"""Somebody who is alone and gets everything."""


@dataclass(frozen=True)
class Piece:
    """Of the samples of a unit, those from number `first` to `last` (exclusive, None: to the end), every `step`-th."""

    unit: Unit
    first: int = 0
    last: int | None = None
    step: int = 1

    def cut(self, samples: Iterable[T]) -> Iterator[T]:
        """The piece, of all the unit's samples."""
        return islice(samples, self.first, self.last, self.step)


def unit_size(count: int | None, ranks: int) -> int:
    """How many samples make a unit when a set of `count` is shared out: the same for everybody."""
    return _UNKNOWN if count is None else max(1, min(UNIT, count // (_UNITS * ranks)))


def rank_length(count: int, ranks: int) -> int:
    """How many of `count` samples each rank gets: all ranks get equally many."""
    return math.ceil(count / ranks)


def shuffled_units(units: Iterable[Unit], seed: int, epoch: int) -> list[Unit]:
    """The units in an order that `seed` and `epoch` fix, the same for everybody."""
    ordered = list(units)
    random.Random(f"{seed} {epoch}").shuffle(ordered)
    return ordered


def share(units: Iterable[Unit], rank: Place = ALL, worker: Place = ALL) -> Iterator[Piece]:
    """The part of one worker of one rank.

    Where all units know their sizes, each rank gets equally many samples, a stretch of the order of `units`; the last
    rank's is filled up from the beginning, as torch's DistributedSampler does, because ranks that end at different
    times wait for one another for ever. Where only reading tells the sizes, whole units are dealt out, and where there
    are fewer units than takers, each reads all and keeps every so-manieth sample.
    """
    listed = list(units)
    if all(unit.stop >= 0 for unit in listed):
        return islice(_stretch(listed, rank), worker.index, None, worker.count)
    return _dealt(iter(listed), rank, worker)


def _stretch(units: list[Unit], rank: Place) -> Iterator[Piece]:
    """The stretch of samples of one rank, in pieces of units."""
    count = sum(unit.stop - unit.start for unit in units)
    length = rank_length(count, rank.count)
    begin = rank.index * length
    yield from _between(units, begin, begin + length)
    yield from _between(units, 0, begin + length - max(count, begin))


def _between(units: Iterable[Unit], begin: int, end: int) -> Iterator[Piece]:
    position = 0
    for unit in units:
        size = unit.stop - unit.start
        first, last = max(begin - position, 0), min(end - position, size)
        if first < last:
            yield Piece(unit, first, last)
        position += size


def _dealt(units: Iterator[Unit], *places: Place) -> Iterator[Piece]:
    first, step = 0, 1
    for place in places:
        head = list(islice(units, place.count))
        if len(head) == place.count:
            units = islice(chain(head, units), place.index, None, place.count)
        else:
            first, step, units = first + step * place.index, step * place.count, iter(head)
    return (Piece(unit, first, None, step) for unit in units)


def mixed(samples: Iterable[T], size: int, seed: str) -> Iterator[T]:
    """`samples` in a random order that `seed` fixes: each comes out of a buffer of `size` that is always full."""
    chance, buffer = random.Random(seed), list[T]()
    for sample in samples:
        if len(buffer) < size:
            buffer.append(sample)
            continue
        place = chance.randrange(size)
        yield buffer[place]
        buffer[place] = sample
    chance.shuffle(buffer)
    yield from buffer
