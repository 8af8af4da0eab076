"""Models of single faces: real landmark and recognition networks on real photographs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import zoo
from zoo.errors import InputError, ModelError, UsageError, WeightsError
from zoo.inference.enricher import Enricher, Findings, require_columns
from zoo.inference.loading import LoadRequest
from zoo.inference.options import FaceOptions
from zoo.plugins import catalogue
from zoo.runtimes import TensorInfo
from zoo.specs import Crop, ModelCard, Preprocess
from zoo.types import Faces, Image

Load = Callable[..., Any]
POINTS, ENCODER = "peppa_slim160", "mobilefacenet_foamliu"


@pytest.fixture
def load(fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """`zoo.load`, with the weights of the fixtures and without a network."""
    folders = [str(fixtures / name) for name in ("yunet", "scrfd", "retinaface", "landmarks", "recognition")]
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", os.pathsep.join(folders))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    return zoo.load


@pytest.fixture(scope="module")
def t1(fixtures: Path) -> Image:
    image = cv2.imread(str(fixtures / "images" / "insightface_t1.jpg"))
    assert image is not None
    return np.asarray(image, np.uint8)


@pytest.mark.parametrize(("model", "array"), [(POINTS, "landmarks"), (ENCODER, "embeddings")])
def test_many_faces_are_each_face_alone(model: str, array: str, load: Load, t1: Image) -> None:
    loaded = load(model)
    together = loaded(t1)
    assert len(together) == 6
    for index in range(6):
        alone = loaded(t1, replace(together.select(np.array([index])), landmarks=None, embeddings=None))
        np.testing.assert_allclose(getattr(alone, array)[0], getattr(together, array)[index], atol=1e-3)
        np.testing.assert_array_equal(alone.boxes[0], together.boxes[index])
    # Every face has a crop of its own: no two get the same numbers.
    rows = getattr(together, array).reshape(6, -1)
    assert len(np.unique(rows.round(2), axis=0)) == 6


def test_batches_through_torch_are_single_runs_through_onnxruntime(load: Load, t1: Image) -> None:
    pytest.importorskip("torch", reason="weights run on PyTorch")
    one, several = load(POINTS, runtime="onnxruntime"), load(POINTS, runtime="torch")
    assert (one.batches, several.batches) == (False, True)
    known = one.detector(t1)
    many = Faces(*(np.tile(array, (7, *[1] * (array.ndim - 1))) for array in (known.boxes, known.scores)))
    assert len(many) == 42  # more than one batch
    expected, got = one(t1, known).landmarks, several(t1, many).landmarks
    np.testing.assert_allclose(got, np.tile(expected, (7, 1, 1)), atol=0.01)


def test_known_faces_are_kept_and_no_detector_is_loaded(load: Load, t1: Image) -> None:
    loaded = load(POINTS, detector="retinaface_r34")  # whose weights are not here
    keypoints = np.arange(10, dtype=np.float32).reshape(1, 5, 2)
    known = Faces(np.float32([[466, 269, 576, 417]]), np.float32([0.5]), keypoints)
    found = loaded(t1, known)
    assert found.landmarks is not None
    assert found.landmarks.shape == (1, 68, 2)
    np.testing.assert_array_equal(found.keypoints, keypoints)
    assert found.scores == [0.5]
    assert (np.abs(found.landmarks[0].mean(0) - [521, 350]) < 15).all()
    with pytest.raises(WeightsError, match="retinaface_r34"):
        loaded(t1)


@pytest.mark.parametrize(
    ("model", "shapes"), [(POINTS, {"landmarks": (0, 68, 2)}), (ENCODER, {"embeddings": (0, 128)})]
)
def test_an_image_without_faces(model: str, shapes: dict[str, tuple[int, ...]], load: Load, fixtures: Path) -> None:
    found = load(model)(fixtures / "images" / "inspireface_no_face.png")
    assert len(found) == 0
    assert {name: getattr(found, name).shape for name in shapes} == shapes
    assert found.to_dict() == {"faces": []}


def test_faces_at_the_border_and_outside(load: Load, t1: Image) -> None:
    points, encoder = load(POINTS), load(ENCODER)
    half = points(t1[:, :110])  # cuts the leftmost face in two
    assert half.landmarks is None or np.isfinite(half.landmarks).all()
    outside = Faces(np.float32([[2000, 2000, 2100, 2100]]), np.float32([1]))
    with pytest.raises(InputError, match="outside the image"):
        points(t1, outside)
    with pytest.raises(InputError, match="five keypoints"):
        encoder(t1, outside)


@pytest.mark.parametrize("name", ["yunet_n", "scrfd_500m_bnkps"])
def test_another_detector(name: str, load: Load, t1: Image) -> None:
    loaded = load(ENCODER, detector=name, max_faces=2, score_threshold=0.6)
    found = loaded(t1)
    assert loaded.detector.card.id == loaded.detector_request.card.id == name
    assert len(found) == 2
    np.testing.assert_array_equal(found.boxes, load(name, max_faces=2, score_threshold=0.6)(t1).boxes)


def test_a_detector_may_be_a_model_of_landmarks(load: Load, t1: Image) -> None:
    found = load(ENCODER, detector=POINTS)(t1)
    assert found.landmarks is not None
    assert found.embeddings is not None
    np.testing.assert_array_equal(found.landmarks, load(POINTS)(t1).landmarks)
    np.testing.assert_array_equal(found.embeddings, load(ENCODER)(t1).embeddings)


def test_a_detector_without_keypoints_is_refused_by_what_turns_faces_upright(load: Load, t1: Image) -> None:
    with pytest.raises(UsageError, match="scrfd_500m does not give the five keypoints"):
        load(ENCODER, detector="scrfd_500m").ready()
    assert load(POINTS, detector="scrfd_500m")(t1).landmarks is not None


def test_the_detector_comes_from_the_same_store(fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", str(fixtures / "recognition"))
    monkeypatch.setenv("ZOO_OFFLINE", "0")
    loaded = zoo.load(ENCODER, offline=True)
    with pytest.raises(WeightsError, match=r"retinaface_mnet025.*offline"):
        loaded.ready()


# ----------------------------------------------------------------------------------- arithmetic, on a network that is


class Session:
    """A network that says where it saw the brightest pixel of each crop, how sure it is, and its colour."""

    runtime, device = "numpy", "cpu"

    def __init__(self, batch: int | None = None, lost: int = 0) -> None:
        self.inputs = (TensorInfo("input", (batch, 3, 40, 40)),)
        self.outputs = (TensorInfo("points", (None, 2)),)
        self.given: list[int] = []
        self.lost = lost

    def run(self, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        images = feeds["input"]
        self.given.append(len(images))
        brightest = images.sum(1).reshape(len(images), -1).argmax(1)
        points = np.stack([brightest % 40, brightest // 40], -1).astype(np.float32) + 0.5
        return [points[: len(images) - self.lost]]


def read(outputs: Any, width: int, height: int) -> Findings:
    points = np.asarray(outputs[0]).reshape(-1, 1, 2)
    return Findings(landmarks=points, variances=np.full((len(points), 1), 4, np.float32))


def enricher(session: Session, kind: str = "box") -> Enricher:
    card = ModelCard("test", "test", "", preprocess=Preprocess(size="40x40", crop=Crop(kind)), landmarks=1)
    return Enricher(LoadRequest(card, None, "", options=FaceOptions()), session, read)  # type: ignore[arg-type]


@pytest.mark.parametrize("batch", [None, 1])
def test_points_and_variances_are_carried_back(batch: int | None) -> None:
    image = np.zeros((300, 400, 3), np.uint8)
    boxes = []
    for index in range(40):
        x, y, side = 7 * index, 5 * index, 10 + 2 * index
        boxes.append((x, y, x + side, y + side))
    session = Session(batch)
    spots = [(box[0] + (box[2] - box[0]) // 2, box[1] + (box[3] - box[1]) // 3) for box in boxes]
    found = []
    for (x, y), box in zip(spots, boxes, strict=True):
        picture = image.copy()
        picture[y, x] = 255
        found.append(enricher(session)(picture, Faces(np.float32([box]), np.float32([1]))))
    for (x, y), box, faces in zip(spots, boxes, found, strict=True):
        scale = 40 / (box[2] - box[0])
        assert np.abs(faces.landmarks[0, 0] - [x + 0.5, y + 0.5]).max() <= 1 + 0.5 / scale
        assert faces.variances[0, 0] == pytest.approx(4 / scale**2, rel=1e-5)
    session.given.clear()
    enricher(session)(image, Faces(np.float32(boxes), np.ones(40, np.float32)))
    assert session.given == ([32, 8] if batch is None else [1] * 40)


def test_a_network_that_answers_for_fewer_faces_is_refused() -> None:
    image, faces = np.zeros((90, 90, 3), np.uint8), Faces(np.float32([[5, 5, 50, 50]] * 3), np.ones(3, np.float32))
    with pytest.raises(ModelError, match="does not answer for each face"):
        enricher(Session(lost=1))(image, faces)


def test_other_numbers_than_the_cards_are_refused() -> None:
    card = catalogue().cards[POINTS]
    with pytest.raises(ModelError, match="answers with 6 numbers a face where the card peppa_slim160 expects 7 or 8"):
        require_columns(card, np.zeros((2, 3, 2), np.float32), (7, 8))
