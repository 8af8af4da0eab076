"""Which samples of a source are converted, and in which order: filter, split and shuffle, each the same every time."""

from __future__ import annotations

import fnmatch
import hashlib
import operator
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from zoo.datasets.formats import Unit
from zoo.datasets.sample import Sample
from zoo.errors import UsageError

_TERM = re.compile(r"(faces|width|height|identity|key)\s*(<=|>=|!=|=|<|>)\s*(.+)")
_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
_SPLIT = re.compile(r"(train|val):(0?\.\d+)")


@dataclass(frozen=True)
class Selection:
    """Decides for each sample whether it is kept. Raises `UsageError` for what is not understood."""

    filter: str = ""
    split: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        self._terms()
        self._share()

    def test(self) -> Callable[[Sample], bool] | None:
        """A function that says whether a sample is kept; None when all are."""
        terms, share = self._terms(), self._share()
        if not terms and share is None:
            return None

        def keep(sample: Sample) -> bool:
            if share is not None and (_fraction(sample, self.seed) < share[1]) is not share[0]:
                return False
            return all(term(sample) for term in terms)

        return keep

    def _terms(self) -> list[Callable[[Sample], bool]]:
        return [_term(text.strip()) for text in self.filter.split(",") if text.strip()]

    def _share(self) -> tuple[bool, float] | None:
        if not self.split:
            return None
        found = _SPLIT.fullmatch(self.split)
        if not found:
            raise UsageError(f"The split {self.split!r} is not understood: write train:0.9 or val:0.9.")
        return found[1] == "train", float(found[2])


def _term(text: str) -> Callable[[Sample], bool]:
    found = _TERM.fullmatch(text)
    if not found:
        raise UsageError(
            f"The filter {text!r} is not understood: compare faces, width, height, identity or key, as in faces>0."
        )
    name, sign, value = found.groups()
    if name in ("identity", "key"):
        if sign not in ("=", "!="):
            raise UsageError(f"The filter {text!r} is not understood: {name} is compared with = or != alone.")
        return lambda sample: fnmatch.fnmatchcase(str(getattr(sample, name)), value) is (sign == "=")
    try:
        number = float(value)
    except ValueError:
        raise UsageError(f"The filter {text!r} is not understood: {value!r} is no number.") from None
    return lambda sample: _NUMBERS[sign](_measure(sample, name), number)


def _measure(sample: Sample, name: str) -> float:
    if name == "faces":
        return len(sample.faces) if sample.faces else 0
    size = sample.size or (sample.image.size if sample.image else None) or (0, 0)
    return size[name == "height"]


def _fraction(sample: Sample, seed: int) -> float:
    """A number in 0..1 that depends on the sample's key (both samples of a pair share one) and the seed alone."""
    name = sample.key if sample.pair is None else f"pair {sample.pair}"
    digest = hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def shuffled(units: Iterable[Unit], seed: int) -> list[Unit]:
    """The units in the random order of `seed`."""
    order = list(units)
    random.Random(seed).shuffle(order)
    return order


def shuffle_samples(samples: list[Any], seed: int, number: int, paired: bool) -> list[Any]:
    """The samples of unit `number` in the random order of `seed`; pairs stay together."""
    groups = [samples[i : i + 2] for i in range(0, len(samples), 2)] if paired else [[sample] for sample in samples]
    random.Random(f"{seed}:{number}").shuffle(groups)
    return [sample for group in groups for sample in group]
