"""Faces cut out: against the originals' formulas recomputed, Pillow, and back to the image."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import alignment
from zoo.errors import InputError, UsageError
from zoo.inference.crops import bicubic, cut
from zoo.specs import Crop
from zoo.types import Face, Image

KINDS = ("square", "window", "clipped", "box", "aligned")


def photograph(width: int = 160, height: int = 120) -> Image:
    """A smooth picture, in which a pixel's colour says where it is."""
    y, x = np.mgrid[:height, :width]
    waves = 60 * np.sin(x / 7)[..., None] * np.cos(y / 5)[..., None] * [1, 0.5, -1]
    colours = np.stack([x * 220 / width, y * 220 / height, (x + y) * 220 / (width + height)], -1) + waves + 20
    return np.clip(colours, 0, 255).astype(np.uint8)


def face(*box: float, keypoints: Any = None) -> Face:
    return Face(np.array(box, np.float32), 0.9, None if keypoints is None else np.array(keypoints, np.float32))


def points(centre: tuple[float, float], size: float) -> np.ndarray:
    """Five keypoints as they lie in a face of that size."""
    return (alignment.template() - 56) * np.float32(size / 112) + np.float32(centre)


def test_square_is_insightfaces_formula() -> None:
    image, box = photograph(), (31.25, 20.5, 71.875, 83.125)
    got = cut(image, face(*box), Crop("square", 1.5), 64, 64)
    # trainer_synthetics.py and face_align.transform: scale by output / (longer side * 1.5), then move the box's centre
    # to the middle of the crop.
    longer = max(box[2] - box[0], box[3] - box[1])
    scale = 64 / (longer * 1.5)
    centre = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    expected = np.array([[scale, 0, 32 - centre[0] * scale], [0, scale, 32 - centre[1] * scale]])
    np.testing.assert_allclose(got.matrix, expected, rtol=1e-6)
    np.testing.assert_array_equal(got.pixels, cv2.warpAffine(image, expected, (64, 64), borderValue=0))
    # In the middle of the crop is what is in the middle of the box.
    np.testing.assert_allclose(got.to_image(np.float32([[32, 32]])), [centre], atol=1e-3)


@pytest.mark.parametrize("size", [(160, 120), (97, 211), (40, 31)])
@pytest.mark.parametrize("wanted", [(64, 64), (32, 48), (200, 160), (160, 31)])
def test_bicubic_is_pillows(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="compared with Pillow")
    for image in (photograph(*size), np.random.default_rng(0).integers(0, 256, (*size[::-1], 3)).astype(np.uint8)):
        # Across first, as every Pillow did before version 13, which takes the cheaper order.
        narrowed = pillow.fromarray(image).resize((wanted[0], size[1]), pillow.Resampling.BICUBIC)
        np.testing.assert_array_equal(bicubic(image, *wanted), narrowed.resize(wanted, pillow.Resampling.BICUBIC))


@pytest.mark.parametrize("box", [(30, 20, 80, 90), (-12.5, 40.9, 60, 99), (100.2, 80.7, 171.9, 130), (5, -20, 150, 60)])
@pytest.mark.parametrize("scale", [1.0, 1.3])
def test_a_window_is_pillows_crop_and_resize(box: tuple[float, ...], scale: float) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="compared with Pillow")
    image = photograph()
    got = cut(image, face(*box), Crop("window", scale, "bicubic"), 64, 64)
    side = int(float(np.float32(max(box[2] - box[0], box[3] - box[1]))) * scale)
    left, top = (int(low - (side - (high - low)) / 2) for low, high in (box[::2], box[1::2]))
    window = pillow.fromarray(image).crop((left, top, left + side, top + side))
    theirs = np.asarray(window.resize((64, 64), pillow.Resampling.BICUBIC), np.int64)
    assert np.abs(got.pixels - theirs).max() <= 1
    np.testing.assert_allclose(got.to_image(np.float32([[0, 0], [64, 64]])), [[left, top], [left + side, top + side]])


def test_a_window_keeps_the_boxs_corner_on_its_longer_axis() -> None:
    got = cut(photograph(), face(40, 30, 60, 70), Crop("window", 1.0), 40, 40)
    np.testing.assert_allclose(got.to_image(np.float32([[0, 0]])), [[30, 30]])
    np.testing.assert_array_equal(got.pixels, photograph()[30:70, 30:70])


