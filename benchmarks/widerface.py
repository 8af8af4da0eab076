"""WIDER FACE's evaluation of saved predictions, against the same as programs in Python have it: image after image, box
after box, a thousand thresholds each.

The predictions are those of the fixtures, 297,333 boxes for 3,226 images, read before the clock starts. Both sides are
given the same arrays and must give the same figures.
"""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from zoo_widerface.protocol import SETTINGS, STEPS, judge, truth

from benchmarks.harness import Report, arguments, in_turn, seconds
from benchmarks.photographs import FIXTURES
from zoo.datasets.sample import Annotation
from zoo.evaluation.predictions import read
from zoo.evaluation.verdict import Case, Judging

ARCHIVE = "wider/pred/thflgg133__RetinaFace-optimization.tar.xz"
PUBLISHED = (0.90696, 0.88158, 0.73829)
BOOTSTRAP = 1000


def load(count: int) -> list[Case]:
    """The first `count` images (0: all) with what is true and what was predicted."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(FIXTURES / ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
        cases = read(Path(folder)).cases(truth(FIXTURES / "wider" / "gt", "none").labels())
    return cases[: count or None]


def plain(cases: Sequence[Case]) -> list[float]:
    """The figures of all settings, one after another."""
    scores = np.concatenate([case.found.scores for case in cases if case.found is not None]).astype(np.float64)
    return [_setting(cases, name, float(scores.min()), float(scores.max())) for name in SETTINGS]


def _setting(cases: Sequence[Case], name: str, low: float, high: float) -> float:
    faces, table = 0, np.zeros((STEPS, 2))
    for case in cases:
        kept = _kept(case.truth, name)
        faces += int(kept.sum())
        if case.found is None or case.truth.boxes is None or not len(case.found) or not len(case.truth.boxes):
            continue
        order = np.argsort(-case.found.scores, kind="stable")
        boxes, truth = case.found.boxes[order].astype(np.float64), case.truth.boxes.astype(np.float64)
        ranked = (case.found.scores[order].astype(np.float64) - low) / (high - low)
        table += _image(boxes, ranked, truth, kept)
    precision = np.divide(table[:, 1], table[:, 0], out=np.zeros(STEPS), where=table[:, 0] > 0)
    recall = np.concatenate([[0.0], table[:, 1] / faces, [1.0]])
    envelope = np.concatenate([[0.0], precision, [0.0]])
    for place in range(len(envelope) - 1, 0, -1):
        envelope[place - 1] = max(envelope[place - 1], envelope[place])
    return float(np.sum((recall[1:] - recall[:-1]) * envelope[1:]))


def _kept(truth: Annotation, name: str) -> NDArray[np.bool_]:
    column = (truth.attributes or {}).get(name)
    return np.zeros(0, np.bool_) if column is None else column.astype(np.bool_)


def _image(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], truth: NDArray[np.float64], kept: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """What one image adds at each threshold: proposals and found faces (STEPS, 2)."""
    state, proposals, recalls = np.zeros(len(truth)), np.ones(len(boxes)), np.zeros(len(boxes))
    for place, box in enumerate(boxes):
        shares = _overlaps(box, truth)
        best = int(shares.argmax())
        if shares[best] >= 0.5:
            if not kept[best]:
                state[best], proposals[place] = -1, 0
            elif state[best] == 0:
                state[best] = 1
        recalls[place] = (state == 1).sum()
    table = np.zeros((STEPS, 2))
    for step in range(STEPS):
        above = np.where(scores >= 1 - (step + 1) / STEPS)[0]
        if len(above):
            table[step] = proposals[: above[-1] + 1].sum(), recalls[above[-1]]
    return table


def _overlaps(box: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """One box against the faces, as ``boxoverlap.m`` has it."""
    width = np.minimum(box[2], truth[:, 2]) - np.maximum(box[0], truth[:, 0]) + 1
    height = np.minimum(box[3], truth[:, 3]) - np.maximum(box[1], truth[:, 1]) + 1
    inner = width * height
    areas = (truth[:, 2] - truth[:, 0] + 1) * (truth[:, 3] - truth[:, 1] + 1)
    union = (box[2] - box[0] + 1) * (box[3] - box[1] + 1) + areas - inner
    apart = (width <= 0) | (height <= 0) | (union <= 0)
    return np.where(apart, 0.0, inner / np.where(apart, 1.0, union))


def measure(rounds: int, images: int) -> Report:
    """All three settings of the first `images` images, 0 for all."""
    report = Report("widerface")
    cases = load(images)
    figures, theirs = [score.value for score in judge(Judging(cases)).scores], plain(cases)
    taken = in_turn(rounds, {"zoo": lambda: seconds(lambda: judge(Judging(cases))), "limit": lambda: 5.0})
    peer = [seconds(lambda: plain(cases))]  # minutes: once
    report.compare("three settings with slices", "5 seconds", taken["zoo"], taken["limit"], "s", most=1.0)
    report.compare("three settings with slices", "plain Python port", taken["zoo"][:1], peer, "s")
    resampled = [seconds(lambda: judge(Judging(cases, BOOTSTRAP))) for _ in range(rounds)]
    report.compare(f"with {BOOTSTRAP} resampled sets", "without", resampled, taken["zoo"], "s")
    report.facts = {
        "images": len(cases),
        "boxes": sum(len(case.found) for case in cases if case.found is not None),
        "figures": dict(zip(SETTINGS, (round(value, 5) for value in figures), strict=True)),
        "difference from the port": max(abs(a - b) for a, b in zip(figures, theirs, strict=True)),
        "published": None if images else list(PUBLISHED),
    }
    return report


if __name__ == "__main__":
    options = arguments(__doc__, rounds=5, images=0)
    measure(options.rounds, options.images).print()
