"""The score threshold of a quantised detector: the one at which it errs as often as the original does at its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.geometry import iou
from zoo.models.int8.pictures import Picture
from zoo.types import Faces, Floats

LABELLED = 0.3
"""Least overlap (intersection over union) of a found box with an annotated one for the face to be the same. It is lower
than between two models, since annotators cut faces out in ways of their own."""

STEP = 1e-4
"""To what a threshold is rounded."""

ROUNDING = 1e-3
"""Of a step: scores are float32, and 0.65 of these is a little less than 0.65."""

FLOOR = 0.25
"""Faces are looked for down to this part of the threshold: what a new threshold may be lies above it."""


@dataclass(frozen=True)
class Refit:
    """The threshold `before`, that of the original, and `after`. `counts` are what was made equal: the false positives
    of the original at the first and of the quantised model at the second where faces are `annotated`, else all faces.
    """

    before: float
    after: float
    counts: tuple[int, int]
    annotated: bool

    def __str__(self) -> str:
        what = "false positives" if self.annotated else "faces"
        return f"{self.before:g} -> {self.after:g}: {self.counts[0]} and {self.counts[1]} {what}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the receipt."""
        return asdict(self)


def refit(wanted: Sequence[Faces], found: Sequence[Faces], pictures: Sequence[Picture], threshold: float) -> Refit:
    """Fit the threshold of the model that `found` faces to that of the one that found the `wanted`, both looked for
    down to `FLOOR` of `threshold`.

    Where faces are annotated, as many of the found ones as before are to have no partner among these. Where none are,
    the original's faces stand for the truth, and what is too many is to be as much as what is missing: as many faces.
    Of all thresholds that do, the nearest to the old one is taken.
    """
    annotated = any(picture.boxes is not None for picture in pictures)
    if annotated:
        one, other = (
            np.concatenate([np.zeros(0, np.float32), *map(_unlabelled, each, pictures)]) for each in (wanted, found)
        )
    else:
        one, other = (np.concatenate([np.zeros(0, np.float32), *(f.scores for f in each)]) for each in (wanted, found))
    allowed = int((one >= threshold).sum())
    after = _nearest(other, allowed, threshold)
    return Refit(threshold, after, (allowed, int((other >= after).sum())), annotated)


def _unlabelled(faces: Faces, picture: Picture) -> Floats:
    """The scores of the faces that are false positives; in a picture without annotation none can be told to be."""
    if picture.boxes is None or not len(faces):
        return np.zeros(0, np.float32)
    if not len(picture.boxes):
        return faces.scores
    alone: NDArray[np.bool_] = iou(faces.boxes, picture.boxes).max(axis=1) < LABELLED
    return faces.scores[alone]


def _nearest(scores: Floats, count: int, threshold: float) -> float:
    """The value nearest to `threshold` that `count` of `scores` reach; there may be fewer, then all."""
    ordered = np.sort(scores.astype(np.float64))[::-1]
    below = float(ordered[count]) if count < len(ordered) else 0.0
    above = float(ordered[count - 1]) if 0 < count <= len(ordered) else 1.0
    if threshold <= below:
        return min(above, round((math.floor(below / STEP + ROUNDING) + 1) * STEP, 4))
    if threshold > above:
        return max(math.nextafter(below, 1), round(math.floor(above / STEP) * STEP, 4))
    return threshold
