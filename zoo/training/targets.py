"""The faces of a batch of images as tensors, and the grids of points that networks predict at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor, distributed

from zoo.errors import InputError, ModelError
from zoo.training.augment import Labelled

PAIRS = 1 << 25
"""The most pairs of a prior and a face that an assigner looks at in one go: about a gigabyte of its tensors."""


@dataclass(frozen=True)
class Targets:
    """The faces of a batch of B images, padded to G faces, the most that one of them has (G may be 0).

    boxes (B, G, 4) x1 y1 x2 y2 and keypoints (B, G, 5, 3) float32, in pixels of the network's input; a keypoint is x, y
    and 1 where it is known, or three zeros. `faces` (B, G) bool tells faces from padding. `size` is the height and
    width of the images in pixels.
    """

    boxes: Tensor
    keypoints: Tensor
    faces: Tensor
    size: tuple[int, int]

    @classmethod
    def stack(cls, boxes: Sequence[Tensor], keypoints: Sequence[Tensor], size: tuple[int, int]) -> Targets:
        """The targets of images with `boxes` (N, 4) and `keypoints` (N, 5, 3), an entry of each per image.

        A box without width or height, or with coordinates that are no numbers, is no face here: the logarithm of its
        sides would be infinite. A keypoint that is no number is unknown.
        """
        shape = len(boxes), max(map(len, boxes), default=0)
        padded, points = torch.zeros(*shape, 4), torch.zeros(*shape, 5, 3)
        for image, (box, triples) in enumerate(zip(boxes, keypoints, strict=True)):
            padded[image, : len(box)] = box
            points[image, : len(box)] = triples
        faces = padded.isfinite().all(-1) & (padded[..., 2:] > padded[..., :2]).all(-1)
        known = points.isfinite().all(-1, keepdim=True) & (points[..., 2:] > 0)
        return cls(padded.masked_fill(~faces[..., None], 0), points.where(known, torch.zeros(())), faces, size)

    def to(self, device: torch.device | str) -> Targets:
        """The same on `device`."""
        boxes, points, faces = (part.to(device, non_blocking=True) for part in (self.boxes, self.keypoints, self.faces))
        return Targets(boxes, points, faces, self.size)

    def portions(self, priors: int) -> Iterator[tuple[slice, Targets]]:
        """The batch cut between images so that `PAIRS` holds for `priors` of each image (one image may exceed it)."""
        images = max(1, PAIRS // max(1, priors * self.boxes.shape[1]))
        for start in range(0, len(self.boxes), images):
            part = slice(start, start + images)
            yield part, Targets(self.boxes[part], self.keypoints[part], self.faces[part], self.size)


def batch(samples: Sequence[Labelled]) -> tuple[Tensor, Targets]:
    """The images (B, 3, H, W) uint8 BGR of `samples`, and their faces but for the ignored ones.

    Raises `InputError` unless all images are of one size.
    """
    sizes = {sample.image.shape[:2] for sample in samples}
    if len(sizes) != 1:
        raise InputError(f"A batch needs images of one size, and these are {sorted(sizes)}; resize them first.")
    (size,) = sizes
    images = np.empty((len(samples), 3, *size), np.uint8)
    for planes, sample in zip(images, samples, strict=True):
        # Not by torch: in each thread that prepares batches it would keep threads of its own, next to which those of
        # the thread that learns no longer wait awake for one another, and a step takes half as long again.
        for channel, plane in enumerate(planes):
            cv2.extractChannel(sample.image, channel, plane)
    counted = [sample.select(~sample.ignored) for sample in samples]
    boxes = [torch.from_numpy(sample.boxes) for sample in counted]
    keypoints = [torch.from_numpy(sample.keypoints) for sample in counted]
    return torch.from_numpy(images), Targets.stack(boxes, keypoints, size)


def rows(maps: Sequence[Tensor], channels: int) -> Tensor:
    """Maps (B, A * channels, H, W), one a level, as float32 rows (B, P, channels): level by level, row by row, the A
    anchors of a cell next to each other. Sums over thousands of rows need more than half precision."""
    flat = [one.permute(0, 2, 3, 1).reshape(len(one), -1, channels) for one in maps]
    return torch.cat(flat, 1).float()


def cells(maps: Sequence[Tensor], strides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The points (P, 2) x, y in pixels of the top-left corners of the cells of `maps` (B, C, H, W), and the stride
    (P, 1) of each, float32, in the order of `rows` for one anchor a cell."""
    points, sides = [], []
    for one, stride in zip(maps, strides, strict=True):
        y, x = (torch.arange(cells, device=one.device) for cells in one.shape[2:])
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2) * float(stride)
        points.append(grid)
        sides.append(torch.full_like(grid[:, :1], stride))
    return torch.cat(points), torch.cat(sides)


def require_priors(network: int, loss: int) -> None:
    """Raise `ModelError` unless a network predicts as many anchors of an image as its loss has."""
    if network != loss:
        raise ModelError(
            f"The network predicts {network} anchors of an image where its loss has {loss}; give the loss the strides"
            " and the sizes of the network's anchors."
        )


def encode_points(keypoints: Tensor, points: Tensor, sides: Tensor) -> Tensor:
    """The keypoints (N, 5, 3) seen from `points` (N, 2), in units of `sides` (N, 1 or 2): (N, 10)."""
    shifts: Tensor = (keypoints[..., :2] - points[:, None]) / sides[:, None]
    return shifts.flatten(1)


def averaged(total: Tensor) -> Tensor:
    """The mean over all processes of `total`, a scalar that losses are divided by; itself where there is one process.

    Gradients are averaged over processes, so that with it they are those of one process with the joint batch.
    """
    total = total.detach().clone()
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(total)
        total /= distributed.get_world_size()
    return total
