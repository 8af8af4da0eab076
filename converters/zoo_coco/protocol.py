"""COCO's detection metrics (Lin et al., ECCV 2014), as pycocotools computes them, for boxes of one class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.evaluation.curves import Curve, interval, resampled
from zoo.evaluation.matching import overlaps
from zoo.evaluation.verdict import Case, Judging, Score, Verdict, counted
from zoo.types import Faces, Floats

OVERLAPS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
MOST = 100
"""Detections of an image that count, the best ones: the ``maxDets`` of the usual figures."""

SIZES = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Areas in square pixels, both bounds included."""

BUDGET = 10_000_000
"""At most so many detections are resampled, yet at least `FEWEST` sets: a resampled set is sorted through ten times."""

FEWEST = 100
POINTS = 1000
_WIDTH = np.spacing(1.0)

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class _Table:
    """The D detections that count, best first over all images: `image`, `score`, and by size and overlap, (4, 10, D),
    whether each found a face (`matched`), and whether it is passed over (`ignored`); `faces` (4, N) to be found in each
    of N images."""

    image: Ints
    score: Floats
    matched: Bools
    ignored: Bools
    faces: Ints


def judge(asked: Judging) -> Verdict:
    """Judge `asked` by COCO's rules: faces that are ignored are COCO's crowds."""
    table = _gather(asked.cases)
    images, weights = len(asked.cases), np.ones(len(asked.cases), np.int64)
    found = [_areas(table, size, weights) for size in range(len(SIZES))]
    means = [np.nan if precision is None else float(precision.mean()) for precision, _ in found]
    recalls = [np.nan if precision is None else float(recall.mean()) for precision, recall in found]
    faces = [int(count) for count in table.faces.sum(axis=1)]
    limits = _intervals(table, images, asked)
    at = {"AP50": 0, "AP75": 5}
    scores = [Score("AP", means[0], faces[0], recalls[0], *limits["AP"])]
    for name, column in at.items():
        precision, recall = found[0]
        value, part = (np.nan, np.nan) if precision is None else (float(precision[column]), float(recall[column]))
        scores.append(Score(name, value, faces[0], part, *limits[name]))
    rows = zip(SIZES, means, faces, recalls, strict=True)
    sizes = [Score(f"AP {name}", mean, count, recall) for name, mean, count, recall in rows]
    return Verdict("coco", (*scores, *sizes[1:]), {}, (_curve(table),), counted(asked.cases))


def _gather(cases: Sequence[Case]) -> _Table:
    parts = [_rows(case) for case in cases]
    order_of = [np.full(len(part[0]), number) for number, part in enumerate(parts)]
    image = np.concatenate([np.zeros(0, np.int64), *order_of])
    score = np.concatenate([np.zeros(0, np.float32), *(part[0] for part in parts)])
    matched, ignored = (
        np.concatenate([np.zeros((len(SIZES), len(OVERLAPS), 0), np.bool_), *(part[place] for part in parts)], axis=2)
        for place in (1, 2)
    )
    faces = np.stack([np.zeros(len(SIZES), np.int64), *(part[3] for part in parts)], axis=1)[:, 1:]
    order = np.argsort(-score, kind="stable")
    return _Table(image[order], score[order], matched[..., order], ignored[..., order], faces)


def _rows(case: Case) -> tuple[Floats, Bools, Bools, Ints]:
    """Scores, matched, ignored and faces of one image, as `_Table` has them."""
    boxes = np.zeros((0, 4), np.float32) if case.truth.boxes is None else case.truth.boxes
    crowd = np.zeros(len(boxes), np.bool_) if case.truth.ignored is None else case.truth.ignored
    passed = crowd | _outside(boxes)
    found = Faces.empty() if case.found is None else case.found
    best = np.argsort(-found.scores, kind="stable")[:MOST]
    matched, ignored = _assign(overlaps(found.boxes[best], boxes, crowd=crowd), crowd, passed)
    ignored |= ~matched & _outside(found.boxes[best])[:, None]
    return found.scores[best], matched, ignored, (~passed).sum(axis=1)


