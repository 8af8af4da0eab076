"""The faces type: shapes, JSON and supervision."""

from __future__ import annotations

import json

import numpy as np
import pytest

from zoo.types import Faces


def two_faces() -> Faces:
    boxes = np.array([[1, 2, 30, 40], [5.25, 6.5, 70, 80]])
    return Faces(boxes, np.array([0.9, 0.5]), np.arange(20).reshape(2, 5, 2), embeddings=np.ones((2, 4)))


def test_arrays_become_float32_and_rows_must_agree() -> None:
    assert two_faces().boxes.dtype == np.float32
    with pytest.raises(ValueError, match="boxes has 2 rows for 1 scores"):
        Faces(np.zeros((2, 4), np.float32), np.zeros(1, np.float32))


def test_indexing_gives_one_face() -> None:
    face = two_faces()[1]
    assert face.score == 0.5
    assert face.box.tolist() == [5.25, 6.5, 70, 80]
    assert face.keypoints is not None and face.keypoints.shape == (5, 2)
    assert face.landmarks is None
    assert [f.score for f in two_faces()] == [pytest.approx(0.9), 0.5]
    with pytest.raises(IndexError):
        two_faces()[2]


def test_selection_keeps_the_order_asked_for() -> None:
    assert two_faces().select(np.array([1, 0])).scores.tolist() == [0.5, pytest.approx(0.9)]
    assert len(two_faces().select(np.array([False, True]))) == 1


def test_json_goes_there_and_back() -> None:
    document = json.loads(json.dumps(two_faces().to_dict()))
    assert document["faces"][0]["box"] == [1, 2, 30, 40]
    assert "landmarks" not in document["faces"][0]
    back = Faces.from_dict(document)
    assert back.embeddings is not None
    np.testing.assert_allclose(back.boxes, two_faces().boxes)
    np.testing.assert_allclose(back.scores, two_faces().scores, atol=1e-6)
    assert len(Faces.from_dict(Faces.empty().to_dict())) == 0


def test_concatenation() -> None:
    both = Faces.concatenate([two_faces(), two_faces().select(slice(0, 1))])
    assert len(both) == 3
    assert both.keypoints is not None and both.keypoints.shape == (3, 5, 2)


def test_supervision_takes_and_gives_the_same_faces() -> None:
    pytest.importorskip("supervision")
    detections = two_faces().to_supervision()
    assert detections.xyxy.shape == (2, 4)
    assert detections.confidence.tolist() == [pytest.approx(0.9), 0.5]
    back = Faces.from_supervision(detections)
    np.testing.assert_array_equal(back.keypoints, two_faces().keypoints)
    np.testing.assert_array_equal(back.boxes, two_faces().boxes)
