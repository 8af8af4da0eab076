"""YuNet against known values and against OpenCV's FaceDetectorYN."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from zoo_yunet.decode import Decode
from zoo_yunet.options import YunetOptions

from tests.plugins.comparing import assert_same
from zoo import images
from zoo.inference.detector import Detector
from zoo.options import make
from zoo.types import Faces

Load = Callable[..., Detector]


@pytest.mark.parametrize(
    ("name", "box", "score"),
    [("yunet_n", (463.90, 269.80, 571.76, 413.18), 0.94), ("yunet_s", (466.15, 266.53, 568.28, 411.73), 0.94)],
)
def test_known_values(name: str, box: tuple[float, ...], score: float, load: Load, t1: np.ndarray) -> None:
    faces = load(name)(t1)
    assert faces.boxes[0] == pytest.approx(box, abs=0.02)
    assert faces.scores[0] == pytest.approx(score, abs=0.01)


def opencvs(path: Path, image: np.ndarray) -> Faces:
    height, width = image.shape[:2]
    detector = cv2.FaceDetectorYN.create(str(path), "", (width, height), 0.6, 0.45, 5000)
    _, rows = detector.detect(image)
    if rows is None:
        return Faces.empty(5)
    boxes = np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:4]])
    return Faces(boxes, rows[:, 14], rows[:, 4:14].reshape(-1, 5, 2))


@pytest.mark.parametrize("name", ["yunet_n", "yunet_s"])
def test_equals_opencv_on_every_photograph(name: str, load: Load, fixtures: Path, photographs: list[Path]) -> None:
    detector, file, total = load(name), fixtures / "yunet" / f"{name}_dynamic.onnx", 0
    for path in photographs:
        image = images.read(path)
        faces = detector(image)
        assert_same(faces, opencvs(file, image), pixels=0.5, score=0.01)
        total += len(faces)
    assert total > len(photographs)


def test_the_two_scores(load: Load, t1: np.ndarray) -> None:
    geometric = load("yunet_n", score_threshold=0.5)(t1)
    product = load("yunet_n", score_threshold=0.25, score="product")(t1)
    assert geometric.boxes.tolist() == product.boxes.tolist()
    assert geometric.scores**2 == pytest.approx(product.scores, abs=1e-6)


def test_decoding_equals_the_formula() -> None:
    rng = np.random.default_rng(0)
    width, height, strides = 64, 32, (8, 16, 32)
    cells = [(width // stride) * (height // stride) for stride in strides]
    outputs = [rng.uniform(0, 1, (n, 1)).astype(np.float32) for _ in range(2) for n in cells]
    outputs += [rng.normal(0, 1, (n, size)).astype(np.float32) for size in (4, 10) for n in cells]
    expected = []
    for level, stride in enumerate(strides):
        classes, objectness, boxes, keypoints = outputs[level::3]
        for cell in range(cells[level]):
            y, x = divmod(cell, width // stride)
            score = np.sqrt(classes[cell, 0] * objectness[cell, 0])
            if score >= 0.5:
                cx, cy = (x + boxes[cell, 0]) * stride, (y + boxes[cell, 1]) * stride
                w, h = np.exp(boxes[cell, 2:]) * stride
                points = [(keypoints[cell, n] + (y if n % 2 else x)) * stride for n in range(10)]
                expected.append([score, cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, *points])
    faces = Decode(strides)(outputs, width, height, 0.5)
    assert faces.keypoints is not None
    found = np.column_stack([faces.scores, faces.boxes, faces.keypoints.reshape(-1, 10)])
    assert found == pytest.approx(np.array(expected), abs=1e-3)


def test_scores_beyond_one_by_rounding() -> None:
    low, high = np.float32([[-1e-7]]), np.float32([[1.0000002]])
    boxes, keypoints = np.zeros((1, 4), np.float32), np.zeros((1, 10), np.float32)
    assert Decode((8,))([low, high, boxes, keypoints], 8, 8, 0).scores.tolist() == [0]
    assert Decode((8,))([high, high, boxes, keypoints], 8, 8, 0).scores.tolist() == [1]


@pytest.mark.parametrize(
    ("score", "thresholds", "geometric"),
    [
        ("auto", "photo", True),
        ("auto", "protocol", False),
        ("geometric", "protocol", True),
        ("product", "photo", False),
    ],
)
def test_the_protocol_is_judged_by_the_product_unless_said_otherwise(
    score: str, thresholds: str, geometric: bool
) -> None:
    assert make(YunetOptions, {"score": score, "thresholds": thresholds}).geometric is geometric