def _outside(boxes: Floats) -> Bools:
    """Whether each box is of another size, for each of `SIZES`: (4, N)."""
    corners = boxes.astype(np.float64)
    area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    return np.stack([(area < low) | (area > high) for low, high in SIZES.values()])


def _assign(shares: Numbers, crowd: Bools, passed: Bools) -> tuple[Bools, Bools]:
    """Give each detection, best first, the face that it overlaps most of those that are left, or else of the ones that
    are passed over (`passed` (4, G)); a crowd takes any number. Gives matched and ignored, (4, 10, D)."""
    count, faces = shares.shape
    matched = np.zeros((len(passed), len(OVERLAPS), count), np.bool_)
    ignored, taken = matched.copy(), np.zeros((len(passed), len(OVERLAPS), faces), np.bool_)
    least = np.minimum(OVERLAPS, 1 - 1e-10)[:, None]
    for row in np.flatnonzero((shares >= least[0]).any(axis=1)):
        free = (~taken | crowd) & (shares[row] >= least)
        for kind in (~passed, passed):
            value = np.where(free & kind[:, None], shares[row], -1.0)
            pick = faces - 1 - value[..., ::-1].argmax(axis=2)  # of equals the last
            here = (value.max(axis=2) > 0) & ~matched[..., row]
            matched[..., row] |= here
            ignored[..., row] |= here if kind is passed else False
            size, overlap = np.nonzero(here)
            taken[size, overlap, pick[here]] = True
    return matched, ignored


def _areas(table: _Table, size: int, weights: Ints) -> tuple[Numbers | None, Numbers]:
    """Average precision and recall (10,) of one size, where each image counts `weights` (N,) times; None without
    faces."""
    faces = int(table.faces[size] @ weights)
    if not faces:
        return None, np.zeros(len(OVERLAPS))
    made = [_area(table, size, overlap, weights, faces) for overlap in range(len(OVERLAPS))]
    precisions, recalls = zip(*made, strict=True)
    return np.array(precisions), np.array(recalls)


def _points(table: _Table, size: int, overlap: int, weights: Ints, faces: int) -> tuple[Numbers, Numbers]:
    """Precision and recall (D,) down to each detection."""
    times = weights[table.image] * ~table.ignored[size, overlap]
    right = np.cumsum(times * table.matched[size, overlap], dtype=np.float64)
    return right / (np.cumsum(times) + _WIDTH), right / faces


def _area(table: _Table, size: int, overlap: int, weights: Ints, faces: int) -> tuple[float, float]:
    precision, recall = _points(table, size, overlap, weights, faces)
    if not len(precision):
        return 0.0, 0.0
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(envelope[np.searchsorted(recall, RECALLS, "left")].mean()), float(recall[-1])


def _intervals(table: _Table, images: int, asked: Judging) -> dict[str, tuple[float, float]]:
    """The bootstrap's intervals of the three figures for all sizes."""
    none = dict.fromkeys(("AP", "AP50", "AP75"), (np.nan, np.nan))
    if not asked.bootstrap or not table.faces[0].sum():
        return none
    times = min(asked.bootstrap, max(FEWEST, BUDGET // max(1, len(table.image))))
    drawn = [_areas(table, 0, weights)[0] for weights in resampled(images, times, asked.seed)]
    areas = np.array([area for area in drawn if area is not None])
    if not len(areas):
        return none
    return {"AP": interval(areas.mean(axis=1)), "AP50": interval(areas[:, 0]), "AP75": interval(areas[:, 5])}


def _curve(table: _Table) -> Curve:
    """The curve at an overlap of one half."""
    faces = max(1, int(table.faces[0].sum()))
    precision, recall = _points(table, 0, 0, np.ones(table.faces.shape[1], np.int64), faces)
    chosen = np.unique(np.linspace(0, len(precision) - 1, min(POINTS, len(precision))).round().astype(np.int64))
    return Curve("AP50", table.score[chosen].astype(np.float64), precision[chosen], recall[chosen])
