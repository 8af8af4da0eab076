"""MobileFaceNet (Chen et al., 2018) as arcface_torch lays it out.

Facts from deepinsight/insightface, ``recognition/arcface_torch/backbones/mobilefacenet.py``.
"""

from __future__ import annotations

from torch import Tensor, nn

from zoo_arcface.architectures import Mbf
from zoo_arcface.embedder import Embedder

LAST = 512
"""Channels before the last, global convolution."""


class Layers(nn.Module):
    """Modules one after another, under the name that the published weights have for them."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        result: Tensor = self.layers(x)
        return result


class Linear(Layers):
    """A convolution without bias and its batch-norm: (N, inputs, H, W) to (N, outputs, H', W')."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, padding: int, groups: int = 1) -> None:
        super().__init__(*_normed(inputs, outputs, kernel, stride, padding, groups))


class Conv(Layers):
    """The same with a PReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, padding: int, groups: int = 1) -> None:
        super().__init__(*_normed(inputs, outputs, kernel, stride, padding, groups), nn.PReLU(outputs))


class DepthWise(Layers):
    """A bottleneck: widened to `middle` channels, convolved each for itself, and narrowed to `outputs`."""

    def __init__(self, inputs: int, outputs: int, middle: int, stride: int, residual: bool = False) -> None:
        super().__init__(
            Conv(inputs, middle, 1, 1, 0),
            Conv(middle, middle, 3, stride, 1, groups=middle),
            Linear(middle, outputs, 1, 1, 0),
        )
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        result: Tensor = self.layers(x)
        return x + result if self.residual else result


class MbfEncoder(Embedder):
    """The network of a configuration `Mbf`."""

    def __init__(self, config: Mbf) -> None:
        super().__init__()
        narrow, wide = 64 * config.scale, 128 * config.scale
        first, second, third, fourth = config.blocks
        self.layers = nn.ModuleList(
            [
                Conv(3, narrow, 3, 2, 1),
                Conv(narrow, narrow, 3, 1, 1, groups=64) if first == 1 else _residual(narrow, 128, first),
                DepthWise(narrow, narrow, 128, 2),
                _residual(narrow, 128, second),
                DepthWise(narrow, wide, 256, 2),
                _residual(wide, 256, third),
                DepthWise(wide, wide, 512, 2),
                _residual(wide, 256, fourth),
            ]
        )
        self.conv_sep = Conv(wide, LAST, 1, 1, 0)
        self.features = Layers(
            Linear(LAST, LAST, 7, 1, 0, groups=LAST),
            nn.Flatten(),
            nn.Linear(LAST, config.embedding, bias=False),
            nn.BatchNorm1d(config.embedding),
        )

    def embed(self, images: Tensor) -> Tensor:
        """See `Embedder.embed`."""
        for layer in self.layers:
            images = layer(images)
        embeddings: Tensor = self.features(self.conv_sep(images))
        return embeddings


def _normed(inputs: int, outputs: int, kernel: int, stride: int, padding: int, groups: int) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


def _residual(channels: int, middle: int, blocks: int) -> Layers:
    return Layers(*(DepthWise(channels, channels, middle, 1, residual=True) for _ in range(blocks)))
