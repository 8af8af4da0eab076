"""Overlaps and the assignment of detections to faces."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.evaluation import matching
from zoo.evaluation.matching import match, overlaps
from zoo.geometry import iou
from zoo.types import Floats


def boxes(*rows: tuple[float, float, float, float]) -> Floats:
    return np.array(rows, np.float32).reshape(-1, 4)


def some(count: int, seed: int) -> Floats:
    corners = np.random.default_rng(seed).integers(0, 80, (count, 2))
    return np.hstack([corners, corners + 20]).astype(np.float32)


@pytest.mark.parametrize("plus_one", [False, True])
def test_overlaps_are_those_of_geometry(plus_one: bool) -> None:
    a, b = some(30, 1), some(20, 2)
    assert np.allclose(overlaps(a, b, plus_one), iou(a, b, plus_one), atol=1e-6)


def test_boxes_without_extent_overlap_nothing() -> None:
    nothing = boxes((3, 3, 3, 3), (5, 5, 2, 2))
    assert not overlaps(nothing, boxes((0, 0, 9, 9), (3, 3, 3, 3), (5, 5, 2, 2))).any()


def test_of_a_crowd_the_share_of_the_detection_counts() -> None:
    found, faces = boxes((0, 0, 10, 10)), boxes((0, 0, 100, 100), (0, 0, 100, 100))
    assert overlaps(found, faces, crowd=np.array([True, False])).tolist() == [[1.0, 0.01]]


def test_each_detection_goes_to_the_face_it_overlaps_most() -> None:
    faces = boxes((0, 0, 10, 10), (4, 0, 14, 10))
    made = match(boxes((3, 0, 13, 10), (0, 0, 10, 10), (1, 0, 11, 10), (50, 50, 60, 60)), faces)
    assert made.best.tolist()[:3] == [1, 0, 0]
    assert made.hit.tolist() == [True, True, True, False]
    assert made.first.tolist() == [True, True, False, False]
    assert made.share[1] == 1.0 and made.share[3] == 0.0


def test_without_faces_or_detections_nothing_is_hit() -> None:
    none = match(some(3, 1), boxes())
    assert none.best.tolist() == [-1] * 3 and not none.hit.any() and not none.first.any()
    assert match(boxes(), some(3, 1)).best.shape == (0,)


def test_crowds_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    found, faces = some(50, 3), some(12, 4)
    whole = match(found, faces)
    monkeypatch.setattr(matching, "PAIRS", 30)
    parts = match(found, faces)
    for name in ("best", "share", "hit", "first"):
        assert (getattr(whole, name) == getattr(parts, name)).all()
