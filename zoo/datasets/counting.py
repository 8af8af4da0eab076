"""Counting in bounded memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

DISTINCT = 1_000_000
"""Different things that are told apart; what comes after them counts as other."""


class Counts:
    """How often each of several things has occurred; `total` of all, `other` of those beyond `DISTINCT`."""

    def __init__(self) -> None:
        self._counts: Counter[Any] = Counter()
        self.total = self.other = 0

    def add(self, thing: Any, times: int = 1) -> None:
        """It occurred."""
        self.total += times
        if thing in self._counts or len(self._counts) < DISTINCT:
            self._counts[thing] += times
        else:
            self.other += times

    def add_all(self, things: Iterable[Any]) -> None:
        """Each occurred once."""
        for thing in things:
            self.add(thing)

    def __len__(self) -> int:
        return len(self._counts)

    def values(self) -> Iterator[int]:
        """How often, of each thing."""
        return iter(self._counts.values())

    def most(self, number: int) -> dict[str, int]:
        """The commonest, equals in the order of their names."""
        ranked = sorted(self._counts.items(), key=lambda item: (-item[1], str(item[0])))
        return {str(thing): count for thing, count in ranked[:number]}

    def to_dict(self) -> dict[str, int]:
        """The hundred commonest, and ``other`` for the rest."""
        told = self.most(100)
        rest = self.total - sum(told.values())
        return told | ({"other": rest} if rest else {})


class Histogram:
    """Numbers from 0: smallest, largest, mean, and how many lie between one power of two and the next."""

    def __init__(self) -> None:
        self.count, self.total = 0, 0.0
        self.least, self.most = math.inf, -math.inf
        self._bins: Counter[int] = Counter()

    def add(self, value: float) -> None:
        """Count a number."""
        self.count += 1
        self.total += value
        self.least, self.most = min(self.least, value), max(self.most, value)
        self._bins[int(value).bit_length()] += 1

    def add_all(self, values: Iterable[float]) -> None:
        """Count each of several numbers."""
        for value in values:
            self.add(float(value))

    def to_dict(self) -> dict[str, Any]:
        """``min``, ``mean`` and ``max``, and ``histogram``: counts by range, such as ``16-31`` for 16 <= x < 32."""
        if not self.count:
            return {}
        bins = {_range(power): self._bins[power] for power in sorted(self._bins)}
        told = {"min": self.least, "mean": self.total / self.count, "max": self.most}
        return {**{name: round(float(value), 2) for name, value in told.items()}, "histogram": bins}


def _range(power: int) -> str:
    low, high = (1 << power) >> 1, (1 << power) - 1
    return str(low) if low == high else f"{low}-{high}"