@pytest.mark.parametrize(
    ("kind", "box", "inside"),
    [
        ("clipped", (40, 30, 60, 70), (28, 28, 72, 72)),  # the longer side and a tenth, all around the centre
        ("box", (40, 30, 60, 70), (39, 28, 61, 72)),
        ("clipped", (-10, 30, 30, 70), (0, 28, 32, 72)),
        ("box", (140, 100, 180, 140), (138, 98, 160, 120)),
        ("box", (-500, -500, 900, 900), (0, 0, 160, 120)),
        ("clipped", (-500, -500, 900, 900), (0, 0, 160, 120)),
    ],
)
def test_a_rectangle_is_clipped_at_the_borders(
    kind: str, box: tuple[float, ...], inside: tuple[int, int, int, int]
) -> None:
    left, top, right, bottom = inside
    got = cut(photograph(), face(*box), Crop(kind, 1.1), 56, 48)
    part = photograph()[top:bottom, left:right]
    np.testing.assert_array_equal(got.pixels, cv2.resize(part, (56, 48), interpolation=cv2.INTER_LINEAR))
    corners = got.to_image(np.float32([[0, 0], [56, 48]]))
    np.testing.assert_allclose(corners, [[left, top], [right, bottom]], atol=1e-3)


def test_aligned_is_the_alignment_of_recognition() -> None:
    image, keypoints = photograph(), points((80, 60), 70)
    got = cut(image, face(40, 20, 120, 100, keypoints=keypoints), Crop("aligned"), 112, 112)
    np.testing.assert_array_equal(got.pixels, alignment.align(image, keypoints))
    np.testing.assert_allclose(got.to_image(alignment.template()), keypoints, atol=1e-2)


@given(
    kind=st.sampled_from(KINDS),
    corner=st.tuples(st.floats(-60, 140), st.floats(-60, 100)),
    sides=st.tuples(st.floats(20, 150), st.floats(20, 150)),
    scale=st.floats(0.8, 2),
    size=st.sampled_from([(56, 56), (112, 112)]),
)
@settings(max_examples=60, deadline=None)
def test_points_come_back(
    kind: str, corner: tuple[float, float], sides: tuple[float, float], scale: float, size: tuple[int, int]
) -> None:
    right, bottom = corner[0] + sides[0], corner[1] + sides[1]
    if min(right, bottom) < 12 or corner[0] > 148 or corner[1] > 108:  # hardly any of it in the image
        return
    centre = (corner[0] + right) / 2, (corner[1] + bottom) / 2
    one = face(*corner, right, bottom, keypoints=points(centre, min(sides)))
    try:
        got = cut(photograph(), one, Crop(kind, scale), 112 if kind == "aligned" else size[0], 112)
    except InputError:
        assert kind in ("box", "clipped")  # nothing of it is inside
        return
    given_points = np.random.default_rng(0).uniform(-20, 200, (9, 2)).astype(np.float32)
    there = given_points @ got.matrix[:, :2].T + got.matrix[:, 2]
    np.testing.assert_allclose(got.to_image(np.float32(there)), given_points, atol=0.02)
    # An area follows: what a pixel of the crop covers in the image.
    corners = got.to_image(np.float32([[0, 0], [1, 0], [0, 1]])).astype(np.float64)
    covered = abs(np.linalg.det(corners[1:] - corners[0]))
    assert got.area_to_image(np.float32([3.0])) == pytest.approx(3 * covered, rel=1e-3)


@pytest.mark.parametrize(
    ("kind", "box"),
    [
        *((kind, (10, 10, 10, 20)) for kind in KINDS),
        *((kind, (10, 10, float("nan"), 20)) for kind in KINDS),
        *((kind, (10, 10, float("inf"), 20)) for kind in KINDS),
    ],
)
def test_a_box_without_area_is_refused(kind: str, box: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="box has no area"):
        cut(photograph(), face(*box, keypoints=points((20, 20), 10)), Crop(kind), 112, 112)


@pytest.mark.parametrize("kind", ["clipped", "box"])
def test_a_rectangle_outside_the_image_is_refused(kind: str) -> None:
    with pytest.raises(InputError, match="outside the image"):
        cut(photograph(), face(200, 200, 240, 240), Crop(kind), 56, 56)


@pytest.mark.parametrize("kind", ["square", "window"])
def test_a_square_outside_the_image_is_black(kind: str) -> None:
    assert not cut(photograph(), face(400, 400, 440, 440), Crop(kind), 56, 56).pixels.any()


def test_a_window_far_larger_than_the_image_is_refused_before_it_is_made() -> None:
    with pytest.raises(InputError, match="cannot be cut out"):
        cut(photograph(), face(0, 0, 1e7, 1e7), Crop("window"), 56, 56)


def test_what_alignment_needs() -> None:
    with pytest.raises(InputError, match="choose a detector that gives them"):
        cut(photograph(), face(10, 10, 20, 20), Crop("aligned"), 112, 112)
    with pytest.raises(InputError, match="one and the same point"):
        cut(photograph(), face(10, 10, 20, 20, keypoints=np.ones((5, 2))), Crop("aligned"), 112, 112)


def test_a_kind_that_there_is_not() -> None:
    with pytest.raises(UsageError, match="no crop of the kind 'round'"):
        cut(photograph(), face(10, 10, 20, 20), Crop("round"), 56, 56)
