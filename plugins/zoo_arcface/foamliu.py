"""foamliu's MobileFaceNet: inverted residuals as in MobileNetV2, with ReLU6, and a global depthwise convolution.

Derived from the names and shapes of the released ``weights/mobilefacenet.pt`` and from the graph of
``weights/MobileFaceNet.onnx`` of foamliu/MobileFaceNet (commit a6cc9032), whose outputs it reproduces.
"""

from __future__ import annotations

from torch import Tensor, nn

from zoo_arcface.architectures import Foamliu
from zoo_arcface.embedder import Embedder

FIRST, LAST = 64, 512
"""Channels of the first convolution and of the last."""


class Separable(nn.Module):
    """A depthwise and a pointwise convolution, each with batch-norm and ReLU: (N, C, H, W) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = self.relu(self.bn1(self.depthwise(x)))
        result: Tensor = self.relu(self.bn2(self.pointwise(x)))
        return result


class Inverted(nn.Module):
    """An inverted residual, with the shortcut where input and output are alike: to (N, outputs, H / stride, ...)."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        middle = inputs * expansion
        self.conv = nn.Sequential(
            _normed(inputs, middle, 1, 1),
            _normed(middle, middle, 3, stride, groups=middle),
            nn.Conv2d(middle, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        result: Tensor = self.conv(x)
        return x + result if self.residual else result


class Global(nn.Module):
    """The depthwise convolution over the whole 7 x 7: (N, C, 7, 7) to (N, C, 1, 1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        result: Tensor = self.bn(self.depthwise(x))
        return result


class FoamliuEncoder(Embedder):
    """The network of a configuration `Foamliu`."""

    def __init__(self, config: Foamliu) -> None:
        super().__init__()
        self.conv1 = _normed(3, FIRST, 3, 2)
        self.dw_conv = Separable(FIRST)
        blocks, inputs = [], FIRST
        for expansion, outputs, count, stride in config.stages:
            for number in range(count):
                blocks.append(Inverted(inputs, outputs, expansion, 1 if number else stride))
                inputs = outputs
        self.features = nn.Sequential(*blocks)
        self.conv2 = _normed(inputs, LAST, 1, 1)
        self.gdconv = Global(LAST)
        self.conv3 = nn.Conv2d(LAST, config.embedding, 1)
        self.bn = nn.BatchNorm2d(config.embedding)

    def embed(self, images: Tensor) -> Tensor:
        """See `Embedder.embed`."""
        x = self.conv2(self.features(self.dw_conv(self.conv1(images))))
        embeddings: Tensor = self.bn(self.conv3(self.gdconv(x))).flatten(1)
        return embeddings


def _normed(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU6())
