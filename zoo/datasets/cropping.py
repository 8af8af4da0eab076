"""Cutting a face out of a sample, with its annotation.

Pixels are resampled as OpenCV does it, bilinear, black outside the image. Points go through the matrix that the pixels
went through: for ``affine`` the one of `cv2.warpAffine`, in which whole numbers are the centres of pixels, so that a
point stays on its pixel exactly; for ``padded`` and ``clipped``, which cut whole pixels and then call `cv2.resize`, the
shift and the ratio of the sizes, in which whole numbers are the corners of pixels. Both are what the original programs
do.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zoo import geometry, images
from zoo.datasets.cropoptions import Crop as Crop
from zoo.datasets.sample import PARTS, Annotation, EncodedImage, Sample
from zoo.errors import InputError
from zoo.types import Floats, Image

Matrix = NDArray[np.float64]


def crop(sample: Sample, options: Crop) -> Sample:
    """One face of `sample` cut out as `options` say: a new sample of the same key, its image encoded anew, with the
    annotation of that face moved along (of all faces where the whole image is taken); or `sample` itself for the crop
    ``none``.

    A box that was turned becomes the upright one around its corners. ``extra["crop"]`` is the rectangle that was cut
    out, left, top, width and height in pixels of the source: after its rotation for ``padded`` and ``clipped``, which
    turn the whole image about its centre; ``affine`` turns the rectangle about its own.

    Raises `InputError` for a sample without image or face, with several faces unless the largest is asked for, or whose
    face lies outside its image.
    """
    if options.crop == "none":
        return sample
    if sample.image is None:
        raise InputError(f"{sample.key} has no image to cut a face out of.")
    picture = sample.image.decode(sample.key)
    rows = _rows(sample, options)
    square = _square(sample, rows, picture, options)
    angle = rotation(sample.key, options)
    cut = (_affine if options.crop == "affine" else _whole_pixels)(picture, square, angle, options)
    return Sample(
        key=sample.key,
        image=_encode(cut.picture, options),
        size=(cut.picture.shape[1], cut.picture.shape[0]),
        faces=moved(sample.faces, rows, cut.matrix) if sample.faces is not None else None,
        identity=sample.identity,
        pair=sample.pair,
        same=sample.same,
        extra={"crop": list(cut.place)},
    )


def rotation(key: str, options: Crop) -> float:
    """The angle in degrees by which the image `key` is turned, clockwise as it is seen: uniform between the limits, and
    the same whenever and wherever it is asked for."""
    digest = hashlib.blake2b(f"{options.crop_seed}:{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return options.crop_rotation * (2.0 * int.from_bytes(digest, "big") / (2**64 - 1) - 1.0)


def affine_matrix(centre: tuple[float, float], target: tuple[float, float], scale: float, angle: float = 0.0) -> Matrix:
    """The (2, 3) matrix that scales by `scale`, turns by `angle` degrees clockwise as it is seen, and brings the point
    `centre` to `target`: with scale = size / side and target = size / 2 that of insightface's face crops."""
    turn = math.radians(angle)
    linear = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return np.column_stack([linear, np.asarray(target) - linear @ np.asarray(centre)])


def moved(faces: Annotation, rows: list[int], matrix: Matrix) -> Annotation:
    """The faces `rows` of an annotation with boxes and points under the affine `matrix` (2, 3)."""
    parts: dict[str, Any] = {name: getattr(faces, name) for name in PARTS}
    parts = {name: None if array is None else array[rows] for name, array in parts.items()}
    if parts["boxes"] is not None:
        corners = geometry.transform(matrix, parts["boxes"][:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2))
        parts["boxes"] = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    for name in ("keypoints", "landmarks"):
        if parts[name] is not None:
            parts[name] = geometry.transform(matrix, parts[name])
    attributes = faces.attributes and {name: values[rows] for name, values in faces.attributes.items()}
    return Annotation(**parts, attributes=attributes)


@dataclass(frozen=True)
class _Square:
    """What is to be cut out of the image `key`: the centre and the side of a square, in pixels, or with a side of 0
    the whole image, whatever its shape."""

    key: str
    x: float
    y: float
    side: float


@dataclass(frozen=True)
class _Cut:
    """What was cut out, the matrix that its points went through, and the rectangle: left, top, width, height."""

    picture: Image
    matrix: Matrix
    place: tuple[float, float, float, float]


def _rows(sample: Sample, options: Crop) -> list[int]:
    """The faces that the new sample keeps: one, or all where the whole image is taken."""
    count = len(sample.faces) if sample.faces is not None else 0
    if options.crop_around == "image":
        return list(range(count))
    if count == 0:
        raise InputError(f"{sample.key} has no face to cut out.")
    if count > 1 and options.crop_faces == "one":
        raise InputError(f"{sample.key} has {count} faces where one is wanted; crop_faces=largest takes the largest.")
    boxes = np.stack([_box(sample, row, options) for row in range(count)])
    return [int(np.argmax(np.nan_to_num(geometry.areas(boxes), nan=-1.0)))]


