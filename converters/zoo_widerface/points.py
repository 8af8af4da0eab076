"""Faces as rows of up to twenty numbers: a box, five keypoints with a flag each, and a quality."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from zoo.datasets.decimals import fewest
from zoo.datasets.sample import Annotation
from zoo.types import Floats
from zoo_widerface.writing import within

POINTS = slice(4, 19)
SCORE = 19
_MISSING = -1.0


def table(rows: list[list[float]]) -> NDArray[np.float64]:
    """Rows of 4, 5, 19 or 20 numbers as (N, 20), NaN where a row is shorter. The fifth number of a row of 5 is not
    among them."""
    numbers = np.full((len(rows), 20), np.nan)
    for number, row in enumerate(rows):
        given = row[:4] if len(row) == 5 else row
        numbers[number, : len(given)] = given
    return numbers


def annotate(numbers: NDArray[np.float64], boxes: Floats) -> Annotation:
    """Faces of rows from `table`: keypoints and flags where a row has them, scores where a row has one.

    A keypoint of which all three numbers are -1 is missing: its coordinates become NaN, its flag stays -1. Where a row
    gives no keypoints, their flags are NaN too, which is how the two are told apart.
    """
    faces = Annotation(boxes)
    if not np.isnan(numbers[:, POINTS]).all():
        triples = numbers[:, POINTS].reshape(-1, 5, 3)
        missing = (triples == _MISSING).all(axis=2)
        faces.flags = triples[:, :, 2].astype(np.float32)
        faces.keypoints = np.where(missing[:, :, None], np.nan, triples[:, :, :2]).astype(np.float32)
    if not np.isnan(numbers[:, SCORE]).all():
        faces.scores = numbers[:, SCORE].astype(np.float32)
    return faces


def words(faces: Annotation, key: str, write: Callable[[float], str]) -> list[list[str]]:
    """What follows the box in the row of each of N faces, number by number: nothing, keypoints, or keypoints and a
    quality. Raises `InputError` for infinite numbers; `key` names the sample."""
    found = []
    for triple, score in zip(_triples(faces, key).tolist(), _scores(faces, key).tolist(), strict=True):
        row = [] if math.isnan(triple[0]) else triple
        if not math.isnan(score):
            row = [*(row or [_MISSING] * 15), score]
        found.append([write(number) for number in row])
    return found


def _triples(faces: Annotation, key: str) -> NDArray[np.float64]:
    """The keypoints of N faces as (N, 15) numbers x y flag, each with the fewest decimals; a row of NaN for a face that
    has neither keypoints nor flags.

    A keypoint without a flag gets 0, a missing one is three times -1. Raises `InputError` for infinite ones.
    """
    if faces.keypoints is None:
        return np.full((len(faces), 15), np.nan)
    points = faces.keypoints
    missing = np.isnan(points[:, :, 0]) | np.isnan(points[:, :, 1])
    flags = np.full(missing.shape, np.nan, np.float32) if faces.flags is None else faces.flags
    absent = missing.all(axis=1) & np.isnan(flags).all(axis=1)
    numbers = np.concatenate([points, np.nan_to_num(flags, nan=0.0)[:, :, None]], axis=2)
    numbers[missing] = _MISSING
    within(numbers, "keypoint", key)
    rows = fewest(numbers).reshape(-1, 15)
    rows[absent] = np.nan
    return rows


def _scores(faces: Annotation, key: str) -> NDArray[np.float64]:
    """The scores of N faces with the fewest decimals, NaN for a face without one. Raises `InputError` for infinite
    ones."""
    if faces.scores is None:
        return np.full(len(faces), np.nan)
    within(np.nan_to_num(faces.scores, nan=0.0, posinf=np.inf, neginf=-np.inf), "score", key)
    return fewest(faces.scores)
