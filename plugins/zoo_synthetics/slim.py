"""The slim network of Peppa-Facial-Landmark-PyTorch, with its names."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo_synthetics.architectures import Slim

FIRST = 16
LAYERS = (
    *((32, 1), (32, 2), (32, 1), (64, 2), (64, 1), (64, 1), (64, 1)),
    *((128, 2), (128, 1), (128, 1), (256, 2), (256, 1)),
)
"""Channels and stride of the layers ``conv2`` to ``conv13``."""

TAPPED = (8, 11, 13)
"""The layers whose means the linear layer sees."""


class SlimNetwork(nn.Module):
    """160 x 160 pixels to the numbers of `Slim.outputs`."""

    def __init__(self, config: Slim) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(3, FIRST, 3, 2, 1, bias=False), nn.BatchNorm2d(FIRST), nn.ReLU())
        before = FIRST
        for number, (channels, stride) in enumerate(LAYERS, 2):
            self.add_module(f"conv{number}", _separable(before, channels, stride))
            before = channels
        tapped = sum(LAYERS[number - 2][0] for number in TAPPED)
        self.fc = nn.Linear(tapped, config.outputs)

    def raw(self, images: Tensor) -> Tensor:
        """(N, 3, 160, 160) to (N, C): x0, y0, ... in 0..1 across the crop, then angles and attributes."""
        maps, means = self.conv1(images), []
        for number in range(2, len(LAYERS) + 2):
            maps = self.get_submodule(f"conv{number}")(maps)
            if number in TAPPED:
                means.append(maps.mean((2, 3)))
        found: Tensor = self.fc(torch.cat(means, 1))
        return found

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """The one output, ``landmarks``: see `raw`."""
        return (self.raw(images),)


def _separable(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, before, 3, stride, 1, groups=before, bias=False),
        nn.BatchNorm2d(before),
        nn.ReLU(),
        nn.Conv2d(before, after, 1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )
