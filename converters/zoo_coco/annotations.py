"""COCO's annotations of one image as arrays, and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.datasets.decimals import FARTHEST, corners, extents, fewest, in_reach, text
from zoo.datasets.sample import Annotation
from zoo.errors import InputError
from zoo.types import Floats
from zoo_coco.index import POINTS, is_whole

MISSING, COVERED, SEEN = 0, 1, 2
"""What COCO says of a keypoint: not labelled, labelled but not visible, visible."""

_FLAGS = {MISSING: -1.0, COVERED: 1.0, SEEN: 0.0}


def annotate(found: list[Any]) -> Annotation:
    """The faces of an image from its annotations.

    Raises `InputError` for one without a box of four numbers within reach, or with keypoints or a score that are no
    such numbers. Keypoints of another number than five are left out.
    """
    boxes = np.array([_numbers(face, "bbox", 4) for face in found], np.float64).reshape(-1, 4)
    faces = Annotation(corners(boxes))
    if any(face.get("iscrowd") for face in found):
        faces.ignored = np.array([bool(face.get("iscrowd")) for face in found])
    if any(_has_points(face) for face in found):
        faces.keypoints, faces.flags = _points([_points_of(face) for face in found])
    if any(face.get("score") is not None for face in found):
        faces.scores = np.array([_score(face) for face in found], np.float32)
    faces.attributes = _attributes([face.get("attributes") for face in found])
    return faces


def _numbers(face: Any, name: str, count: int) -> list[float]:
    values = face.get(name) if isinstance(face, dict) else None
    if not isinstance(values, list) or len(values) != count or not all(map(_is_number, values)):
        raise InputError(f"the {name} of an annotation is not {count} numbers within {FARTHEST:,.0f}")
    return [float(value) for value in values]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and in_reach((value,))


def _has_points(face: Any) -> bool:
    points = face.get("keypoints")
    return isinstance(points, list) and len(points) == POINTS


def _points_of(face: Any) -> list[float]:
    return _numbers(face, "keypoints", POINTS) if _has_points(face) else [np.nan] * POINTS


def _score(face: Any) -> float:
    score = face.get("score")
    if score is not None and not _is_number(score):
        raise InputError("the score of an annotation is no number")
    return np.nan if score is None else float(score)


def _points(rows: list[list[float]]) -> tuple[Floats, Floats]:
    """Keypoints (N, 5, 2) and flags (N, 5): 0 for visible ones, 1 for covered ones, -1 for missing ones, whose
    coordinates are NaN; flags are NaN where a face has no keypoints at all."""
    triples = np.array(rows, np.float64).reshape(-1, 5, 3)
    said = triples[:, :, 2]
    missing = ~(said > MISSING)
    flags = np.where(missing, _FLAGS[MISSING], np.where(said == COVERED, _FLAGS[COVERED], _FLAGS[SEEN]))
    flags[np.isnan(said)] = np.nan
    points = np.where(missing[:, :, None], np.nan, triples[:, :, :2])
    return points.astype(np.float32), flags.astype(np.float32)


def _attributes(found: list[Any]) -> dict[str, NDArray[np.int64]] | None:
    """The attributes that all faces have, as far as they are whole numbers, true or false."""
    if not found or not all(isinstance(attributes, dict) for attributes in found):
        return None
    names = [name for name in found[0] if all(is_whole(attributes.get(name)) for attributes in found)]
    return {name: np.array([face[name] for face in found], np.int64) for name in names} or None


def render(faces: Annotation, key: str) -> list[str]:
    """The N faces of the sample `key` as JSON, each the members of an object from ``category_id`` on, and its closing
    brace. Raises `InputError` for numbers that are not finite or out of reach."""
    count = len(faces)
    if not count:
        return []
    if faces.boxes is None:
        raise InputError(f"The faces of {key} have no boxes.")
    if np.isnan(faces.boxes).any():
        raise InputError(f"A box of {key} is not a number.")
    for what, numbers in (("box", faces.boxes), ("score", faces.scores), ("keypoint", faces.keypoints)):
        if numbers is not None and (np.abs(numbers) > FARTHEST).any():
            raise InputError(f"A {what} of {key} is not within {FARTHEST:,.0f}.")
    columns = (_boxes(faces.boxes), _crowds(faces, count), _said_points(faces), _scores(faces), _said_attributes(faces))
    present = [column for column in columns if column]
    return ['"category_id": 1, ' + ", ".join(filter(None, parts)) + "}" for parts in zip(*present, strict=True)]


def _boxes(boxes: Floats) -> list[str]:
    rows = extents(boxes).tolist()
    return [
        f'"bbox": [{", ".join(map(text, row))}], "area": {text(max(row[2], 0.0) * max(row[3], 0.0))}' for row in rows
    ]


def _crowds(faces: Annotation, count: int) -> list[str]:
    ignored = np.zeros(count, bool) if faces.ignored is None else faces.ignored
    return [f'"iscrowd": {int(one)}' for one in ignored]


def _said_points(faces: Annotation) -> list[str]:
    """Five keypoints x y v; a missing one is 0 0 0. A face of which nothing is known gets none."""
    if faces.keypoints is None:
        return []
    missing = np.isnan(faces.keypoints[:, :, 0]) | np.isnan(faces.keypoints[:, :, 1])
    flags = np.full(missing.shape, np.nan, np.float32) if faces.flags is None else faces.flags
    said = np.where(missing, MISSING, np.where(np.nan_to_num(flags, nan=0.0) == 0, SEEN, COVERED))
    points = fewest(np.where(missing[:, :, None], np.float32(0), faces.keypoints))
    rows = np.concatenate([points, said[:, :, None]], axis=2).reshape(-1, POINTS).tolist()
    absent = np.all(missing & np.isnan(flags), axis=1)
    return ["" if gone else _listed(row) for row, gone in zip(rows, absent, strict=True)]


def _listed(row: list[float]) -> str:
    known = sum(said > MISSING for said in row[2::3])
    return f'"keypoints": [{", ".join(map(text, row))}], "num_keypoints": {known}'


def _scores(faces: Annotation) -> list[str]:
    if faces.scores is None:
        return []
    return ["" if score != score else f'"score": {text(score)}' for score in fewest(faces.scores).tolist()]


def _said_attributes(faces: Annotation) -> list[str]:
    if not faces.attributes:
        return []
    names = list(faces.attributes)
    rows = zip(*(faces.attributes[name].tolist() for name in names), strict=True)
    return [f'"attributes": {json.dumps(dict(zip(names, row, strict=True)))}' for row in rows]
