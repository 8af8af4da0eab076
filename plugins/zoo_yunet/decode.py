"""YuNet's outputs, read.

For every stride, class probability, objectness, box and keypoints of each cell. A cell's point is its top-left corner.
Facts from ShiqiYu/libfacedetection.train: ``mmdet/models/dense_heads/yunet_head.py``; the geometric score from
ShiqiYu/libfacedetection: ``src/facedetectcnn.cpp``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.geometry import boxes_from_centres, cell_count, points_at
from zoo.inference.detector import Outputs, require_rows
from zoo.types import Faces, Floats


@dataclass(frozen=True)
class Decode:
    """A `zoo.inference.detector.Decode`. `strides` in pixels; `geometric` takes the root of the product as score."""

    strides: Sequence[int]
    geometric: bool = True

    @property
    def channels(self) -> list[int]:
        """The last dimension of each output: classes, objectness, boxes and keypoints, each for all strides."""
        return [width for width in (1, 1, 4, 10) for _ in self.strides]

    def __call__(self, outputs: Outputs, width: int, height: int, threshold: float) -> Faces:
        """See `zoo.inference.detector.Decode`."""
        levels = len(self.strides)
        return Faces.concatenate(
            [
                self._level(outputs[level::levels], stride, width, height, threshold)
                for level, stride in enumerate(self.strides)
            ]
        )

    def _level(self, outputs: Outputs, stride: int, width: int, height: int, threshold: float) -> Faces:
        cells = cell_count(width, height, stride)
        classes, objectness, boxes, keypoints = map(require_rows, outputs, [cells] * 4, (1, 1, 4, 10))
        scores = self._scores(classes[:, 0], objectness[:, 0])
        found = np.flatnonzero(scores >= threshold)
        if not len(found):  # most levels of most photographs: half of the decoder's time saved
            return Faces.empty(5)
        corners, boxes = points_at(found, width, stride), boxes[found]
        centres, sizes = corners + boxes[:, :2] * stride, np.exp(boxes[:, 2:]) * stride
        points = keypoints[found].reshape(-1, 5, 2) * stride + corners[:, None]
        return Faces(boxes_from_centres(centres, sizes), scores[found], points)

    def _scores(self, classes: Floats, objectness: Floats) -> Floats:
        # Some runtimes' sigmoid leaves 0..1 by a rounding error, of which the root would make a NaN.
        product: Floats = np.clip(classes, 0, 1) * np.clip(objectness, 0, 1)
        return np.sqrt(product) if self.geometric else product
