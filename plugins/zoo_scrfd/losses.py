"""SCRFD's loss: which anchor answers for which face (ATSS), and how far it is from saying so.

Facts from deepinsight/insightface, detection/scrfd: ``mmdet/models/dense_heads/scrfd_head.py``,
``mmdet/core/bbox/assigners/atss_assigner.py``, ``mmdet/models/losses`` (``gfocal_loss.py``, ``iou_loss.py``) and
``configs/scrfd/scrfd_*.py``. The assigner is of Zhang et al. (CVPR 2020), the focal loss of Li et al. (NeurIPS 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from zoo.training.losses import diou_loss, iou, keypoint_loss, visibility
from zoo.training.targets import Targets, averaged, cells, encode_points, require_priors, rows
from zoo_scrfd.head import KEYPOINTS

INSIDE = 0.001
"""How far inside a face an anchor's point must be, as a part of the root of the face's area: the assigner's mode 0."""


@dataclass(frozen=True)
class ATSS:
    """Gives each face the anchors that fit it better than most of those near by.

    Candidates are, on each level, the `nearest` anchors to the face's centre. Those are taken whose point is inside the
    face and whose IoU with it is at least the mean plus the standard deviation of all candidates' IoUs. An anchor that
    several faces want goes to the one of greatest IoU, and of those to the first.
    """

    nearest: int = 9

    @torch.no_grad()
    def __call__(self, anchors: Sequence[Tensor], targets: Targets) -> Tensor:
        """The number of the face that each of the anchors (A, 4) of each level answers for, -1 for none: (B, P) int64,
        where P counts the anchors of all levels."""
        every = torch.cat(list(anchors))
        matched = every.new_full((len(targets.boxes), len(every)), -1, dtype=torch.int64)
        if targets.boxes.shape[1]:
            for part, some in targets.portions(len(every)):
                self._assign(anchors, every, some, matched[part])
        return matched

    def _assign(self, anchors: Sequence[Tensor], every: Tensor, targets: Targets, matched: Tensor) -> None:
        near = self._candidates(anchors, targets)
        overlaps = iou(every[near], targets.boxes[:, None])
        limit = overlaps.mean(1, keepdim=True) + overlaps.std(1, keepdim=True)
        fits = (overlaps >= limit) & _inside(_centres(every)[near], targets.boxes) & targets.faces[:, None]
        # Of what remains, the best IoU for each anchor, then the first face that has it.
        near, scores = near.flatten(1), overlaps.masked_fill(~fits, -1).flatten(1)
        best = scores.new_full(matched.shape, -1).scatter_reduce(1, near, scores, "amax")
        face = torch.arange(overlaps.shape[2], device=near.device).expand(overlaps.shape).flatten(1)
        wins = fits.flatten(1) & (scores == best.gather(1, near))
        none = overlaps.shape[2]
        first = torch.full_like(matched, none).scatter_reduce(1, near, face.masked_fill(~wins, none), "amin")
        matched.copy_(first.masked_fill(first == none, -1))

    def _candidates(self, anchors: Sequence[Tensor], targets: Targets) -> Tensor:
        """The anchors nearest to each face, by their number among all: (B, K, G) int64."""
        found, before = [], 0
        centres = _centres(targets.boxes)
        for level in anchors:
            away = (_centres(level)[:, None] - centres[:, None]).square().sum(-1).sqrt()
            found.append(away.topk(min(self.nearest, len(level)), dim=1, largest=False).indices + before)
            before += len(level)
        return torch.cat(found, 1)


