"""Random samples of each kind, and what it means that two are the same."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from zoo.datasets.sample import PARTS, Annotation, EncodedImage, Sample

ATTRIBUTES = ("blur", "pose")


def random_sample(kind: str, rng: np.random.Generator, number: int = 0, landmarks: int = 68) -> Sample:
    """A sample of the kind with everything that such a set can say; detection sets have 0 to 4 faces an image."""
    width, height = (int(side) for side in rng.integers(8, 40, 2))
    pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    suffix = (".jpg", ".png")[int(rng.integers(2))]
    image = EncodedImage(cv2.imencode(suffix, pixels)[1].tobytes(), {".jpg": "jpeg", ".png": "png"}[suffix])
    sample = Sample(key=f"set/{number:06d}", image=image, size=(width, height))
    if kind == "identities":
        sample.identity = int(rng.integers(0, 1000))
    elif kind == "verification":
        sample.pair, sample.same = number // 2, bool(number // 2 % 3)
    elif kind == "landmarks":
        points = rng.uniform(0, 40, (1, landmarks, 2)).astype(np.float32)
        sample.faces = Annotation(landmarks=points)
    else:
        sample.faces = random_faces(int(rng.integers(0, 5)), rng)
    return sample


def random_faces(count: int, rng: np.random.Generator) -> Annotation:
    """The annotation of `count` faces with everything but landmarks, some keypoints missing."""
    corners = rng.uniform(-5, 50, (count, 2, 2)).astype(np.float32)
    keypoints = rng.uniform(0, 50, (count, 5, 2)).astype(np.float32)
    keypoints[rng.random((count, 5)) < 0.2] = np.nan
    return Annotation(
        boxes=np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1),
        keypoints=keypoints,
        flags=rng.integers(0, 3, (count, 5)).astype(np.float32),
        ignored=rng.random(count) < 0.3,
        scores=rng.random(count).astype(np.float32),
        attributes={name: rng.integers(0, 3, count) for name in ATTRIBUTES},
    )


def assert_same(found: Any, wanted: Sample, holds: set[str] | frozenset[str]) -> None:
    """That `found` says what `wanted` does, as far as a format that `holds` so much can say it."""
    assert isinstance(found, Sample), found
    if "keys" in holds:
        assert found.key == wanted.key
    if "images" in holds:
        assert (found.image is None) == (wanted.image is None)
        if found.image is not None and wanted.image is not None:
            assert found.image.data == wanted.image.data
    if "identity" in holds:
        assert found.identity == wanted.identity
    if "pairs" in holds:
        assert (found.pair, found.same) == (wanted.pair, wanted.same)
    _assert_same_faces(found.faces, wanted.faces, holds)


def _assert_same_faces(found: Annotation | None, wanted: Annotation | None, holds: set[str] | frozenset[str]) -> None:
    for name in PARTS:
        if name not in holds:
            continue
        first, second = getattr(found, name, None), getattr(wanted, name, None)
        assert (first is None) == (second is None), name
        if first is not None and second is not None:
            assert first.dtype == second.dtype, name
            assert first.shape == second.shape or first.size == second.size == 0, name
            np.testing.assert_array_equal(first.reshape(second.shape), second, name)
    if "attributes" in holds:
        first, second = (faces.attributes or {} if faces else {} for faces in (found, wanted))
        assert {name: values.tolist() for name, values in first.items()} == {
            name: values.tolist() for name, values in second.items()
        }
