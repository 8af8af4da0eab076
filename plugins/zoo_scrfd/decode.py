"""SCRFD's outputs, read.

For every stride, the probability, the four distances from a point to the edges of the box, and in some models the
keypoints, of each anchor; the anchors of a cell follow one another and share its point, the cell's top-left corner.
Names and ranks of the outputs changed over the years, their order did not. Facts from deepinsight/insightface:
``detection/scrfd/tools/scrfd.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.geometry import boxes_from_distances, cell_count, points_at
from zoo.inference.detector import Outputs, require_rows
from zoo.types import Faces


@dataclass(frozen=True)
class Decode:
    """A `zoo.inference.detector.Decode`. `strides` in pixels; `anchors` a cell; `keypoints` are 0 or 5."""

    strides: Sequence[int]
    anchors: int = 2
    keypoints: int = 5

    @property
    def channels(self) -> list[int]:
        """The last dimension of each output: scores, distances and keypoints, each for all strides."""
        return [width for width in self._widths for _ in self.strides]

    @property
    def _widths(self) -> tuple[int, ...]:
        return (1, 4, 2 * self.keypoints) if self.keypoints else (1, 4)

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
        rows = cell_count(width, height, stride) * self.anchors
        scores, distances, *keypoints = map(require_rows, outputs, [rows] * len(outputs), self._widths)
        found = np.flatnonzero(scores[:, 0] >= threshold)
        if not len(found):
            return Faces.empty(self.keypoints)
        corners = points_at(found // self.anchors, width, stride)
        boxes = boxes_from_distances(corners, distances[found] * stride)
        points = [rows[found].reshape(-1, self.keypoints, 2) * stride + corners[:, None] for rows in keypoints]
        return Faces(boxes, scores[found, 0], *points)
