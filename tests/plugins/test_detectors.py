"""What holds for all three methods on real weights: known counts, both runtimes, batches, files of fixed size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.plugins.comparing import assert_same
from zoo import images
from zoo.inference.detector import Detector

Load = Callable[..., Detector]
MODELS = ["yunet_n", "yunet_s", "scrfd_500m", "scrfd_500m_bnkps", "scrfd_2.5g_bnkps", "retinaface_mnet025"]
WITH_KEYPOINTS = [name for name in MODELS if name != "scrfd_500m"]


@pytest.mark.parametrize("name", MODELS)
def test_known_counts(name: str, load: Load, fixtures: Path) -> None:
    detector = load(name)
    assert len(detector(fixtures / "images" / "insightface_t1.jpg")) == 6
    assert len(detector(fixtures / "images" / "libfd_android_test2.jpg")) == 11


@pytest.mark.parametrize("name", WITH_KEYPOINTS)
def test_no_face_where_there_is_none(name: str, load: Load, fixtures: Path) -> None:
    assert len(load(name)(fixtures / "images" / "inspireface_no_face.png")) == 0


@pytest.mark.parametrize("name", MODELS)
def test_the_runtimes_agree(name: str, load: Load, fixtures: Path) -> None:
    paths = [*sorted((fixtures / "dlib").glob("*.jpg")), fixtures / "images" / "inspireface_rot_0.jpg"]
    ort, opencv = load(name, runtime="onnxruntime"), load(name, runtime="opencv")
    for path in paths:
        assert_same(ort(path), opencv(path), pixels=0.05, score=0.001)


@pytest.mark.parametrize("runtime", ["onnxruntime", "opencv"])
@pytest.mark.parametrize("name", MODELS)
def test_batches_equal_single_runs(name: str, runtime: str, load: Load, fixtures: Path) -> None:
    detector = load(name, runtime=runtime, size="320x320", score_threshold=0.3)
    pictures = [images.read(path) for path in sorted((fixtures / "dlib").glob("*.jpg"))[:5]]
    assert detector.batches
    for picture, faces in zip(pictures, detector.detect(pictures), strict=True):
        assert len(faces)
        assert_same(faces, detector(picture), pixels=0.01, score=0.0001)


@pytest.mark.parametrize("name", WITH_KEYPOINTS)
def test_keypoints_lie_as_a_face_does(name: str, load: Load, t1: np.ndarray) -> None:
    faces = load(name)(t1)
    assert faces.keypoints is not None
    left_eye, right_eye, nose, left_mouth, right_mouth = faces.keypoints.transpose(1, 0, 2)
    assert (left_eye[:, 0] < right_eye[:, 0]).all()
    assert (left_mouth[:, 0] < right_mouth[:, 0]).all()
    assert (np.maximum(left_eye, right_eye)[:, 1] < np.minimum(left_mouth, right_mouth)[:, 1]).all()
    assert (faces.keypoints[:, 2] == nose).all()
    assert (faces.boxes[:, None, :2] < faces.keypoints).all()
    assert (faces.keypoints < faces.boxes[:, None, 2:]).all()


@pytest.mark.parametrize("name", MODELS)
def test_every_size_finds_them(name: str, load: Load, t1: np.ndarray) -> None:
    reference = load(name, size="original")(t1)
    for size in ("640x640", "640", "1111", "320x640", "640,1280", "original,320x320"):
        faces = load(name, size=size)(t1)
        assert len(faces) == 6, size
        for face in reference:
            assert np.abs(faces.boxes - face.box).max(axis=1).min() < 25, size


@pytest.mark.parametrize("name", MODELS)
def test_protocol_thresholds_give_more(name: str, load: Load, t1: np.ndarray) -> None:
    same_score = {"score": "geometric"} if name.startswith("yunet") else {}
    photo, protocol = load(name)(t1), load(name, thresholds="protocol", **same_score)(t1)
    assert len(protocol) > len(photo)
    assert protocol.scores.min() >= 0.02
    assert_same(photo, protocol.select(slice(6)), pixels=0.01, score=0.0001)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (7, 5), (33, 31)])
def test_tiny_and_thin_images(name: str, shape: tuple[int, int], load: Load) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for runtime in ("onnxruntime", "opencv"):
        faces = load(name, runtime=runtime)(image)
        assert np.isfinite(faces.boxes).all()


@pytest.mark.parametrize(("model", "size"), [("yunet_n", 320), ("yunet_n", 640), ("yunet_s", 320), ("yunet_s", 640)])
def test_files_of_fixed_size(model: str, size: int, load: Load, fixtures: Path, t1: np.ndarray) -> None:
    fixed = load(fixtures / "yunet" / f"{model}_{size}_{size}.onnx")
    assert fixed.card.id == model
    assert not fixed.batches
    assert_same(fixed(t1), load(model, size=f"{size}x{size}")(t1), pixels=0.05, score=0.001)
    assert [len(faces) for faces in fixed.detect([t1, t1])] == [len(fixed(t1))] * 2