@dataclass(frozen=True)
class Loss:
    """The loss of a network with `strides`; the weights are those of ``configs/scrfd/scrfd_*.py``.

    `sizes` are the sides of the square anchors in pixels, one group a level. A call raises `ModelError` for a network
    of another number of anchors.
    """

    strides: Sequence[int] = (8, 16, 32)
    sizes: Sequence[Sequence[float]] = ((16, 32), (64, 128), (256, 512))
    assigner: ATSS = field(default_factory=ATSS)
    class_weight: float = 1.0
    box_weight: float = 2.0
    keypoint_weight: float = 0.1
    focus: float = 2.0
    beta: float = 1 / 9

    def __call__(self, outputs: Sequence[Tensor], targets: Targets) -> dict[str, Tensor]:
        """The weighted parts of the loss, whose sum it is: scalars ``class``, ``box`` and, of networks that have them,
        ``keypoints``.

        `outputs` are what the network's ``raw`` gives. The score of all anchors is learnt, with the IoU of their box as
        target where they answer for a face, and divided by the number of these (counted as 1 in an image that has
        none). Boxes and keypoints weigh as much as the score that the network gives now, and are divided by the sum of
        these weights.
        """
        levels = len(self.strides)
        scores, distances = (rows(outputs[kind * levels : (kind + 1) * levels], (1, 4)[kind]) for kind in (0, 1))
        anchors = self.anchors(outputs[:levels])
        require_priors(scores.shape[1], sum(map(len, anchors)))
        matched = self.assigner(anchors, targets)
        image, prior = (matched >= 0).nonzero(as_tuple=True)
        face = matched[image, prior]
        strides = [torch.full_like(level[:, :1], stride) for level, stride in zip(anchors, self.strides, strict=True)]
        point, side = _centres(torch.cat(anchors)[prior]), torch.cat(strides)[prior]
        # In cells, as the original has it: the sums in DIoU's denominators do not scale.
        box, at = targets.boxes[image, face] / side, point / side
        predicted = torch.cat([at - distances[image, prior, :2], at + distances[image, prior, 2:]], -1)
        logits = scores[..., 0]
        weights = logits.detach()[image, prior].sigmoid()
        quality = torch.zeros_like(logits).index_put((image, prior), iou(predicted.detach(), box))
        count = averaged((matched >= 0).sum(1).clamp(min=1).sum().float()).clamp(min=1)
        weight = averaged(weights.sum()).clamp(min=torch.finfo(torch.float32).tiny)
        parts = {
            "class": self.class_weight * quality_focal_loss(logits, quality, self.focus).sum() / count,
            "box": self.box_weight * (diou_loss(predicted, box) * weights).sum() / weight,
        }
        if len(outputs) > 2 * levels:
            keypoints = targets.keypoints[image, face]
            shifts = rows(outputs[2 * levels :], 2 * KEYPOINTS)[image, prior]
            wanted = encode_points(keypoints, point, side)
            away = keypoint_loss(shifts, wanted, keypoints, self.beta) * visibility(keypoints) * weights
            parts["keypoints"] = self.keypoint_weight * away.sum() / weight
        return parts

    def anchors(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The anchors (A, 4) in pixels of each level: around the top-left corners of its cells, those of a cell next to
        each other."""
        levels = []
        for one, stride, sizes in zip(maps, self.strides, self.sizes, strict=True):
            points = cells([one], [stride])[0][:, None]
            halves = torch.tensor(sizes, device=one.device)[:, None] / 2
            levels.append(torch.cat([points - halves, points + halves], -1).flatten(0, 1))
        return levels


def quality_focal_loss(logits: Tensor, quality: Tensor, focus: float = 2.0) -> Tensor:
    """The cross-entropy of scores with a `quality` in 0..1 (0 for what is no face), times the power `focus` of how far
    they are from it; of the shape of both."""
    entropy = functional.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return entropy * (quality - logits.sigmoid()).abs().pow(focus)


def _centres(boxes: Tensor) -> Tensor:
    return (boxes[..., :2] + boxes[..., 2:]) / 2


def _inside(points: Tensor, boxes: Tensor) -> Tensor:
    """Whether points (B, K, G, 2) are inside boxes (B, G, 4): (B, K, G)."""
    boxes = boxes[:, None]
    margin = torch.cat([points - boxes[..., :2], boxes[..., 2:] - points], -1).amin(-1)
    side = (boxes[..., 2:] - boxes[..., :2]).prod(-1).clamp(min=1e-4).sqrt()
    return margin / side > INSIDE
