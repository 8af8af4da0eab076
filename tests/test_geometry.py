"""Boxes and transforms against OpenCV and against loops that spell out the definition."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import geometry


def random_boxes(seed: int, count: int, spread: float = 100.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corner, side = rng.uniform(0, spread, (count, 2)), rng.uniform(1, 40, (count, 2))
    return np.hstack([corner, corner + side]).astype(np.float32), rng.random(count).astype(np.float32)


def loop_iou(a: np.ndarray, b: np.ndarray, extra: float) -> np.float32:
    one = np.float32(extra)
    width = max(min(a[2], b[2]) - max(a[0], b[0]) + one, np.float32(0))
    height = max(min(a[3], b[3]) - max(a[1], b[1]) + one, np.float32(0))
    area_a, area_b = ((box[2] - box[0] + one) * (box[3] - box[1] + one) for box in (a, b))
    return width * height / (area_a + area_b - width * height)


def loop_nms(boxes: np.ndarray, scores: np.ndarray, threshold: float, extra: float) -> list[int]:
    kept: list[int] = []
    for candidate in sorted(range(len(scores)), key=lambda index: (-scores[index], index)):
        if all(loop_iou(boxes[other], boxes[candidate], extra) <= np.float32(threshold) for other in kept):
            kept.append(candidate)
    return kept


def test_iou_of_known_boxes() -> None:
    a = np.array([[0, 0, 10, 10]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [10, 0, 20, 10]], np.float32)
    assert geometry.iou(a, b)[0] == pytest.approx([1, 1 / 3, 0, 0])
    assert geometry.iou(a, b, plus_one=True)[0] == pytest.approx([1, 66 / 176, 0, 11 / 231])


def test_iou_of_empty_and_inverted_boxes_is_zero() -> None:
    boxes = np.array([[5, 5, 5, 5], [9, 9, 1, 1]], np.float32)
    assert geometry.iou(boxes, boxes).tolist() == [[0, 0], [0, 0]]
    assert geometry.iou(np.zeros((0, 4), np.float32), boxes).shape == (0, 2)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(0, 60),
    threshold=st.sampled_from([0.0, 0.3, 0.45, 0.9, 1.0]),
    plus_one=st.booleans(),
    levels=st.sampled_from([3, 1000]),
)
def test_nms_equals_the_textbook(seed: int, count: int, threshold: float, plus_one: bool, levels: int) -> None:
    boxes, scores = random_boxes(seed, count)
    scores = np.round(scores * levels) / np.float32(levels)  # ties
    kept = geometry.nms(boxes, scores, threshold, plus_one)
    assert kept.tolist() == loop_nms(boxes, scores, threshold, float(plus_one))
    assert kept.dtype == np.int64


@pytest.mark.parametrize("seed", range(5))
def test_nms_equals_opencv(seed: int) -> None:
    boxes, scores = random_boxes(seed, 400, spread=300)
    as_xywh = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).astype(float)
    expected = cv2.dnn.NMSBoxes(as_xywh.tolist(), scores.tolist(), 0.0, 0.4)
    assert geometry.nms(boxes, scores, 0.4).tolist() == np.asarray(expected).tolist()


@pytest.mark.parametrize("threshold", [0.3, 0.45, 0.7])
def test_nms_equals_torchvision(threshold: float) -> None:
    torch = pytest.importorskip("torch", reason="torchvision's suppression needs PyTorch")
    ops = pytest.importorskip("torchvision.ops", reason="torchvision is not installed")
    for seed in range(5):
        boxes, scores = random_boxes(seed, 3000, spread=400.0)
        expected = ops.nms(torch.from_numpy(boxes), torch.from_numpy(scores), threshold)
        assert 100 < len(expected) < 3000
        assert geometry.nms(boxes, scores, threshold).tolist() == expected.tolist()


def test_nms_limits() -> None:
    boxes, scores = random_boxes(1, 200)
    everything = geometry.nms(boxes, scores, 0.4)
    assert geometry.nms(boxes, scores, 0.4, keep=3).tolist() == everything[:3].tolist()
    best = np.argsort(-scores)[:20]
    assert set(geometry.nms(boxes, scores, 0.4, top_k=20)) <= set(best.tolist())
    assert geometry.nms(boxes[:0], scores[:0], 0.4).tolist() == []


def test_nms_of_a_hundred_thousand_candidates_is_quick() -> None:
    rng = np.random.default_rng(2)
    corner, side = np.repeat(rng.uniform(0, 1500, (2000, 2)), 50, 0), np.repeat(rng.uniform(8, 60, (2000, 1)), 50, 0)
    corner = corner + rng.normal(0, 0.05, corner.shape) * side
    boxes = np.hstack([corner, corner + side]).astype(np.float32)
    started = time.perf_counter()
    kept = geometry.nms(boxes, rng.random(len(boxes)).astype(np.float32), 0.4)
    assert 1500 < len(kept) < 3000
    assert time.perf_counter() - started < 5


def test_points_are_row_major_and_round_up() -> None:
    grid = geometry.points(20, 9, 8)
    assert grid.tolist() == [[0, 0], [8, 0], [16, 0], [0, 8], [8, 8], [16, 8]]
    assert geometry.points(8, 8, 8, offset=0.5).tolist() == [[4, 4]]
    assert grid.dtype == np.float32


def test_points_of_some_cells() -> None:
    cells = np.array([0, 7, 3, 5])
    assert np.array_equal(geometry.points_at(cells, 30, 8), geometry.points(30, 9, 8)[cells])
    assert geometry.cell_count(30, 9, 8) == len(geometry.points(30, 9, 8)) == 8


def test_prior_boxes_equal_the_loop() -> None:
    steps, sizes = (8, 16, 32), ((16, 32), (64, 128), (256, 512))
    expected = [
        [(column + 0.5) * step, (row + 0.5) * step, size, size]
        for step, level in zip(steps, sizes, strict=True)
        for row in range(-(-50 // step))
        for column in range(-(-70 // step))
        for size in level
    ]
    anchors = geometry.prior_boxes(70, 50, steps, sizes)
    assert anchors.tolist() == expected
    assert anchors.dtype == np.float32


def test_boxes_from_distances_and_centres() -> None:
    centres = np.array([[10, 20]], np.float32)
    assert geometry.boxes_from_distances(centres, np.array([[1, 2, 3, 4]], np.float32)).tolist() == [[9, 18, 13, 24]]
    assert geometry.boxes_from_centres(centres, np.array([[4, 6]], np.float32)).tolist() == [[8, 17, 12, 23]]


@settings(max_examples=50, deadline=None)
@given(
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.1, 10),
    shift=st.tuples(st.floats(-100, 100), st.floats(-100, 100)),
    seed=st.integers(0, 1000),
)
def test_similarity_recovers_a_transform(angle: float, scale: float, shift: tuple[float, float], seed: int) -> None:
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    truth = np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]]])
    src = np.random.default_rng(seed).uniform(0, 112, (5, 2))
    found = geometry.similarity(src, src @ truth[:, :2].T + truth[:, 2])
    assert np.abs(found - truth).max() < 1e-6


def test_similarity_of_noisy_points_is_as_good_as_opencvs() -> None:
    rng = np.random.default_rng(0)
    src = rng.uniform(0, 112, (5, 2)).astype(np.float32)
    dst = (src * 1.5 + 7 + rng.normal(0, 2, src.shape)).astype(np.float32)
    theirs, _ = cv2.estimateAffinePartial2D(src, dst, method=cv2.RANSAC, ransacReprojThreshold=1e6)

    def error(matrix: np.ndarray) -> float:
        return float(((geometry.transform(matrix, src) - dst) ** 2).sum())

    ours = geometry.similarity(src, dst)
    assert error(ours) <= error(theirs) * (1 + 1e-4)
    assert ours == pytest.approx(theirs, abs=0.05)


def test_similarity_never_mirrors() -> None:
    src = np.array([[0, 0], [10, 0], [0, 10.0]])
    assert np.linalg.det(geometry.similarity(src, src * [-1, 1])[:, :2]) > 0
    with pytest.raises(ValueError, match="two different points"):
        geometry.similarity(np.ones((3, 2)), src)
