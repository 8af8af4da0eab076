"""Faces drawn into an image.

Everything is sized from the image and from the face: lines are hairlines on a thumbnail and stay visible when a large
photograph is shown small, and a crowd of small faces is not buried under its own labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from zoo.types import Face, Faces, Floats, Image

Colour: TypeAlias = tuple[int, int, int]
"""Blue, green, red."""

_BOX = (80, 220, 60)
_DARK = (25, 25, 25)
_LIGHT = (255, 255, 255)
_LANDMARK = (255, 230, 120)
_IGNORED = (160, 160, 160)
CERTAINTY = ((0.0, (255, 90, 30)), (0.25, (200, 200, 60)), (0.5, (0, 225, 255)), (1.0, (40, 40, 255)))
"""BGR from sure to unsure: blue, through a blue green that keeps the middle from turning grey, and yellow, to red."""

SURE, UNSURE = 0.005, 0.04
"""Standard deviations of a landmark, as parts of the face's size (the root of its box's area), that are drawn blue and
red, and so is what lies beyond them: half a percent is the width of a line between lip and skin, and four are that of a
pupil."""

KEYPOINT_COLOURS = ((255, 144, 30), (0, 215, 255), (60, 60, 255), (255, 0, 200), (0, 140, 255))
"""BGR, in the order of the keypoints: left eye blue, right eye yellow, nose red, mouth corners magenta and orange."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SHIFT = 4  # OpenCV draws at 1/16 of a pixel
_CAPITAL = 22.0  # height in pixels of a digit of the font at scale 1


@dataclass(frozen=True)
class _Pen:
    """Sizes in pixels for one image: `line` the widest line, `text` the height of a digit."""

    line: float
    text: float

    @classmethod
    def for_size(cls, height: int, width: int) -> _Pen:
        side = (height * width) ** 0.5
        return cls(line=max(1.0, side / 520), text=max(7.0, side / 70))


def draw(image: Image, faces: Faces) -> Image:
    """A copy of `image` (H, W, 3) uint8 BGR with a box, the score and the landmarks of every face, or keypoints where
    it has no landmarks. With variances, a landmark's colour says how sure it is, and a legend what the colours say.

    Scores are written where they fit beside the face's own box and always inside the image.
    """
    canvas = np.ascontiguousarray(image).copy()
    height, width = canvas.shape[:2]
    pen = _Pen.for_size(height, width)
    ordered = sorted(faces, key=lambda face: face.score)  # the surest on top
    for face in ordered:
        _draw_box(canvas, _bounded(face.box, width, height), pen)
    for face in ordered:
        _draw_points(canvas, face if face.landmarks is None else replace(face, keypoints=None), pen)
    for face in ordered:
        _draw_label(canvas, face, pen)
    if any(face.variances is not None for face in ordered):
        _draw_legend(canvas, faces.boxes, pen)
    return canvas


def mark(
    image: Image,
    boxes: Floats | None = None,
    keypoints: Floats | None = None,
    landmarks: Floats | None = None,
    ignored: NDArray[np.bool_] | None = None,
) -> Image:
    """A copy of `image` (H, W, 3) uint8 BGR with what is annotated of its N faces: boxes (N, 4), those that are
    `ignored` (N,) in grey, keypoints (N, 5, 2) and landmarks (N, K, 2), all in its pixels. Points that are NaN are left
    out, and points without a box are drawn as if their own hull were it."""
    canvas = np.ascontiguousarray(image).copy()
    height, width = canvas.shape[:2]
    pen = _Pen.for_size(height, width)
    dots = _Pen(max(3.0, pen.line), pen.text)  # points are what one looks for here
    if boxes is not None:
        for index, box in enumerate(boxes):
            colour = _IGNORED if ignored is not None and ignored[index] else _BOX
            _draw_box(canvas, _bounded(box, width, height), pen, colour)
    points = next((array for array in (landmarks, keypoints) if array is not None), None)
    for index in range(0 if points is None else len(points)):
        own = [array[index] for array in (landmarks, keypoints) if array is not None]
        box = _hull(np.concatenate(own)) if boxes is None else boxes[index]
        shown = (None if array is None else array[index] for array in (keypoints, landmarks))
        _draw_points(canvas, Face(box, 1.0, *shown), dots)
    return canvas


def _hull(points: Floats) -> Floats:
    """The box around points (K, 2); zeros where all are NaN."""
    known = points[np.isfinite(points).all(axis=1)]
    result: Floats = np.concatenate([known.min(0), known.max(0)]) if len(known) else np.zeros(4, np.float32)
    return result


def _bounded(points: Floats, width: int, height: int) -> Floats:
    """Coordinates no further outside than the image is large: OpenCV's integers overflow on wilder ones."""
    known = np.nan_to_num(points.reshape(-1, 2), nan=-1.0)
    return np.clip(known, (-width, -height), (2 * width, 2 * height)).astype(np.float32)


def _fixed(point: Floats) -> tuple[int, int]:
    """A point in OpenCV's fixed-point numbers. A pixel's centre is at .5 here and at .0 in OpenCV."""
    x, y = np.round((point - 0.5) * (1 << _SHIFT)).astype(int)
    return int(x), int(y)


def _line_width(box: Floats, pen: _Pen) -> int:
    """The pen's line, thinner on a face so small that it would hide it."""
    return max(1, round(min(pen.line, float(np.min(box[1] - box[0])) / 14)))


