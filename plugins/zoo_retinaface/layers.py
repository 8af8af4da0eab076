"""What the family's networks are made of."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, slope: float | None = None
) -> nn.Sequential:
    """A convolution without bias that pads, batch-norm, and a rectifier of that `slope` below zero, none without."""
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([] if slope is None else [rectifier(slope)]))


def rectifier(slope: float) -> nn.Module:
    """The original asks for a leaky one of slope 0 where it means a plain one."""
    return nn.LeakyReLU(slope, inplace=True) if slope else nn.ReLU(inplace=True)


def separable(inputs: int, outputs: int, stride: int, slope: float, flat: bool) -> nn.Sequential:
    """A depthwise 3x3 and a pointwise convolution, both normed and rectified: six modules, or two of three each."""
    parts = (
        convolution(inputs, inputs, 3, stride, inputs, slope),
        convolution(inputs, outputs, 1, slope=slope),
    )
    return nn.Sequential(*(module for part in parts for module in part)) if flat else nn.Sequential(*parts)


def rows(heads: Iterable[nn.Module], maps: list[Tensor], channels: int) -> Tensor:
    """What each of `heads` says of its own of `maps` (N, C, H, W), as (N, all anchors, channels)."""
    said = [head(one).permute(0, 2, 3, 1) for head, one in zip(heads, maps, strict=True)]
    return torch.cat([one.reshape(one.shape[0], -1, channels) for one in said], 1)
