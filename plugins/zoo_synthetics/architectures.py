"""The landmark networks as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from zoo.networks.configs import require_within

POINTS = 1000
"""The most landmarks that a network may give."""


@dataclass(frozen=True)
class Timm:
    """A backbone of timm whose classifier gives ``points`` pairs x, y: ``trainer_synthetics.py`` of insightface."""

    backbone: str = "resnet50d"
    points: int = 68

    def __post_init__(self) -> None:
        require_within("points", (self.points,), 1, POINTS)


@dataclass(frozen=True)
class DenseResNet:
    """``resNet34.py`` of 3D_Landmark_Detection: a ResNet-34 whose every stage halves the map, the first one too.
    `values` is 2 for x, y, and 3 where the logarithm of a variance follows."""

    points: int = 70
    values: int = 2

    def __post_init__(self) -> None:
        require_within("points", (self.points,), 1, POINTS)
        require_within("values", (self.values,), 2, 3)


@dataclass(frozen=True)
class DenseMobileNet:
    """``moblieNetV2.py`` of 3D_Landmark_Detection: torchvision's MobileNetV2. Fields as `DenseResNet`."""

    points: int = 70
    values: int = 2

    def __post_init__(self) -> None:
        require_within("points", (self.points,), 1, POINTS)
        require_within("values", (self.values,), 2, 3)


@dataclass(frozen=True)
class Slim:
    """The slim network of Peppa-Facial-Landmark-PyTorch: thirteen layers, all but the first depthwise separable, and a
    linear layer on the means of three of them. `outputs` counts 68 points, three angles and four attributes."""

    outputs: int = 143

    def __post_init__(self) -> None:
        require_within("outputs", (self.outputs,), 1, 2 * POINTS)


Config: TypeAlias = Timm | DenseResNet | DenseMobileNet | Slim

CONFIGS: dict[str, Config] = {
    "synthetics_timm": Timm(),
    "synthetics3d_resnet34": DenseResNet(),
    "synthetics3d_mobilenetv2": DenseMobileNet(),
    "slim160": Slim(),
}
"""The configurations that architectures mean."""
