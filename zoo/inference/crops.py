"""Cutting one face out of an image the way a network was trained on it.

A `Cut` keeps how coordinates of the image became those of the crop, so that points can be carried back. Coordinates are
taken as the originals take them: what a detector says is given to OpenCV's affine warp as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from zoo import alignment, geometry
from zoo.errors import InputError, UsageError
from zoo.specs import Crop
from zoo.types import Face, Floats, Image

Matrix = NDArray[np.float64]

LARGEST = 8
"""How many times as large as the image a window of it may be: what lies outside is memory and no face."""


@dataclass(frozen=True)
class Cut:
    """A face cut out: its `pixels` (height, width, 3) uint8 BGR, and the `matrix` (2, 3) that takes points of the image
    to points of the crop."""

    pixels: Image
    matrix: Matrix

    def to_image(self, points: Floats) -> Floats:
        """Points (K, 2) in pixels of the crop, in pixels of the image."""
        inverse = cv2.invertAffineTransform(self.matrix)
        return np.asarray(geometry.transform(inverse, points), np.float32)

    def area_to_image(self, values: Floats) -> Floats:
        """Square pixels of the crop, in square pixels of the image."""
        area = abs(float(np.linalg.det(self.matrix[:, :2])))
        return np.asarray(values / area, np.float32)


def cut(image: Image, face: Face, crop: Crop, width: int, height: int) -> Cut:
    """`face` of `image` (H, W, 3) uint8 BGR as a crop of `width` x `height` pixels.

    Raises `InputError` for a face that has no area, or that lacks the five keypoints which ``aligned`` needs;
    `UsageError` for a kind of crop that there is not.
    """
    if crop.kind not in _KINDS:
        raise UsageError(f"There is no crop of the kind {crop.kind!r}; there are {', '.join(_KINDS)}.")
    if not (np.isfinite(face.box).all() and (face.box[2:] > face.box[:2]).all()):
        raise InputError("A face whose box has no area cannot be cut out.")
    return _KINDS[crop.kind](image, face, crop, width, height)


def _square(image: Image, face: Face, crop: Crop, width: int, height: int) -> Cut:
    """Insightface's ``face_align.transform`` without a turn."""
    scale = width / (float((face.box[2:] - face.box[:2]).max()) * crop.scale)
    x, y = (float(value) for value in (face.box[:2] + face.box[2:]) / 2)
    matrix = np.array([[scale, 0, width / 2 - scale * x], [0, scale, height / 2 - scale * y]])
    return Cut(_warp(image, matrix, width, height), matrix)


def _window(image: Image, face: Face, crop: Crop, width: int, height: int) -> Cut:
    """The square of the box's longer side in whole pixels, as the dense landmark networks' own script cuts it with
    Pillow: the box's own corner on the longer axis, centred on the shorter."""
    sides = face.box[2:] - face.box[:2]
    side = max(1, int(float(sides.max()) * crop.scale))
    if side > LARGEST * max(image.shape[:2]):
        raise InputError(f"A face {side} pixels wide in an image that is not a {LARGEST}th of it cannot be cut out.")
    left, top = (int(value) for value in face.box[:2] - (side - sides) / 2)
    return _resized(_padded(image, left, top, side, side), left, top, crop, width, height)


def _clipped(image: Image, face: Face, crop: Crop, width: int, height: int) -> Cut:
    side = float((face.box[2:] - face.box[:2]).max()) * crop.scale
    centre = (face.box[:2] + face.box[2:]) / 2
    return _inside(image, np.concatenate([centre - side / 2, centre + side / 2]), crop, width, height)


def _box(image: Image, face: Face, crop: Crop, width: int, height: int) -> Cut:
    half = (face.box[2:] - face.box[:2]) * (crop.scale / 2)
    centre = (face.box[:2] + face.box[2:]) / 2
    return _inside(image, np.concatenate([centre - half, centre + half]), crop, width, height)


def _inside(image: Image, box: Floats, crop: Crop, width: int, height: int) -> Cut:
    """A rectangle rounded to whole pixels and clipped to the image."""
    rows, columns = image.shape[:2]
    left, top, right, bottom = (int(value) for value in np.rint(np.clip(box, 0, [columns, rows, columns, rows])))
    if right <= left or bottom <= top:
        raise InputError("A face that lies outside the image cannot be cut out.")
    return _resized(image[top:bottom, left:right], left, top, crop, width, height)


def _aligned(image: Image, face: Face, _crop: Crop, width: int, height: int) -> Cut:
    if face.keypoints is None:
        raise InputError("A face without its five keypoints cannot be aligned: choose a detector that gives them.")
    matrix = alignment.matrix(face.keypoints, width)
    return Cut(_warp(image, matrix, width, height), matrix)


_KINDS: dict[str, Callable[[Image, Face, Crop, int, int], Cut]] = {
    "square": _square,
    "window": _window,
    "clipped": _clipped,
    "box": _box,
    "aligned": _aligned,
}


def _warp(image: Image, matrix: Matrix, width: int, height: int) -> Image:
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=0), np.uint8)


def _padded(image: Image, left: int, top: int, width: int, height: int) -> Image:
    """A window of the image, black outside it."""
    rows, columns = image.shape[:2]
    window = np.zeros((height, width, 3), np.uint8)
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + width, columns), min(top + height, rows)
    if x2 > x1 and y2 > y1:
        window[y1 - top : y2 - top, x1 - left : x2 - left] = image[y1:y2, x1:x2]
    return window


def _resized(window: Image, left: int, top: int, crop: Crop, width: int, height: int) -> Cut:
    rows, columns = window.shape[:2]
    if crop.resample == "bicubic":
        pixels = bicubic(window, width, height)
    else:
        pixels = np.asarray(cv2.resize(window, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    across, down = width / columns, height / rows
    return Cut(pixels, np.array([[across, 0, -left * across], [0, down, -top * down]]))


def bicubic(image: Image, width: int, height: int) -> Image:
    """`image` (H, W, C) uint8 resized as Pillow's ``BICUBIC`` does, to the bit: a = -0.5, a support that grows when it
    shrinks (OpenCV has neither), across first as versions before 13 do, whole numbers after each direction."""
    rows, columns, channels = image.shape
    planes = image.transpose(0, 2, 1).reshape(rows * channels, columns).astype(np.float64)
    planes = _whole(planes @ _weights(columns, width).T)
    planes = _whole(_weights(rows, height) @ planes.reshape(rows, channels * width))
    return planes.reshape(height, channels, width).transpose(0, 2, 1).astype(np.uint8)


_FIXED = 1 << 22
"""Pillow's weights are whole multiples of one over this (``PRECISION_BITS`` in its Resample.c)."""


def _weights(size: int, wanted: int) -> Matrix:
    """(wanted, size): how much each of `size` pixels adds to each of `wanted`."""
    scale = size / wanted
    support = max(scale, 1.0)
    centres = (np.arange(wanted) + 0.5) * scale
    distance = np.abs((np.arange(size)[None] + 0.5 - centres[:, None]) / support)
    near, far = 1.5 * distance**3 - 2.5 * distance**2 + 1, -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.trunc(weights * _FIXED + np.copysign(0.5, weights)) / _FIXED, np.float64)


def _whole(values: Matrix) -> Matrix:
    return np.clip(np.floor(values + 0.5), 0, 255)
