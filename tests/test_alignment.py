"""Aligned crops: the template as published, and pixels where the keypoints are said to be."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from zoo.alignment import align, template
from zoo.errors import InputError, UsageError


def test_the_template_is_arcfaces() -> None:
    assert template()[2].tolist() == pytest.approx([56.0252, 71.7366])
    assert np.allclose(template(224), 2 * template())
    wide = template(128)
    assert np.allclose(wide - template(), [8, 0])
    assert np.allclose(template(256), 2 * wide)
    assert np.allclose(template(112 * 128), 128 * template())


@pytest.mark.parametrize("size", [0, -112, 100, 127])
def test_other_sizes_have_no_template(size: int) -> None:
    with pytest.raises(UsageError, match=f"not to {size}"):
        template(size)


def test_keypoints_come_to_lie_on_the_template() -> None:
    turn = cv2.getRotationMatrix2D((56.0, 56.0), 25, 1.7) + np.array([[0, 0, 150], [0, 0, 90]])
    points = np.column_stack([template(), np.ones(5)]) @ turn.T
    image = np.zeros((300, 400, 3), np.uint8)
    for x, y in points.round().astype(int):
        cv2.circle(image, (int(x), int(y)), 4, (255, 255, 255), -1)
    crop = align(image, points)
    assert crop.shape == (112, 112, 3) and crop.dtype == np.uint8
    for x, y in template().round().astype(int):
        assert crop[y, x].min() == 255
    assert crop.mean() < 20


def test_the_identity_changes_no_pixel() -> None:
    image = np.random.default_rng(0).integers(0, 255, (112, 112, 3), np.uint8)
    assert np.array_equal(align(image, template()), image)


def test_outside_of_the_image_is_black() -> None:
    crop = align(np.full((40, 40, 3), 200, np.uint8), template())
    assert crop[:38, :38].min() == 200 and crop[42:].max() == 0


@pytest.mark.parametrize("points", [np.full((5, 2), 7.0), np.full((5, 2), np.nan), template()[:4], template() * np.inf])
def test_keypoints_that_say_nothing(points: np.ndarray) -> None:
    with pytest.raises(InputError):
        align(np.zeros((50, 50, 3), np.uint8), points)
