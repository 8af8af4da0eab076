"""Bringing a face upright into a square by its five keypoints, the way recognition networks are trained on them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoo import geometry
from zoo.errors import InputError, UsageError
from zoo.types import Floats, Image

SIZE = 112
"""Side in pixels of the crops that ArcFace's networks take."""

_ARCFACE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Left eye, right eye, nose and mouth corners in a crop of 112 pixels: insightface, utils/face_align.py."""


def template(size: int = SIZE) -> Floats:
    """Where the five keypoints lie in an aligned crop of `size` x `size` pixels: (5, 2) x, y, pixel centres at whole
    numbers.

    A multiple of 112 scales ArcFace's crop; a multiple of 128 is that crop with a margin to the left and the right, as
    insightface has it. Raises `UsageError` for other sizes.
    """
    points = np.array(_ARCFACE, np.float32)
    if size > 0 and size % 112 == 0:
        return points * np.float32(size / 112)
    if size > 0 and size % 128 == 0:
        points[:, 0] += 8
        return points * np.float32(size / 128)
    raise UsageError(f"A face is aligned to a multiple of 112 or 128 pixels, not to {size}.")


def align(image: Image, points: ArrayLike, size: int = SIZE) -> Image:
    """The face with the keypoints `points` (5, 2), in pixels of `image` (H, W, 3), as a (size, size, 3) crop: the
    similarity transform with the least squared error to `template`, bilinear, black outside the image.

    Raises `InputError` when a keypoint is missing or all of them coincide, `UsageError` as `template`.
    """
    return np.asarray(
        cv2.warpAffine(image, matrix(points, size), (size, size), flags=cv2.INTER_LINEAR, borderValue=0), np.uint8
    )


def matrix(points: ArrayLike, size: int = SIZE) -> NDArray[np.float64]:
    """The (2, 3) transform of `align`, from pixels of the image to those of the crop. Raises as `align`."""
    found, wanted = np.asarray(points, np.float64), template(size)
    if found.shape != wanted.shape or not np.isfinite(found).all():
        raise InputError("A face needs all of its five keypoints to be aligned.")
    try:
        return geometry.similarity(found, wanted)
    except ValueError:
        raise InputError("The five keypoints of a face are one and the same point; it cannot be aligned.") from None
