"""YuNet's loss: which cell answers for which face (SimOTA), and how far it is from saying so.

Facts from ShiqiYu/libfacedetection.train: ``mmdet/models/dense_heads/yunet_head.py``,
``mmdet/core/bbox/assigners/sim_ota_assigner.py``, ``mmdet/models/losses/iou_loss.py``, ``configs/yunet_n.py``. The
assigner is that of YOLOX (Ge et al., 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from zoo.training.losses import iou, keypoint_loss, smooth_eiou_loss, visibility
from zoo.training.targets import Targets, averaged, cells, encode_points, rows
from zoo_yunet.config import KEYPOINTS

OUTSIDE = 1e5
"""What a prior costs that is not both inside a face and near its centre."""


@dataclass(frozen=True)
class SimOTA:
    """Gives each face the priors that answer best for it already.

    Eligible are the cells whose centre is inside a face or nearer than `radius` cells to the centre of one, in x and y.
    A face gets as many of them as the sum of its `candidates` greatest IoUs says, and at least one: those of the least
    cost, which is `class_weight` times the cross-entropy of the score plus `iou_weight` times that of the IoU. A cell
    that several faces want goes to the one of least cost.
    """

    radius: float = 2.5
    candidates: int = 10
    iou_weight: float = 3.0
    class_weight: float = 1.0

    @torch.no_grad()
    def __call__(self, scores: Tensor, boxes: Tensor, centres: Tensor, strides: Tensor, targets: Targets) -> Tensor:
        """The number of the face that each prior answers for, -1 for none: (B, P) int64.

        `scores` (B, P) are products of probabilities, `boxes` (B, P, 4) what is predicted, `centres` (P, 2) those of
        the cells and `strides` (P, 1) their sides; all in pixels.
        """
        matched = scores.new_full(scores.shape, -1, dtype=torch.int64)
        if targets.boxes.shape[1]:
            for part, some in targets.portions(len(centres)):
                self._assign(scores[part], boxes[part], centres, strides, some, matched[part])
        return matched

    def _assign(
        self, scores: Tensor, boxes: Tensor, centres: Tensor, strides: Tensor, targets: Targets, matched: Tensor
    ) -> None:
        inside, near = self._places(centres, strides, targets)
        eligible = (inside | near).any(-1)
        # Most cells of most images are far from all faces: what follows looks at as many as the fullest image has.
        count = int(eligible.sum(-1).max())
        chosen = eligible.byte().argsort(dim=1, descending=True, stable=True)[:, :count]
        both, eligible = _rows(inside & near, chosen), eligible.gather(1, chosen)
        usable = eligible[..., None] & targets.faces[:, None]
        overlaps = iou(_rows(boxes, chosen)[:, :, None], targets.boxes[:, None]).masked_fill(~usable, 0)
        # The cross-entropy with 1 of the root of the score, which torch's own would refuse for what is no number.
        unlikely = -scores.gather(1, chosen).sqrt().log().clamp(min=-100)
        cost = self.class_weight * unlikely[..., None] - self.iou_weight * torch.log(overlaps + 1e-7)
        cost = (cost + OUTSIDE * ~both).masked_fill(~usable, torch.inf)
        matched.scatter_(1, chosen, self._cheapest(cost, overlaps))

    def _places(self, centres: Tensor, strides: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        """Whether each cell (P) is inside each face, and near its centre: (B, P, G) bool."""
        boxes, points = targets.boxes[:, None], centres[:, None]
        inside = ((points > boxes[..., :2]) & (points < boxes[..., 2:])).all(-1)
        middle, reach = (boxes[..., :2] + boxes[..., 2:]) / 2, self.radius * strides[:, None]
        near = ((points > middle - reach) & (points < middle + reach)).all(-1)
        return inside & targets.faces[:, None], near & targets.faces[:, None]

    def _cheapest(self, cost: Tensor, overlaps: Tensor) -> Tensor:
        """From costs and IoUs (B, V, G), the face of each of the V priors, or -1: (B, V) int64."""
        candidates = min(self.candidates, cost.shape[1])
        wanted = overlaps.topk(candidates, dim=1).values.sum(1).int().clamp(min=1)
        least = cost.topk(candidates, dim=1, largest=False)
        ranks = torch.arange(candidates, device=cost.device)[:, None]
        taken = (ranks < wanted[:, None]) & least.values.isfinite()
        wants = torch.zeros_like(cost, dtype=torch.bool).scatter_(1, least.indices, taken)
        suitors = wants.sum(-1)
        face = torch.where(suitors > 1, cost.argmin(-1), wants.byte().argmax(-1))
        return face.masked_fill(suitors == 0, -1)


@dataclass(frozen=True)
class Loss:
    """The loss of a network with `strides`; the weights are those of ``configs/yunet_n.py``."""

    strides: Sequence[int] = (8, 16, 32)
    assigner: SimOTA = field(default_factory=SimOTA)
    class_weight: float = 1.0
    objectness_weight: float = 1.0
    box_weight: float = 5.0
    keypoint_weight: float = 0.1
    beta: float = 1 / 9
    smooth: float = 0.1

    def __call__(self, outputs: Sequence[Tensor], targets: Targets) -> dict[str, Tensor]:
        """The weighted parts of the loss, whose sum it is: scalars ``class``, ``objectness``, ``box``, ``keypoints``.

        `outputs` are what the network's ``raw`` gives. Class, box and objectness are sums over the batch, divided by
        the number of cells that answer for a face (at least 1); the class is learnt by these cells alone, with the IoU
        of their box as target. Keypoints are divided by how many faces' worth of them is known.
        """
        levels = len(self.strides)
        classes, objectness, boxes, keypoints = (
            rows(outputs[kind * levels : (kind + 1) * levels], channels)
            for kind, channels in enumerate((1, 1, 4, 2 * KEYPOINTS))
        )
        corners, strides = cells(outputs[:levels], self.strides)
        classes, objectness, boxes = classes[..., 0], objectness[..., 0], decode(boxes, corners, strides)
        scores = classes.detach().sigmoid() * objectness.detach().sigmoid()
        matched = self.assigner(scores, boxes.detach(), corners + strides / 2, strides, targets)
        image, prior = (matched >= 0).nonzero(as_tuple=True)
        face = matched[image, prior]
        count = averaged(torch.tensor(float(len(face)), device=face.device)).clamp(min=1)
        box, points = targets.boxes[image, face], targets.keypoints[image, face]
        quality = iou(boxes.detach()[image, prior], box)
        present = (matched >= 0).float()
        shifts = encode_points(points, corners[prior], strides[prior])
        distances = keypoint_loss(keypoints[image, prior], shifts, points, self.beta) * visibility(points)
        known = averaged(visibility(points).sum()).clamp(min=torch.finfo(torch.float32).eps)
        wrong = functional.binary_cross_entropy_with_logits
        return {
            "class": self.class_weight * wrong(classes[image, prior], quality, reduction="sum") / count,
            "objectness": self.objectness_weight * wrong(objectness, present, reduction="sum") / count,
            "box": self.box_weight * smooth_eiou_loss(boxes[image, prior], box, self.smooth).sum() / count,
            "keypoints": self.keypoint_weight * distances.sum() / known,
        }


def decode(boxes: Tensor, corners: Tensor, strides: Tensor) -> Tensor:
    """The boxes (..., P, 4) in pixels that the network means by `boxes` (..., P, 4): the shift of the centre from the
    cell's corner and the logarithm of the sides, in cells."""
    centres, sides = corners + boxes[..., :2] * strides, boxes[..., 2:].exp() * strides
    return torch.cat([centres - sides / 2, centres + sides / 2], -1)


def _rows(values: Tensor, chosen: Tensor) -> Tensor:
    """The rows `chosen` (B, V) of `values` (B, P, C): (B, V, C)."""
    return values.gather(1, chosen[..., None].expand(-1, -1, values.shape[-1]))
