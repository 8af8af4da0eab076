"""SCRFD's backbones: MobileNetV1 in blocks of its own numbers, and ResNet "V1e".

A ResNetV1e begins with three 3x3 convolutions, of which the first has stride 2, and pools 2x2 without padding; where a
block changes size or width, what bypasses it is averaged over 2x2 first. Facts from deepinsight/insightface:
``detection/scrfd/mmdet/models/backbones/{mobilenet,resnet}.py`` and ``models/utils/res_layer.py``.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from zoo_scrfd.config import Config


def _convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution without bias, and batch-norm."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


def _rectified(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [*_convolution(inputs, outputs, kernel, stride, groups), nn.ReLU(inplace=True)]


def _separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(*_rectified(inputs, inputs, stride=stride, groups=inputs), *_rectified(inputs, outputs, 1))


class Staged(nn.Module):
    """A stem, and four stages whose maps go to the neck."""

    stem: nn.Module

    def begin(self, images: Tensor) -> Tensor:
        """What the first stage is given."""
        return self.stem(images)

    def add_stages(self, stages: list[nn.Sequential]) -> None:
        """Name the stages ``layer1`` to ``layer4``."""
        for index, stage in enumerate(stages, 1):
            self.add_module(f"layer{index}", stage)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(N, 3, H, W) to the maps of the four stages, of strides 4, 8, 16 and 32."""
        maps, given = self.begin(images), []
        for index in range(1, 5):
            maps = self.get_submodule(f"layer{index}")(maps)
            given.append(maps)
        return tuple(given)


class MobileNet(Staged):
    """MobileNetV1: every stage halves in its first depthwise convolution."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        first, second = config.stem
        self.stem = nn.Sequential(nn.Sequential(*_rectified(3, first, stride=2)), _separable(first, second, 1))
        widths = pairwise((second, *config.planes))
        self.add_stages(
            [
                nn.Sequential(
                    _separable(inputs, planes, 2), *(_separable(planes, planes, 1) for _ in range(blocks - 1))
                )
                for (inputs, planes), blocks in zip(widths, config.blocks, strict=True)
            ]
        )


class Residual(nn.Module):
    """What both kinds of block share: the sum of what passes and what bypasses them, rectified."""

    downsample: nn.Module | None

    def bypass(self, maps: Tensor) -> Tensor:
        """The block's input, in the size and width of its output."""
        return maps if self.downsample is None else self.downsample(maps)


class Basic(Residual):
    """Two 3x3 convolutions."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _convolution(inputs, planes, stride=stride)
        self.conv2, self.bn2 = _convolution(planes, planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _downsample(inputs, planes, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, planes, H/stride, W/stride)."""
        given = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(maps)))))
        return self.relu(given + self.bypass(maps))


class Bottleneck(Residual):
    """A 1x1, a 3x3, which has the stride, and a 1x1 convolution to four times the planes."""

    expansion = 4

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _convolution(inputs, planes, 1)
        self.conv2, self.bn2 = _convolution(planes, planes, stride=stride)
        self.conv3, self.bn3 = _convolution(planes, planes * self.expansion, 1)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _downsample(inputs, planes * self.expansion, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, 4 * planes, H/stride, W/stride)."""
        given = self.relu(self.bn1(self.conv1(maps)))
        given = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(given)))))
        return self.relu(given + self.bypass(maps))


class ResNet(Staged):
    """ResNetV1e: the stem and its pooling halve twice, and each stage but the first halves once."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        (width,) = config.stem
        half = width // 2
        self.stem = nn.Sequential(*_rectified(3, half, stride=2), *_rectified(half, half), *_rectified(half, width))
        self.maxpool = nn.MaxPool2d(2)
        block = Bottleneck if config.family == "bottleneck" else Basic
        inputs, stages = (width, *config.widths[:-1]), []
        for index, planes in enumerate(config.planes):
            first = block(inputs[index], planes, 1 if index == 0 else 2)
            others = [block(config.widths[index], planes, 1) for _ in range(config.blocks[index] - 1)]
            stages.append(nn.Sequential(first, *others))
        self.add_stages(stages)

    def begin(self, images: Tensor) -> Tensor:
        """The stem, pooled."""
        return self.maxpool(self.stem(images))


def _downsample(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    # Where a side is odd, its last cells are averaged over what there is.
    pool = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)
    return nn.Sequential(pool, *_convolution(inputs, outputs, 1))


def initialise(backbone: nn.Module) -> None:
    """Weights after He et al. (2015), normally distributed by what leaves a layer; each residual begins with 0."""
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    for module in backbone.modules():
        if isinstance(module, Basic | Bottleneck):
            last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
            nn.init.zeros_(last.get_parameter("weight"))
