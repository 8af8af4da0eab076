"""Random sets of the kind detection, and what it means that two label files say the same."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any

import numpy as np

from tests.converters.samples import random_sample
from zoo import images
from zoo.datasets.formats import Reader
from zoo.datasets.sample import PARTS, Annotation, Broken, EncodedImage, Sample

ATTRIBUTES = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")


@functools.cache
def picture(width: int, height: int, seed: int = 0) -> EncodedImage:
    """A JPEG of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return EncodedImage(images.encode(pixels, ".jpg"), "jpeg")


def labelled(seed: int, count: int) -> list[Sample]:
    """Images with faces that label files can describe."""
    rng = np.random.default_rng(seed)
    samples = [random_sample("detection", rng, number) for number in range(count)]
    for sample in samples:
        sample.faces = random_faces(rng, int(rng.integers(0, 6)))
    return samples


def random_faces(rng: np.random.Generator, count: int) -> Annotation:
    """Boxes of whole and fractional numbers, some without extent; keypoints of which some are missing (flag -1), faces
    without keypoints (flags NaN), ignored ones without keypoints; scores and WIDER FACE's attributes."""
    decimals = int(rng.choice([0, 0, 1, 3, 12]))
    corner = np.round(rng.uniform(-9, 40, (count, 2)), decimals)
    extent = np.round(np.maximum(rng.uniform(-9, 40, (count, 2)), 0), decimals)
    keypoints = np.round(rng.uniform(0, 40, (count, 5, 2)), decimals).astype(np.float32)
    flags = rng.integers(-1, 2, (count, 5)).astype(np.float32)
    ignored = rng.random(count) < 0.3
    flags[(rng.random(count) < 0.2) | ignored] = np.nan
    keypoints[~(flags >= 0)] = np.nan
    attributes = {name: rng.integers(0, 3, count) for name in ATTRIBUTES}
    attributes["invalid"] = ignored.astype(np.int64)
    boxes = np.concatenate([corner, corner + extent], axis=1).astype(np.float32)
    return Annotation(boxes, keypoints, flags, None, ignored, rng.random(count).astype(np.float32), attributes)


def read_all(reader: Reader, unit: int = 7) -> list[Sample]:
    """All samples, read unit by unit; none may be broken."""
    good, broken = walk(reader, unit)
    assert not broken, broken[0]
    return good


def walk(reader: Reader, unit: int = 7) -> tuple[list[Sample], list[Broken]]:
    """The samples of a set, and the broken ones."""
    found = [one for part in reader.units(unit) for one in reader.read(part)]
    return [one for one in found if isinstance(one, Sample)], [one for one in found if isinstance(one, Broken)]


def assert_same_labels(found: Sample, wanted: Sample, holds: Collection[str]) -> None:
    """That both say the same as far as `holds` goes, where no array is one of no faces, of False, or of NaN, and a
    keypoint without a flag is missing."""
    if "keys" in holds:
        assert found.key == wanted.key
    if "images" in holds:
        assert found.image and wanted.image and found.image.data == wanted.image.data
    first, second = found.faces or Annotation(), wanted.faces or Annotation()
    assert len(first) == len(second)
    for name in PARTS:
        if name in holds:
            one, other = (_known(name, getattr(faces, name), second) for faces in (first, second))
            np.testing.assert_array_equal(one, other, name)
    if "attributes" in holds:
        one, other = (faces.attributes or {} for faces in (first, second))
        assert {name: values.tolist() for name, values in one.items() if len(values)} == {
            name: values.tolist() for name, values in other.items() if len(values)
        }


def _known(name: str, array: Any, like: Annotation) -> Any:
    if array is None:
        shape = {"ignored": (len(like),), "scores": (len(like),), "flags": (len(like), 5)}
        array = np.full(shape.get(name, (len(like), 5, 2)), False if name == "ignored" else np.nan)
    return np.nan_to_num(array, nan=-1.0) if name == "flags" else array