def _draw_box(canvas: Image, box: Floats, pen: _Pen, colour: Colour = _BOX) -> None:
    line = _line_width(box, pen)
    corners = _fixed(box[0]), _fixed(box[1])
    if line > 1:
        cv2.rectangle(canvas, *corners, _DARK, line + max(2, line // 2), cv2.LINE_AA, _SHIFT)
    cv2.rectangle(canvas, *corners, colour, line, cv2.LINE_AA, _SHIFT)


def _draw_points(canvas: Image, face: Face, pen: _Pen) -> None:
    height, width = canvas.shape[:2]
    side = float(np.min(face.box[2:] - face.box[:2]))
    if face.landmarks is not None:
        radius = max(0.7, min(pen.line, side / 60))
        colours = [_LANDMARK] * len(face.landmarks) if face.variances is None else _certainties(face)
        for index, point in _known(face.landmarks, width, height):
            _dot(canvas, point, radius, colours[index])
    if face.keypoints is not None:
        radius = max(0.6, min(pen.line * 1.6, side / 34))
        for index, point in _known(face.keypoints, width, height):
            _dot(canvas, point, radius, KEYPOINT_COLOURS[index % len(KEYPOINT_COLOURS)])


def _certainties(face: Face) -> list[Colour]:
    """The colour of each landmark by its standard deviation; of one that is not known, red."""
    sides = np.maximum(face.box[2:] - face.box[:2], 1)
    parts = np.sqrt(np.maximum(np.asarray(face.variances, np.float64), 0)) / float(np.sqrt(sides.prod()))
    return [_ramp(value) for value in np.nan_to_num((parts - SURE) / (UNSURE - SURE), nan=1.0, posinf=1.0).tolist()]


def _ramp(value: float) -> Colour:
    """The colour at `value` in 0..1, from sure to unsure."""
    stops = [stop for stop, _ in CERTAINTY]
    blue, green, red = (round(float(np.interp(value, stops, [c[i] for _, c in CERTAINTY]))) for i in range(3))
    return blue, green, red


def _draw_legend(canvas: Image, boxes: Floats, pen: _Pen) -> None:
    """A bar of the colours with its ends written out, in the corner that covers least of the faces; not in pictures too
    small for it."""
    height, width = canvas.shape[:2]
    digits = pen.text
    scale, thickness, pad = digits / _CAPITAL * 0.9, max(1, round(digits / 9)), round(digits * 0.7)
    texts = (f"sd {SURE:.1%}", f"{UNSURE:.0%} of face")
    widths = [cv2.getTextSize(text, _FONT, scale, thickness)[0][0] for text in texts]
    wide, high = sum(widths) + 3 * pad, round(2.2 * digits) + 3 * pad
    if wide > width / 2 or high > height / 4:
        return
    left, top = _free_corner(boxes, width, height, wide, high)
    plate = canvas[top : top + high, left : left + wide]
    plate[:] = (plate * 0.25 + np.array(_DARK) * 0.75).astype(np.uint8)
    colours = np.array([_ramp(value) for value in np.linspace(0, 1, wide - 2 * pad)], np.uint8)
    plate[pad : pad + round(digits), pad : wide - pad] = colours
    baseline = top + high - pad
    for text, x in zip(texts, (left + pad, left + wide - pad - widths[1]), strict=True):
        cv2.putText(canvas, text, (x, baseline), _FONT, scale, _LIGHT, thickness, cv2.LINE_AA)


def _free_corner(boxes: Floats, width: int, height: int, wide: int, high: int) -> tuple[int, int]:
    """Left and top of the image's corner where a plate of that size covers least of the boxes; bottom left first."""
    corners = [(x, y) for y in (height - high, 0) for x in (0, width - wide)]
    plates = np.array([(x, y, x + wide, y + high) for x, y in corners], np.float32)
    sides = np.minimum(boxes[:, None, 2:], plates[:, 2:]) - np.maximum(boxes[:, None, :2], plates[:, :2])
    covered = np.clip(sides, 0, None).prod(axis=2).sum(axis=0)
    return corners[int(covered.argmin())]


def _known(points: Floats, width: int, height: int) -> Iterator[tuple[int, Floats]]:
    """The points (K, 2) that are not NaN, with their numbers."""
    there = np.flatnonzero(~np.isnan(points).any(axis=1)).tolist()
    return zip(there, _bounded(points, width, height)[there], strict=True)


def _dot(canvas: Image, centre: Floats, radius: float, colour: Colour) -> None:
    scale = 1 << _SHIFT
    if radius >= 2:  # below that the rim is all one sees
        cv2.circle(canvas, _fixed(centre), round(radius * 1.35 * scale), _LIGHT, -1, cv2.LINE_AA, _SHIFT)
    cv2.circle(canvas, _fixed(centre), round(radius * scale), colour, -1, cv2.LINE_AA, _SHIFT)


def _draw_label(canvas: Image, face: Face, pen: _Pen) -> None:
    height, width = canvas.shape[:2]
    box = _bounded(face.box, width, height)
    text = f"{face.score:.2f}"
    side = float(box[1, 0] - box[0, 0])
    digits = max(min(pen.text, side / 4), min(pen.text, 7.0))
    scale = digits / _CAPITAL
    thickness = max(1, round(digits / 9))
    (text_width, _), _ = cv2.getTextSize(text, _FONT, scale, thickness)
    pad = max(2, round(digits * 0.4))
    plate_width, plate_height = text_width + 2 * pad, round(digits) + 2 * pad
    if plate_width > width or plate_height > height or side < 0.75 * plate_width:
        return
    half = _line_width(box, pen) / 2
    left = round(min(max(float(box[0, 0]) - half, 0), width - plate_width))
    above = float(box[0, 1]) - half - plate_height
    top = round(min(max(above if above >= 0 else float(box[0, 1]), 0), height - plate_height))
    cv2.rectangle(canvas, (left, top), (left + plate_width - 1, top + plate_height - 1), _BOX, -1)
    corner = left + pad, top + pad + round(digits)
    cv2.putText(canvas, text, corner, _FONT, scale, _DARK, thickness, cv2.LINE_AA)
