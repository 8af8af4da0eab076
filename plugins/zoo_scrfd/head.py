"""SCRFD's head: one tower of convolutions for all that is predicted of a cell's anchors.

Facts from deepinsight/insightface: ``detection/scrfd/mmdet/models/dense_heads/scrfd_head.py``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from zoo_scrfd.config import REG_MAX, Config
from zoo_scrfd.layers import Layer, Separable

KEYPOINTS = 5

PRIOR = -4.595
"""Where the logit of a face starts: a probability of 0.01."""


class Scale(nn.Module):
    """One number, learnt, that multiplies what a level predicts."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, maps: Tensor) -> Tensor:
        """Any shape to the same."""
        return maps * self.scale


class Integral(nn.Module):
    """A buffer that checkpoints hold, for distributions of distances, which no SCRFD predicts."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("project", torch.linspace(0, REG_MAX, REG_MAX + 1))


class Head(nn.Module):
    """Scores, distances and keypoints of each level's anchors.

    Parts that levels share have the key ``0``, and parts of one level the text of its two strides, such as ``(8, 8)``:
    these stand in the names of the original's tensors.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        keys = ["0"] if config.shared else [str((stride, stride)) for stride in config.strides]
        self.keys = keys * config.levels if config.shared else keys

        def predictions(numbers: int) -> nn.ModuleDict:
            channels = config.anchors * numbers
            return nn.ModuleDict({key: nn.Conv2d(config.features, channels, 3, padding=1) for key in keys})

        self.cls_stride_convs = nn.ModuleDict({key: _tower(config) for key in keys})
        self.stride_cls = predictions(1)
        self.stride_reg = predictions(4)
        if config.keypoints:
            self.stride_kps = predictions(2 * KEYPOINTS)
        if config.scaled:
            self.scales = nn.ModuleList(Scale() for _ in config.strides)
        self.integral = Integral()
        self.scaled, self.keypoints = config.scaled, config.keypoints

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, ...]:
        """One map (N, neck, H, W) a level to the maps of scores, distances and keypoints, each for all levels."""
        scores, distances, points = [], [], []
        for level, (key, one) in enumerate(zip(self.keys, maps, strict=True)):
            features = self.cls_stride_convs[key](one)
            scores.append(self.stride_cls[key](features))
            distance = self.stride_reg[key](features)
            distances.append(self.scales[level](distance) if self.scaled else distance)
            if self.keypoints:
                points.append(self.stride_kps[key](features))
        return (*scores, *distances, *points)


def _tower(config: Config) -> nn.Sequential:
    widths = [config.neck, *[config.features] * (config.convolutions - 1)]
    if config.depthwise:
        return nn.Sequential(*(Separable(inputs, config.features, config.groups) for inputs in widths))
    return nn.Sequential(*(Layer(inputs, config.features, 3, groups=config.groups) for inputs in widths))


def initialise(head: Head) -> None:
    """Small normal weights and no biases, but that of the scores, after which a face has the probability 0.01."""
    for module in head.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=0.01)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            module.reset_parameters()
        elif isinstance(module, Scale):
            nn.init.ones_(module.scale)
    for module in head.stride_cls.children():
        nn.init.constant_(module.get_parameter("bias"), PRIOR)
