"""RetinaFace's loss: the MultiBox loss of SSD, with landmarks.

Facts from biubug6/Pytorch_Retinaface: ``layers/modules/multibox_loss.py``, ``utils/box_utils.py``, ``train.py`` and
``data/config.py``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from zoo.geometry import prior_boxes
from zoo.training.losses import iou
from zoo.training.targets import Targets, averaged, require_priors


@dataclass(frozen=True)
class Matching:
    """Gives each anchor the face that it overlaps most, if their IoU is at least `overlap`.

    The anchor that a face overlaps most belongs to that face however little that is, if it is at least `least`. (Of a
    face that none overlaps so much, the best anchor is a positive only if it overlaps another one enough; it then
    learns this face all the same.) Of several faces that share their best anchor, the last one has it; of several
    anchors that overlap a face alike, because each holds it whole, the first is the best (the original leaves that to
    how its normalised coordinates are rounded).
    """

    overlap: float = 0.35
    least: float = 0.2

    @torch.no_grad()
    def __call__(self, anchors: Tensor, targets: Targets) -> Tensor:
        """The number of the face that each of the `anchors` (A, 4), corners in pixels, answers for, or -1: (B, A)."""
        matched = torch.full((len(targets.boxes), len(anchors)), -1, device=anchors.device)
        if targets.boxes.shape[1]:
            for part, some in targets.portions(len(anchors)):
                matched[part] = self._match(anchors, some)
        return matched

    def _match(self, anchors: Tensor, targets: Targets) -> Tensor:
        overlaps = iou(anchors[:, None], targets.boxes[:, None]).masked_fill(~targets.faces[:, None], -1)
        overlap, face = overlaps.max(2)
        best, anchor = overlaps.max(1)
        kept = best >= self.least
        numbers = torch.arange(best.shape[1], device=best.device).expand_as(best)
        owners = torch.full_like(face, -1).scatter_reduce(1, anchor, numbers.masked_fill(~targets.faces, -1), "amax")
        face = torch.where(owners >= 0, owners, face)
        forced = torch.zeros_like(face).scatter_reduce(1, anchor, kept.long(), "amax") > 0
        positive = ((overlap >= self.overlap) | forced) & kept.any(1, keepdim=True)
        return face.masked_fill(~positive, -1)


@dataclass(frozen=True)
class Loss:
    """The loss of a network with anchors of `sizes` (one group a level) on levels of `steps`, all in pixels.

    `variances` are those of the card; `negatives` are learnt for each positive anchor, those of the greatest loss. The
    weights are those of ``train.py`` and ``data/config.py``. A call raises `ModelError` for a network of another number
    of anchors.
    """

    steps: Sequence[int] = (8, 16, 32)
    sizes: Sequence[Sequence[float]] = ((16, 32), (64, 128), (256, 512))
    variances: tuple[float, float] = (0.1, 0.2)
    matching: Matching = field(default_factory=Matching)
    negatives: int = 7
    class_weight: float = 1.0
    box_weight: float = 2.0
    keypoint_weight: float = 1.0

    def __call__(self, outputs: Sequence[Tensor], targets: Targets) -> dict[str, Tensor]:
        """The weighted parts of the loss, whose sum it is: scalars ``class``, ``box``, ``keypoints``.

        `outputs` are what the network's ``raw`` gives: boxes, logits and keypoints of each anchor. Class and box are
        sums over the batch divided by the number of positive anchors; keypoints, which are learnt of the faces of which
        all five are known, by the number of those with such a face (both at least 1). An image without positive anchors
        has no negative ones.
        """
        boxes, logits, keypoints = (one.float() for one in outputs)
        priors = self.anchors(targets.size, boxes.device)
        require_priors(boxes.shape[1], len(priors))
        corners = torch.cat([priors[:, :2] - priors[:, 2:] / 2, priors[:, :2] + priors[:, 2:] / 2], 1)
        matched = self.matching(corners, targets)
        positive = matched >= 0
        image, anchor = positive.nonzero(as_tuple=True)
        face = matched[image, anchor]
        prior, points = priors[anchor], targets.keypoints[image, face]
        entropy = functional.cross_entropy(logits.flatten(0, 1), positive.long().flatten(), reduction="none")
        entropy = entropy.view(positive.shape)
        learnt = positive | hard_negatives(entropy.detach(), positive, self.negatives)
        wanted = self.encode(targets.boxes[image, face], prior)
        known = (points[..., 2] > 0).all(-1)
        shifts = (points[known, :, :2] - prior[known, None, :2]) / (self.variances[0] * prior[known, None, 2:])
        count, seen = (averaged(mask.sum().float()).clamp(min=1) for mask in (positive, known))
        far = functools.partial(functional.smooth_l1_loss, reduction="sum")
        return {
            "class": self.class_weight * (entropy * learnt).sum() / count,
            "box": self.box_weight * far(boxes[image, anchor], wanted) / count,
            "keypoints": self.keypoint_weight * far(keypoints[image, anchor][known], shifts.flatten(1)) / seen,
        }

    def anchors(self, size: tuple[int, int], device: torch.device | str = "cpu") -> Tensor:
        """The anchors (A, 4) of images of that height and width: centre x, centre y, width, height in pixels."""
        height, width = size
        return torch.from_numpy(_priors(width, height, tuple(self.steps), tuple(map(tuple, self.sizes)))).to(device)

    def encode(self, boxes: Tensor, priors: Tensor) -> Tensor:
        """What the network should say of `boxes` (N, 4) x1 y1 x2 y2 to anchors `priors` (N, 4): (N, 4)."""
        centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        shifts = (centres - priors[:, :2]) / (self.variances[0] * priors[:, 2:])
        return torch.cat([shifts, (sides / priors[:, 2:]).log() / self.variances[1]], 1)


def hard_negatives(losses: Tensor, positive: Tensor, ratio: int) -> Tensor:
    """Of each image the anchors of the greatest loss that are not positive, `ratio` times as many as are: (B, A) bool,
    from their `losses` (B, A) and which are `positive` (B, A)."""
    order = losses.masked_fill(positive, 0).argsort(dim=1, descending=True, stable=True)
    wanted = (ratio * positive.sum(1, keepdim=True)).clamp(max=positive.shape[1] - 1)
    ranks = torch.arange(positive.shape[1], device=losses.device)
    return torch.zeros_like(positive).scatter_(1, order, ranks < wanted) & ~positive


_priors = functools.lru_cache(maxsize=16)(prior_boxes)
