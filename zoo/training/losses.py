"""How far boxes and points are from where they should be. Boxes are (..., 4) x1 y1 x2 y2 in any unit."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

UNION = 1e-6
"""The least union that an intersection is divided by, as in mmdet's ``bbox_overlaps``."""

EPSILON = 1e-6
"""What losses of boxes add to what they divide by. mmdet's classes hand this to its functions, whose own is 1e-7."""


def areas(boxes: Tensor) -> Tensor:
    """Areas (...); negative where one side of a predicted box is."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def intersection(a: Tensor, b: Tensor) -> Tensor:
    """The area that each box of `a` shares with its counterpart in `b`; the shapes are broadcast."""
    sides = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    return sides[..., 0] * sides[..., 1]


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of each box of `a` with its counterpart in `b`; the shapes are broadcast, so that
    ``iou(a[:, None], b)`` is that of all pairs."""
    overlap = intersection(a, b)
    return overlap / (areas(a) + areas(b) - overlap).clamp(min=UNION)


def diou_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """1 - IoU + the squared distance of the centres over the squared diagonal of the box around both: (...).

    Zheng et al., AAAI 2020; as in mmdet's ``DIoULoss``, with `EPSILON` added to both denominators.
    """
    overlap = intersection(predicted, target)
    union = areas(predicted) + areas(target) - overlap + EPSILON
    low, high = torch.minimum(predicted, target), torch.maximum(predicted, target)
    diagonal = (high[..., 2:] - low[..., :2]).clamp(min=0).square().sum(-1) + EPSILON
    shift = (target[..., :2] + target[..., 2:] - predicted[..., :2] - predicted[..., 2:]).square().sum(-1) / 4
    return 1 - overlap / union + shift / diagonal


def smooth_eiou_loss(predicted: Tensor, target: Tensor, smooth: float = 0.1) -> Tensor:
    """1 - extended IoU, squared where it is less than `smooth`: (...).

    The intersection of disjoint boxes is minus what lies between them, so that there is a gradient that brings them
    together (Peng and Yu, "A systematic IoU-related method", IEEE Transactions on Image Processing 2021).
    """
    low = torch.minimum(predicted[..., :2], target[..., :2])  # the top-left corner of the box around both
    first = torch.maximum(predicted[..., :2], target[..., :2]) - low
    last = torch.minimum(predicted[..., 2:], target[..., 2:]) - low
    inner, outer = torch.minimum(first, last), torch.maximum(first, last)
    overlap = last.prod(-1) + inner.prod(-1) - first[..., 0] * outer[..., 1] - outer[..., 0] * first[..., 1]
    missing = 1 - overlap / (areas(predicted) + areas(target) - overlap + EPSILON)
    return torch.where(missing < smooth, missing.square() / (2 * smooth), missing - smooth / 2)


def keypoint_loss(predicted: Tensor, target: Tensor, keypoints: Tensor, beta: float) -> Tensor:
    """The smooth L1 distance of encoded points (N, 10) to `target` (N, 10), summed over the ten numbers: (N,).

    A point that `keypoints` (N, 5, 3) do not know counts for nothing.
    """
    known = keypoints[..., 2:].expand(-1, -1, 2).flatten(1) > 0
    each = functional.smooth_l1_loss(predicted, target, reduction="none", beta=beta)
    return (each * known).sum(-1)


def visibility(keypoints: Tensor) -> Tensor:
    """The mean of the five flags of `keypoints` (..., 5, 3): (...)."""
    return keypoints[..., 2].mean(-1)
