"""What a protocol is asked and what it answers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from zoo.datasets.sample import Annotation
from zoo.evaluation.curves import Curve
from zoo.types import Faces

_DIGITS = 6


@dataclass(frozen=True)
class Case:
    """One image: its key, what is true of it, and what was found, None where no prediction is there."""

    key: str
    truth: Annotation
    found: Faces | None


@dataclass(frozen=True)
class Judging:
    """All images in the order of the set. `bootstrap` is how many resampled sets the intervals come from, 0 for none,
    `seed` that of the resampling."""

    cases: Sequence[Case]
    bootstrap: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Score:
    """A figure: average precision 0..1, NaN where there is nothing to find. `low` and `high` bound it by the bootstrap,
    where that was asked for; `faces` count, `recall` of them are found at any score."""

    name: str
    value: float
    faces: int
    recall: float = math.nan
    low: float = math.nan
    high: float = math.nan

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, what is NaN left out."""
        numbers = {"ap": self.value, "recall": self.recall, "low": self.low, "high": self.high}
        told = {name: round(value, _DIGITS) for name, value in numbers.items() if not math.isnan(value)}
        return {"name": self.name, **told, "faces": self.faces}


@dataclass(frozen=True)
class Verdict:
    """What came of it: the figures by which sets are compared, the same of parts of the set by what parts them, the
    curves, and what was counted (images, missing predictions, ...)."""

    protocol: str
    scores: tuple[Score, ...]
    slices: Mapping[str, tuple[Score, ...]] = field(default_factory=dict)
    curves: tuple[Curve, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON has it, without the points of its curves."""
        best = {curve.name: dict(zip(("score", "precision", "recall"), curve.best, strict=True))
                for curve in self.curves}  # fmt: skip
        return {
            "protocol": self.protocol,
            "values": {score.name: _rounded(score.value) for score in self.scores},
            "scores": [score.to_dict() for score in self.scores],
            "slices": {name: [score.to_dict() for score in parts] for name, parts in self.slices.items()},
            "best": {name: {key: _rounded(value) for key, value in point.items()} for name, point in best.items()},
            "counts": dict(self.counts),
        }

    def points(self) -> dict[str, dict[str, list[float]]]:
        """The points of the curves by name: ``threshold``, ``precision`` and ``recall``."""
        return {
            curve.name: {
                "threshold": np.round(curve.thresholds, _DIGITS).tolist(),
                "precision": np.round(curve.precision, _DIGITS).tolist(),
                "recall": np.round(curve.recall, _DIGITS).tolist(),
            }
            for curve in self.curves
        }

    def lines(self) -> Iterator[str]:
        """The figures for people, a line each."""
        width = max((len(score.name) for score in self.scores), default=0)
        for score in self.scores:
            value = "   none" if math.isnan(score.value) else f"{score.value:.5f}"
            sure = "" if math.isnan(score.low) else f"  (95 %: {score.low:.3f} to {score.high:.3f})"
            yield f"{score.name:<{width}}  {value}  of {score.faces:,} face{'' if score.faces == 1 else 's'}{sure}"
        yield ", ".join(f"{count:,} {name}" for name, count in self.counts.items())


def counted(cases: Sequence[Case]) -> dict[str, int]:
    """How many images there are, of how many the prediction is missing or says that there is no face."""
    missing = sum(case.found is None for case in cases)
    empty = sum(case.found is not None and not len(case.found) for case in cases)
    found = sum(len(case.found) for case in cases if case.found is not None)
    return {"images": len(cases), "detections": found, "missing predictions": missing, "empty predictions": empty}


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, _DIGITS)
