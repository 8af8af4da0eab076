"""Which detection found which face: overlaps and the assignment by the best one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.types import Floats

PAIRS = 1 << 21
"""Most pairs of a detection and a face whose overlap is in memory at once, 16 MiB a number of each."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Match:
    """Of D detections, best first: the face that each overlaps most (`best` (D,), the first of equals, -1 without
    faces) and by how much (`share` (D,)), whether that is enough (`hit` (D,)), and whether none before it hit that face
    (`first` (D,))."""

    best: NDArray[np.int64]
    share: Numbers
    hit: NDArray[np.bool_]
    first: NDArray[np.bool_]


def overlaps(found: Floats, truth: Floats, plus_one: bool = False, crowd: NDArray[np.bool_] | None = None) -> Numbers:
    """Intersection over union (D, G), float64, of boxes (D, 4) and (G, 4); with those of `crowd` (G,), the share of the
    detection that lies inside, as COCO has it for regions of many.

    With `plus_one` sides are counted in pixels, as the MATLAB tools do. A pair that does not overlap has 0, boxes
    without extent included, whatever their union. float32 is not enough: of two numbers of pixels the quotient may lie
    on the wrong side of a threshold.
    """
    sides = []
    a, b, extra = found.astype(np.float64).T, truth.astype(np.float64).T, float(plus_one)
    for low in (0, 1):
        side = np.minimum(a[low + 2, :, None], b[low + 2])
        side -= np.maximum(a[low, :, None], b[low])
        side += extra
        sides.append(side)
    apart = (sides[0] <= 0) | (sides[1] <= 0)
    inner = np.multiply(sides[0], sides[1], out=sides[0])
    inner[apart] = 0
    union = np.subtract(_areas(a, extra)[:, None] + _areas(b, extra), inner, out=sides[1])
    if crowd is not None and crowd.any():
        union = np.where(crowd, _areas(a, extra)[:, None], union)
    shares: Numbers = np.divide(inner, union, out=inner, where=~apart & (union > 0))
    return shares


def _areas(corners: Numbers, extra: float) -> Numbers:
    area: Numbers = (corners[2] - corners[0] + extra) * (corners[3] - corners[1] + extra)
    return area


def match(found: Floats, truth: Floats, threshold: float = 0.5, plus_one: bool = False) -> Match:
    """Assign each of the boxes `found` (D, 4), best first, to the one of `truth` (G, 4) that it overlaps most; it hits
    with an overlap of at least `threshold`. Give faces that do not count too, so that their detections go to them."""
    best, most = np.full(len(found), -1, np.int64), np.zeros(len(found))
    if len(truth):
        step = max(1, PAIRS // len(truth))
        for start in range(0, len(found), step):
            part = slice(start, start + step)
            shares = overlaps(found[part], truth, plus_one)
            best[part] = shares.argmax(axis=1)
            most[part] = shares[np.arange(len(shares)), best[part]]
    hit = (best >= 0) & (most >= threshold)
    first = np.zeros(len(found), np.bool_)
    places = np.flatnonzero(hit)
    first[places[np.unique(best[places], return_index=True)[1]]] = True
    return Match(best, most, hit, first)
