"""SCRFD against known values and against a loop over its anchors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from zoo_scrfd.decode import Decode

from tests.plugins.comparing import assert_same
from zoo.errors import ModelError
from zoo.inference.detector import Detector
from zoo.types import Faces

Load = Callable[..., Detector]
KEYPOINTS = [761.1, 400.1, 803.8, 399.8, 774.6, 429.0, 767.2, 444.4, 805.0, 443.5]


@pytest.mark.parametrize("file", ["official_det_500m.onnx", "scrfd_500m_bnkps_dynamic.onnx"])
def test_known_values_in_both_generations_of_files(file: str, load: Load, fixtures: Path, t1: np.ndarray) -> None:
    detector = load(fixtures / "scrfd" / file)
    faces = detector(t1)
    assert detector.card.id == "scrfd_500m_bnkps"
    assert detector.batches == ("dynamic" in file)
    assert faces.boxes[0] == pytest.approx([745.332, 342.197, 847.275, 480.128], abs=0.02)
    assert faces.scores[0] == pytest.approx(0.879, abs=0.001)
    assert faces.keypoints is not None
    assert faces.keypoints[0].ravel() == pytest.approx(KEYPOINTS, abs=0.1)


def test_known_values_of_the_larger_model(load: Load, t1: np.ndarray) -> None:
    faces = load("scrfd_2.5g_bnkps")(t1)
    assert faces.boxes[0] == pytest.approx([745.815, 339.186, 845.652, 480.635], abs=0.02)
    assert faces.scores[0] == pytest.approx(0.917, abs=0.001)


def reference(path: Path, image: np.ndarray) -> Faces:
    """The same answer, spelt out anchor by anchor: letterbox to 640, black padding, greedy suppression with +1."""
    height, width = image.shape[:2]
    ratio = height / width
    new_width, new_height = (int(640 / ratio), 640) if ratio > 1 else (640, int(640 * ratio))
    canvas = np.zeros((640, 640, 3), np.uint8)
    canvas[:new_height, :new_width] = cv2.resize(image, (new_width, new_height))
    blob = cv2.dnn.blobFromImage(canvas, 1 / 128, (640, 640), (127.5, 127.5, 127.5), swapRB=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    outputs = onnxruntime.InferenceSession(str(path), options).run(None, {"input.1": blob})
    outputs = [array.reshape(-1, array.shape[-1]) for array in outputs]
    found = []
    for level, stride in enumerate((8, 16, 32)):
        scores, distances = outputs[level], outputs[level + 3]
        for row in np.flatnonzero(scores[:, 0] >= 0.5):
            y, x = divmod(int(row) // 2, 640 // stride)
            left, top, right, bottom = distances[row]
            box = [(x - left) * stride, (y - top) * stride, (x + right) * stride, (y + bottom) * stride]
            found.append((float(scores[row, 0]), *(np.array(box) / (new_height / height))))
    kept: list[tuple[float, ...]] = []
    for one in sorted(found, reverse=True):
        if all(overlap(one, other) <= 0.4 for other in kept):
            kept.append(one)
    rows = np.array(kept, np.float32).reshape(-1, 5)
    return Faces(rows[:, 1:], rows[:, 0])


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + 1)
    height = max(0.0, min(a[4], b[4]) - max(a[2], b[2]) + 1)
    areas = [(box[3] - box[1] + 1) * (box[4] - box[2] + 1) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("scrfd_500m", "scrfd_500m_dynamic.onnx"),
        ("scrfd_500m_bnkps", "scrfd_500m_bnkps_dynamic.onnx"),
        ("scrfd_2.5g_bnkps", "scrfd_2.5g_bnkps_dynamic.onnx"),
    ],
)
def test_equals_the_loop(name: str, file: str, load: Load, fixtures: Path, photographs: list[Path]) -> None:
    detector = load(name)
    for path in photographs[::3]:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        assert image is not None
        # The script maps widths by the height's ratio, which differs from the width's by less than a pixel.
        assert_same(detector(image), reference(fixtures / "scrfd" / file, image), pixels=1.0, score=0.001)


def test_five_strides_with_one_anchor() -> None:
    strides = (8, 16, 32, 64, 128)
    cells = [(128 // stride) ** 2 for stride in strides]
    outputs = [np.full((n, 1), 0.1 * level, np.float32) for level, n in enumerate(cells, 5)]
    outputs += [np.ones((n, 4), np.float32) for n in cells] + [np.full((n, 10), 0.5, np.float32) for n in cells]
    faces = Decode(strides, anchors=1)(outputs, 128, 128, 0.65)
    assert len(faces) == sum(cells[2:])
    assert faces.boxes[-1].tolist() == [-128, -128, 128, 128]
    assert faces.keypoints is not None
    assert (faces.keypoints[-1] == 64).all()


def test_a_model_without_keypoints(load: Load, t1: np.ndarray) -> None:
    assert load("scrfd_500m")(t1).keypoints is None


def test_other_peoples_files(load: Load, fixtures: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"yunet_n_dynamic\.onnx is a file of yunet_n, not of scrfd_500m"):
        load("scrfd_500m", weights=fixtures / "yunet" / "yunet_n_dynamic.onnx")
    unknown = tmp_path / "mine.onnx"
    unknown.write_bytes((fixtures / "scrfd" / "scrfd_500m_dynamic.onnx").read_bytes() + b"\x3a\x00")
    with pytest.raises(ModelError, match=r"mine\.onnx does not fit the card scrfd_500m_bnkps, .* 9 outputs .* has 6"):
        load(unknown, card="scrfd_500m_bnkps")
    assert len(load(unknown, card="scrfd_500m")(fixtures / "images" / "insightface_t1.jpg")) == 6