def _box(sample: Sample, row: int, options: Crop) -> Floats:
    """The box of face `row`, or around its landmarks; NaN where it has neither."""
    faces = sample.faces or Annotation()
    if faces.boxes is not None and options.crop_around == "face":
        box: Floats = faces.boxes[row]
        return box
    points = faces.landmarks[row] if faces.landmarks is not None else np.empty((0, 2), np.float32)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return np.full(4, np.nan, np.float32)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _square(sample: Sample, rows: list[int], picture: Image, options: Crop) -> _Square:
    height, width = picture.shape[:2]
    if options.crop_around == "image":
        side = 0.0 if options.crop == "clipped" else max(width, height) * options.crop_scale
        return _Square(sample.key, width / 2, height / 2, side)
    x1, y1, x2, y2 = (float(value) for value in _box(sample, rows[0], options))
    square = _Square(sample.key, (x1 + x2) / 2, (y1 + y2) / 2, max(x2 - x1, y2 - y1) * options.crop_scale)
    reach = square.side / 2
    if not (square.side >= 1 and -reach < square.x < width + reach and -reach < square.y < height + reach):
        raise InputError(f"{sample.key} has no face with an extent inside its {width} x {height} pixels to cut out.")
    if square.side**2 > images.pixel_limit():
        raise InputError(f"{sample.key} has a face of {x2 - x1:g} x {y2 - y1:g} pixels, too large to cut out.")
    return square


def _affine(picture: Image, square: _Square, angle: float, options: Crop) -> _Cut:
    """Turn, scale and shift at once."""
    size = options.crop_size or max(1, round(square.side))
    matrix = affine_matrix((square.x, square.y), (size / 2, size / 2), size / square.side, angle)
    place = (square.x - square.side / 2, square.y - square.side / 2, square.side, square.side)
    return _Cut(_warp(picture, matrix, size, size), matrix, place)


def _whole_pixels(picture: Image, square: _Square, angle: float, options: Crop) -> _Cut:
    """Turn the whole image about its centre, cut out whole pixels, and resize."""
    height, width = picture.shape[:2]
    matrix = affine_matrix((width / 2, height / 2), (width / 2, height / 2), 1.0, angle)
    if angle:
        picture = _warp(picture, matrix, width, height)
    left, top, right, bottom = _rectangle(square, matrix, width, height, options)
    window = _padded(picture, left, top, right, bottom)
    across, down = right - left, bottom - top
    size = (options.crop_size or across, options.crop_size or down)
    matrix[:, 2] -= (left, top)
    matrix *= np.array([[size[0] / across], [size[1] / down]])
    resized = cv2.resize(window, size, interpolation=cv2.INTER_LINEAR)
    return _Cut(np.asarray(resized, np.uint8), matrix, (left, top, across, down))


def _rectangle(square: _Square, turn: Matrix, width: int, height: int, options: Crop) -> tuple[int, int, int, int]:
    """Left, top, right and bottom (exclusive) in whole pixels, around the square's turned centre. Clipped ones end
    before the last column and row, as in the program whose patches they are; padded squares have a side and a centre
    cut off to whole pixels, as in the Lambda fork."""
    x, y = (float(value) for value in turn @ np.array([square.x, square.y, 1.0]))
    if not square.side:
        return 0, 0, width, height
    if options.crop == "padded":
        side = max(1, int(square.side))
        left, top = int(x) - side // 2, int(y) - side // 2
        return left, top, left + side, top + side
    half = square.side / 2
    left, top = max(0, round(x - half)), max(0, round(y - half))
    right, bottom = min(width - 1, round(x + half)), min(height - 1, round(y + half))
    if right <= left or bottom <= top:
        raise InputError(f"{square.key} has a face that its rotation takes out of the image.")
    return left, top, right, bottom


def _padded(picture: Image, left: int, top: int, right: int, bottom: int) -> Image:
    """The rectangle of a picture, black where it reaches beyond."""
    height, width = picture.shape[:2]
    window = np.zeros((bottom - top, right - left, 3), np.uint8)
    x1, y1, x2, y2 = max(0, left), max(0, top), min(width, right), min(height, bottom)
    if x1 < x2 and y1 < y2:
        window[y1 - top : y2 - top, x1 - left : x2 - left] = picture[y1:y2, x1:x2]
    return window


def _warp(picture: Image, matrix: Matrix, width: int, height: int) -> Image:
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR), np.uint8)


def _encode(picture: Image, options: Crop) -> EncodedImage:
    data = images.encode(picture, f".{options.crop_format}".replace("jpeg", "jpg"), options.crop_quality)
    return EncodedImage(data, options.crop_format)
