"""Which layers a network keeps in float: as few as bring its loss on the task down to where it is to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from zoo.inference.artifacts import Artifact
from zoo.models.int8.judging import Judge, Loss
from zoo.models.int8.threshold import Refit

RANKED = 6
"""Photographs on which the error of each layer is measured; the order changes little with more."""


class Quantiser(Protocol):
    """Makes a float file int8, in one format. It is calibrated when it is made: what differs between two choices of
    layers is then no more than the writing."""

    @property
    def layers(self) -> Sequence[str]:
        """The layers that can be quantised, by name, in the network's order."""

    def write(self, path: Path, layers: frozenset[str]) -> None:
        """Write the network with these `layers` in int8 and all others in float, its inputs and outputs float32."""


@dataclass(frozen=True)
class Choice:
    """A choice of layers that are `kept` in float, the `size` in bytes of the file, its `loss`, and the threshold that
    was fitted to it."""

    kept: tuple[str, ...]
    path: Path
    size: int
    loss: Loss
    fitted: Refit | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the receipt."""
        fitted = {"threshold": self.fitted.to_dict()} if self.fitted else {}
        return {"kept": list(self.kept), "size": self.size, **self.loss.to_dict(), **fitted}


@dataclass(frozen=True)
class Chosen:
    """What was tried, and the `best` of it; `errors` is what each layer adds alone, the most sensitive first, and empty
    where it was not needed."""

    best: Choice
    tried: tuple[Choice, ...]
    errors: dict[str, float]


def choose(quantiser: Quantiser, judge: Judge, work: Path, product: Callable[[Path], Artifact], aim: float) -> Chosen:
    """Quantise everything, and where that loses more than the part `aim` of what may be lost, keep in float the layers
    that add most to the error: 1, 2, 4 and so on, until it is less, then as few as will do.

    Where no choice brings it down the one that loses least is taken. Files are written into the folder `work`.
    """
    tried: dict[int, Choice] = {}
    ranking: list[str] = []

    def attempt(count: int) -> bool:
        kept = ranking[:count]
        path = work / f"kept{count}{judge.original.path.suffix}"
        quantiser.write(path, frozenset(quantiser.layers) - set(kept))
        loss, fitted = judge.judge(product(path))
        tried[count] = Choice(tuple(kept), path, path.stat().st_size, loss, fitted)
        return loss.share <= aim

    if attempt(0):
        return Chosen(tried[0], (tried[0],), {})
    errors = ranked(quantiser, judge, work, product)
    ranking.extend(errors)
    low, high, most = 0, 1, len(ranking)
    while high < most and not attempt(high):
        low, high = high, min(2 * high, most)
    while high - low > 1 and high < most:
        middle = (low + high) // 2
        low, high = (low, middle) if attempt(middle) else (middle, high)
    enough = [count for count, choice in tried.items() if choice.loss.share <= aim]
    best = min(enough) if enough else min(tried, key=lambda count: (tried[count].loss.share, count))
    return Chosen(tried[best], tuple(tried[count] for count in sorted(tried)), errors)


def ranked(quantiser: Quantiser, judge: Judge, work: Path, product: Callable[[Path], Artifact]) -> dict[str, float]:
    """The error (see `Judge.error`) that each layer adds when it alone is quantised; those that add most come first.

    It is that of what is found, not of raw outputs: most numbers of a detector's outputs belong to no face.
    """
    path, found = work / f"alone{judge.original.path.suffix}", dict[str, float]()
    for layer in quantiser.layers:
        quantiser.write(path, frozenset([layer]))
        found[layer] = judge.error(product(path), RANKED)
    path.unlink(missing_ok=True)
    return dict(sorted(found.items(), key=lambda entry: -entry[1]))
