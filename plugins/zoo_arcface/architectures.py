"""The recognition networks as data. Imports no framework.

Widths, blocks and strides are facts of deepinsight/insightface (``recognition/arcface_torch/backbones`` and
``recognition/arcface_mxnet/symbol``) and of foamliu/MobileFaceNet (its released weights and ONNX file). Every network
takes images (N, 3, H, W) float32 of a fixed size and gives embeddings (N, embedding) float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from zoo.networks.configs import CHANNELS, LAYERS, require_length, require_within

EPS = 1e-5
"""What torch's batch-norm adds to variances, unless told otherwise."""

MXNET_EPS = 1e-3
"""What MXNet's does (``src/operator/nn/batch_norm-inl.h``)."""

FRESNET_EPS = 2e-5
"""What insightface's MXNet ResNets ask for, and the last layer of all its MXNet networks."""


@dataclass(frozen=True)
class IResNet:
    """Improved residual networks: `blocks` in each of four stages, which are 64, 128, 256 and 512 channels wide.

    `size` is the input's side in pixels, a sixteenth of which reaches the last layer. `eps` goes to every batch-norm.
    `normalise` puts (v - 127.5) / 128 into the network, as MXNet's do, which then takes values 0..255.
    """

    blocks: tuple[int, ...] = (2, 2, 2, 2)
    embedding: int = 512
    size: int = 112
    eps: float = EPS
    normalise: bool = False

    def __post_init__(self) -> None:
        require_length("blocks", self.blocks, 4)
        require_within("blocks", self.blocks, 1, LAYERS)
        require_within("embedding", [self.embedding], 1, CHANNELS)
        require_within("size", [self.size], 16, 1024)


@dataclass(frozen=True)
class Mbf:
    """arcface_torch's MobileFaceNet for 112 pixels: `blocks` in each of four stages, 64, 64, 128 and 128 times `scale`
    channels wide.

    A first stage of one block is a convolution in 64 groups, which is not depthwise: with `scale` 2, a group has two
    channels.
    """

    blocks: tuple[int, ...] = (1, 4, 6, 2)
    scale: int = 2
    embedding: int = 512

    def __post_init__(self) -> None:
        require_length("blocks", self.blocks, 4)
        require_within("blocks", self.blocks, 1, LAYERS)
        require_within("scale", [self.scale], 1, 64)
        require_within("embedding", [self.embedding], 1, CHANNELS)


@dataclass(frozen=True)
class LMobileNet:
    """MXNet's ``m`` networks: MobileNetV1 for 112 pixels, whose first convolution has stride 1 and `base` channels, a
    multiple of 16, for the last one has 512 groups.

    `eps` goes to every batch-norm but the last, whose is `last_eps`; `normalise` is as in `IResNet`.
    """

    base: int = 32
    embedding: int = 256
    eps: float = MXNET_EPS
    last_eps: float = FRESNET_EPS
    normalise: bool = True

    def __post_init__(self) -> None:
        require_within("base", [self.base], 1, CHANNELS // 32)
        if self.base % 16:
            raise ValueError(f"base must be a multiple of 16, not {self.base}")
        require_within("embedding", [self.embedding], 1, CHANNELS)


@dataclass(frozen=True)
class MobileFaceNet:
    """MXNet's ``y`` networks for 112 pixels: `blocks` in each of four stages, 64, 64, 128 and 128 channels wide.

    A first stage of one block is a depthwise convolution; the rest is as in `LMobileNet`.
    """

    blocks: tuple[int, ...] = (1, 4, 6, 2)
    embedding: int = 128
    eps: float = MXNET_EPS
    last_eps: float = FRESNET_EPS
    normalise: bool = True

    def __post_init__(self) -> None:
        require_length("blocks", self.blocks, 4)
        require_within("blocks", self.blocks, 1, LAYERS)
        require_within("embedding", [self.embedding], 1, CHANNELS)


@dataclass(frozen=True)
class Foamliu:
    """foamliu's MobileFaceNet for 112 pixels: inverted residuals with ReLU6, whose last layer is 7 x 7.

    `stages` give each an expansion, a width in channels, how many blocks, and the stride of the first.
    """

    stages: tuple[tuple[int, ...], ...] = (
        *((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1)),
        *((4, 128, 1, 2), (2, 128, 2, 1)),
    )
    embedding: int = 128

    def __post_init__(self) -> None:
        require_within("the number of stages", [len(self.stages)], 1, LAYERS)
        for stage in self.stages:
            require_length("a stage", stage, 4)
        expansions, widths, blocks, strides = zip(*self.stages, strict=True)
        require_within("expansions and strides", (*expansions, *strides), 1, 16)
        require_within("widths", (*widths, self.embedding), 1, CHANNELS)
        require_within("blocks", blocks, 1, LAYERS)


Config: TypeAlias = IResNet | Mbf | LMobileNet | MobileFaceNet | Foamliu

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3), 200: (6, 26, 60, 6)}

CONFIGS: dict[str, Config] = {
    **{f"arcface_r{depth}": IResNet(blocks) for depth, blocks in _BLOCKS.items()},
    "arcface_mbf": Mbf(),
    "arcface_mbf_large": Mbf((2, 8, 12, 4), scale=4),
    **{f"arcface_lresnet{n}e_ir": IResNet(_BLOCKS[n], eps=FRESNET_EPS, normalise=True) for n in (34, 50, 100)},
    "arcface_m1": LMobileNet(),
    "arcface_y1": MobileFaceNet(),
    "mobilefacenet_foamliu": Foamliu(),
}
"""The networks by architecture. MXNet's ``r`` networks, LResNet34E-IR and so on, are iresnets of another batch-norm."""
