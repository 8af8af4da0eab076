"""YuNet's network in PyTorch, with the names and shapes of the original's checkpoints.

A unit is a pointwise and a depthwise convolution, both with a bias, of which only the pair is normalised. Facts from
ShiqiYu/libfacedetection.train: ``mmdet/models/utils/yunet_layer.py`` and the backbone, neck and head named in
`zoo_yunet.config`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from zoo.networks.configs import configure
from zoo_yunet.config import CONFIGS, KEYPOINTS, Config


class Unit(nn.Module):
    """A 1x1 and a depthwise 3x3 convolution; then, unless it is a prediction (`activated` False), norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, activated: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, groups=outputs)
        if activated:
            self.bn = nn.BatchNorm2d(outputs)
            self.relu = nn.ReLU(inplace=True)
        self.activated = activated

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        maps = self.conv2(self.conv1(maps))
        return self.relu(self.bn(maps)) if self.activated else maps


class Stem(nn.Module):
    """The first stage: a 3x3 convolution of stride 2, then a unit."""

    def __init__(self, inputs: int, middle: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, middle, 3, stride=2, padding=1)
        self.conv2 = Unit(middle, outputs)
        self.bn1 = nn.BatchNorm2d(middle)
        self.relu1 = nn.ReLU(inplace=True)

    def forward(self, images: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H/2, W/2)."""
        return self.conv2(self.relu1(self.bn1(self.conv1(images))))


class Stage(nn.Module):
    """Two units, of which the second changes the width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = Unit(inputs, inputs)
        self.conv2 = Unit(inputs, outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        return self.conv2(self.conv1(maps))


class Backbone(nn.Module):
    """The stages ``model0``, ``model1`` ..., tapped before they are pooled."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.stages = [f"model{index}" for index in range(len(config.widths))]
        self.model0 = Stem(3, config.stem, config.widths[0])
        for name, (inputs, outputs) in zip(self.stages[1:], pairwise(config.widths), strict=True):
            self.add_module(name, Stage(inputs, outputs))
        self.taps, self.pooled = set(config.taps), set(config.pooled)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to one map a tap, finest first."""
        maps, tapped = images, []
        for index, name in enumerate(self.stages):
            maps = self.get_submodule(name)(maps)
            if index in self.taps:
                tapped.append(maps)
            if index in self.pooled:
                maps = functional.max_pool2d(maps, 2)
        return tapped


class Neck(nn.Module):
    """From the coarsest map to the finest: each is passed through a unit *after* the coarser one is added to it."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        self.lateral_convs = nn.ModuleList(Unit(width, width) for _ in range(levels))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """One map a level to one a level, of the same shapes; each map is exactly twice the size of the next."""
        done: list[Tensor] = []
        for level in reversed(range(len(maps))):
            fine = maps[level]
            if done:
                fine = fine + functional.interpolate(done[0], scale_factor=2.0, mode="nearest")
            done.insert(0, self.lateral_convs[level](fine))
        return done


class Head(nn.Module):
    """What each level predicts of each of its cells, in convolutions of its own."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, levels = config.widths[config.taps[0]], len(config.taps)

        def towers(units: int, inputs: int) -> nn.ModuleList:
            widths = [inputs, *[config.features] * units]
            return nn.ModuleList(nn.Sequential(*(Unit(*pair) for pair in pairwise(widths))) for _ in range(levels))

        def predictions(outputs: int) -> nn.ModuleList:
            return nn.ModuleList(Unit(inputs, outputs, activated=False) for _ in range(levels))

        self.multi_level_share_convs = towers(config.shared, width)
        inputs = config.features if config.shared else width
        self.multi_level_cls_convs = towers(config.stacked, inputs)
        self.multi_level_reg_convs = towers(config.stacked, inputs)
        inputs = config.features if config.stacked else inputs
        self.multi_level_cls = predictions(1)
        self.multi_level_bbox = predictions(4)
        self.multi_level_kps = predictions(2 * KEYPOINTS)
        self.multi_level_obj = predictions(1)

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, ...]:
        """One map a level to the maps of class, objectness, box and keypoints, each for all levels."""
        maps = _each(self.multi_level_share_convs, maps)
        faces, places = _each(self.multi_level_cls_convs, maps), _each(self.multi_level_reg_convs, maps)
        return (
            *_each(self.multi_level_cls, faces),
            *_each(self.multi_level_obj, places),
            *_each(self.multi_level_bbox, places),
            *_each(self.multi_level_kps, places),
        )


def _each(modules: nn.ModuleList, maps: list[Tensor]) -> list[Tensor]:
    return [module(one) for module, one in zip(modules, maps, strict=True)]


class YuNet(nn.Module):
    """The detector. Height and width of its images are multiples of the last of `config.strides`."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.neck = Neck(config.widths[config.taps[0]], len(config.taps))
        self.bbox_head = Head(config)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what `forward` returns, as in the original's exported files."""
        return tuple(f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in self.config.strides)

    def raw(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps (N, C, H/stride, W/stride) of (N, 3, H, W) float32 images: logits of class and objectness (C = 1).

        Then boxes (C = 4) and keypoints (C = 10) as the network gives them, in cells; each for all strides.
        """
        return self.bbox_head(self.neck(self.backbone(images)))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """What `raw` gives as rows (N, cells, C), row-major, class and objectness as probabilities."""
        levels = len(self.config.strides)
        channels = [width for width in (1, 1, 4, 2 * KEYPOINTS) for _ in range(levels)]
        rows = [
            one.permute(0, 2, 3, 1).reshape(one.shape[0], -1, width)
            for one, width in zip(self.raw(images), channels, strict=True)
        ]
        return (*(one.sigmoid() for one in rows[: 2 * levels]), *rows[2 * levels :])


def build(architecture: str, arguments: Mapping[str, Any]) -> YuNet:
    """The YuNet called `architecture` of `CONFIGS`, with the fields of `Config` in `arguments` set anew; no weights.

    Raises `UsageError` for names or values that do not exist or fit.
    """
    return YuNet(configure(CONFIGS, architecture, arguments)).eval()


def initialise(network: YuNet) -> None:
    """Give `network` the random numbers from which the original's training starts (``init_weights`` of its parts).

    Weights of convolutions are drawn after Glorot and Bengio (2010), normally distributed, and biases are 0.02;
    normalisations start as the identity. `torch.manual_seed` before it makes it repeatable.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_normal_(module.weight)
            if module.bias is not None:
                nn.init.constant_(module.bias, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
