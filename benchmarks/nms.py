"""Non-maximum suppression against OpenCV's and a plain loop in numpy, for 100 to 100,000 candidates.

Candidates lie as a detector leaves them: for each face of a crowd, many boxes that differ a little.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.harness import Report, arguments, in_turn, seconds
from zoo.geometry import nms
from zoo.types import Floats

THRESHOLD = 0.45
PER_FACE = 20
SLOWEST = 10_000
"""From how many candidates on the plain loop is left out: it takes minutes."""


def candidates(count: int, seed: int = 0) -> tuple[Floats, Floats]:
    """`count` boxes (N, 4) and their scores (N,), `PER_FACE` around each of the faces of a 1920 x 1080 picture."""
    chance = np.random.default_rng(seed)
    faces = max(1, count // PER_FACE)
    sides = chance.lognormal(3.2, 0.6, faces)
    centres = chance.uniform((0, 0), (1920, 1080), (faces, 2))
    owner = chance.integers(0, faces, count)
    shift = chance.normal(0, 0.12, (count, 2)) * sides[owner, None]
    size = sides[owner, None] * chance.normal(1, 0.1, (count, 2)).clip(0.5)
    corner = centres[owner] + shift - size / 2
    return np.hstack([corner, corner + size]).astype(np.float32), chance.uniform(0.02, 1, count).astype(np.float32)


def opencv(boxes: Floats, scores: Floats) -> list[int]:
    """``cv2.dnn.NMSBoxes``, its boxes made from ours."""
    sides = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    return np.ravel(cv2.dnn.NMSBoxes(sides, scores, 0.0, THRESHOLD)).tolist()  # type: ignore[arg-type]


def plain(boxes: Floats, scores: Floats) -> list[int]:
    """The loop found in most repositories: the best box against all that are left."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order, kept = np.argsort(-scores, kind="stable"), []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        top = np.maximum(boxes[best, :2], boxes[rest, :2])
        sides = np.maximum(np.minimum(boxes[best, 2:], boxes[rest, 2:]) - top, 0)
        overlap = sides[:, 0] * sides[:, 1]
        order = rest[overlap / (area[best] + area[rest] - overlap) <= THRESHOLD]
    return kept


def measure(rounds: int, largest: int) -> Report:
    """100, 1,000, ... up to `largest` candidates."""
    report = Report("nms")
    for count in (10**power for power in range(2, len(str(largest)))):
        boxes, scores = candidates(count)
        calls: dict[str, Callable[[], object]] = {
            "zoo": lambda b=boxes, s=scores: nms(b, s, THRESHOLD),
            "cv2.dnn.NMSBoxes": lambda b=boxes, s=scores: opencv(b, s),
        }
        if count < SLOWEST * 10:
            calls["plain numpy"] = lambda b=boxes, s=scores: plain(b, s)
        repeats = max(1, 2000 // count)
        kept = {name: set(map(int, call())) for name, call in calls.items()}  # type: ignore[call-overload]
        taken = in_turn(rounds, {name: lambda c=call, n=repeats: _mean(c, n) for name, call in calls.items()})
        for peer in list(calls)[1:]:
            report.compare(f"{count} candidates", peer, taken["zoo"], taken[peer], "s")
        differ = {peer: len(kept["zoo"] ^ kept[peer]) for peer in list(calls)[1:]}
        report.facts[str(count)] = {"kept": len(kept["zoo"]), "kept differently": differ}
    return report


def _mean(call: Callable[[], object], repeats: int) -> float:
    return seconds(lambda: [call() for _ in range(repeats)]) / repeats


if __name__ == "__main__":
    options = arguments(__doc__, rounds=9, largest=100_000)
    measure(options.rounds, options.largest).print()
