"""The two networks of Face-Detector-1MB, slim and RFB, with the names of their weights.

Facts from biubug6/Face-Detector-1MB-with-landmark: ``models/net_slim.py`` and ``models/net_rfb.py``.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from zoo_retinaface.architectures import Light
from zoo_retinaface.layers import convolution, rows, separable

FIRST = 16
LAYERS = (
    *((32, 1), (32, 2), (32, 1), (64, 2), (64, 1), (64, 1), (64, 1)),
    *((128, 2), (128, 1), (128, 1), (256, 2), (256, 1)),
)
"""Channels and stride of the layers ``conv2`` to ``conv13``."""

TAPPED = {8: 64, 11: 128, 13: 256, 14: 256}
"""The layers whose maps the heads see, and their channels."""

RFB_LAYER = 8


class Normed(nn.Module):
    """A convolution without bias and batch-norm, then a rectifier if it is `activated`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int = 1, activated: bool = False) -> None:
        super().__init__()
        padding = kernel // 2 * dilation
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation, bias=False)
        self.bn = nn.BatchNorm2d(outputs, momentum=0.01)
        self.activated = activated

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        maps = self.bn(self.conv(maps))
        return maps.relu() if self.activated else maps


class Rfb(nn.Module):
    """A receptive-field block (Liu et al., ECCV 2018): branches of growing dilation, side by side, and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        eighth, quarter = channels // 8, channels // 4
        middle = 3 * (eighth // 2)
        for number, (widths, dilation) in enumerate((((), 2), ((), 3), ((middle,), 5))):
            inner = (eighth, *widths, quarter)
            convolutions = [Normed(a, b, 3, activated=True) for a, b in pairwise(inner)]
            ends = Normed(channels, eighth, 1), Normed(quarter, quarter, 3, dilation)
            self.add_module(f"branch{number}", nn.Sequential(ends[0], *convolutions, ends[1]))
        self.ConvLinear = Normed(3 * quarter, channels, 1)
        self.shortcut = Normed(channels, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, channels, H, W) to the same."""
        branches = [self.get_submodule(f"branch{number}")(maps) for number in range(3)]
        return (self.ConvLinear(torch.cat(branches, 1)) + self.shortcut(maps)).relu()


class LightFace(nn.Module):
    """The detector, for images of any size."""

    outputs = ("loc", "conf", "landmarks")

    def __init__(self, config: Light) -> None:
        super().__init__()
        self.config = config
        self.conv1 = convolution(3, FIRST, 3, 2, slope=0)
        before = FIRST
        for number, (channels, stride) in enumerate(LAYERS, 2):
            replaced = config.rfb and number == RFB_LAYER
            layer = Rfb(channels) if replaced else separable(before, channels, stride, 0, flat=True)
            self.add_module(f"conv{number}", layer)
            before = channels
        squeeze = nn.Conv2d(before, before // 4, 1)
        self.conv14 = nn.Sequential(squeeze, nn.ReLU(), _depthwise(before // 4, before, 2), nn.ReLU())
        self.loc, self.conf, self.landm = (_heads(config.anchors, channels) for channels in (4, 2, 10))

    def raw(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes, logits and keypoints, as `zoo_retinaface.network.RetinaFace.raw`, of strides 8, 16, 32 and 64."""
        maps, tapped = self.conv1(images), []
        for number in range(2, len(LAYERS) + 3):
            maps = self.get_submodule(f"conv{number}")(maps)
            if number in TAPPED:
                tapped.append(maps)
        return rows(self.loc, tapped, 4), rows(self.conf, tapped, 2), rows(self.landm, tapped, 10)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What `raw` gives, with probabilities instead of logits."""
        boxes, classes, keypoints = self.raw(images)
        return boxes, classes.softmax(-1), keypoints


def _depthwise(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A depthwise 3x3 and a pointwise convolution, both with a bias and without a norm."""
    depth = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs)
    return nn.Sequential(depth, nn.ReLU(), nn.Conv2d(inputs, outputs, 1))


def _heads(anchors: tuple[int, ...], channels: int) -> nn.Sequential:
    """One for each level: separable, but for the last."""
    widths = [count * channels for count in anchors]
    *inputs, last = TAPPED.values()
    heads = [_depthwise(*pair) for pair in zip(inputs, widths, strict=False)]
    return nn.Sequential(*heads, nn.Conv2d(last, widths[-1], 3, padding=1))
