"""RetinaFace's outputs, read.

For each anchor of `zoo.geometry.prior_boxes`, a box, the probabilities of background and face, and five keypoints, all
relative to the anchor. The exports of the family give the three in different orders and under different names, but
never of the same width. Which anchors a network was trained with does not show in its file: the card says it. Facts
from biubug6/Pytorch_Retinaface: ``utils/box_utils.py`` and ``layers/functions/prior_box.py``.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from zoo.errors import ModelError
from zoo.geometry import boxes_from_centres, prior_boxes
from zoo.inference.detector import Outputs, require_rows
from zoo.types import Faces, Floats

BOX, CLASSES, KEYPOINTS = CHANNELS = (4, 2, 10)
"""The last dimension of the outputs, by which they are told apart."""


@dataclass(frozen=True)
class Decode:
    """A `zoo.inference.detector.Decode`. `steps` (strides) and `min_sizes` (anchors a cell, one group a step) are in
    pixels; `variances` scale the shifts of centres and keypoints, and the logarithms of the sides."""

    steps: tuple[int, ...]
    min_sizes: tuple[tuple[float, ...], ...]
    variances: tuple[float, float] = (0.1, 0.2)

    def __call__(self, outputs: Outputs, width: int, height: int, threshold: float) -> Faces:
        """See `zoo.inference.detector.Decode`."""
        by_width = {array.shape[-1]: array for array in outputs}
        if sorted(by_width) != sorted(CHANNELS):
            raise ModelError(f"A RetinaFace has outputs of 4, 2 and 10 channels, not {sorted(by_width)}.")
        anchors = _anchors(width, height, self.steps, self.min_sizes)
        boxes, classes, keypoints = (require_rows(by_width[size], len(anchors), size) for size in CHANNELS)
        found = np.flatnonzero(classes[:, 1] >= threshold)
        centres, sides = anchors[found, None, :2], anchors[found, None, 2:]
        shifts = np.concatenate([boxes[found, :2], keypoints[found]], axis=1).reshape(-1, 6, 2)
        points = centres + shifts * np.float32(self.variances[0]) * sides
        sizes = sides[:, 0] * np.exp(boxes[found, 2:] * np.float32(self.variances[1]))
        return Faces(boxes_from_centres(points[:, 0], sizes), classes[found, 1], points[:, 1:])


@functools.lru_cache(maxsize=16)
def _anchors(width: int, height: int, steps: tuple[int, ...], sizes: tuple[tuple[float, ...], ...]) -> Floats:
    """The anchors of the last few input sizes: a video, and most folders, have few."""
    anchors = prior_boxes(width, height, steps, sizes)
    anchors.setflags(write=False)
    return anchors
