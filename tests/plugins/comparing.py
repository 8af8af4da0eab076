"""Comparing what two detectors found."""

from __future__ import annotations

import numpy as np

from zoo.types import Faces


def assert_same(a: Faces, b: Faces, pixels: float, score: float) -> None:
    """The same faces in the same order, but for near ties of the score."""
    assert len(a) == len(b)
    for face in a:
        nearest = int(np.abs(b.boxes - face.box).max(axis=1).argmin())
        assert np.abs(b.boxes[nearest] - face.box).max() < pixels
        assert abs(b.scores[nearest] - face.score) < score
        if face.keypoints is not None and b.keypoints is not None:
            assert np.abs(b.keypoints[nearest] - face.keypoints).max() < pixels
