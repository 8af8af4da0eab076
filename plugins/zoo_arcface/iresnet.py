"""Improved residual networks (Duta et al., 2020) as arcface_torch lays them out, and MXNet's LResNet-E-IR with them.

Facts from deepinsight/insightface, ``recognition/arcface_torch/backbones/iresnet.py``: a block normalises before its
first convolution and after each, and strides in its second.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from zoo_arcface.architectures import IResNet
from zoo_arcface.embedder import Embedder

WIDTHS = (64, 128, 256, 512)


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut: (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""

    def __init__(self, inputs: int, outputs: int, stride: int, eps: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs, eps)
        self.conv1 = _conv(inputs, outputs, 3, 1)
        self.bn2 = nn.BatchNorm2d(outputs, eps)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = _conv(outputs, outputs, 3, stride)
        self.bn3 = nn.BatchNorm2d(outputs, eps)
        shortcut = [_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs, eps)] if stride > 1 else []
        self.downsample = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        inside = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        result: Tensor = self.bn3(self.conv2(inside)) + self.downsample(x)
        return result


class IResNetEncoder(Embedder):
    """The network of a configuration `IResNet`."""

    def __init__(self, config: IResNet) -> None:
        super().__init__(config.normalise)
        self.conv1 = _conv(3, 64, 3, 1)
        self.bn1 = nn.BatchNorm2d(64, config.eps)
        self.prelu = nn.PReLU(64)
        stages: list[Any] = []
        for inputs, outputs, blocks in zip((64, *WIDTHS), WIDTHS, config.blocks, strict=False):
            rest = [Block(outputs, outputs, 1, config.eps) for _ in range(blocks - 1)]
            stages.append(nn.Sequential(Block(inputs, outputs, 2, config.eps), *rest))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.bn2 = nn.BatchNorm2d(WIDTHS[-1], config.eps)
        self.fc = nn.Linear(WIDTHS[-1] * (config.size // 16) ** 2, config.embedding)
        self.features = nn.BatchNorm1d(config.embedding, config.eps)
        self.features.weight.requires_grad_(False)  # held at 1, as MXNet's fix_gamma does

    def embed(self, images: Tensor) -> Tensor:
        """See `Embedder.embed`."""
        x = self.prelu(self.bn1(self.conv1(images)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        embeddings: Tensor = self.features(self.fc(self.bn2(x).flatten(1)))
        return embeddings


def _conv(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
