"""The RetinaFace networks as data, and how one is told by a file's tensors. Imports no framework.

Widths, blocks and names are facts of biubug6/Pytorch_Retinaface (``models/net.py``, ``models/retinaface.py``,
``data/config.py``), of biubug6/Face-Detector-1MB-with-landmark (``models/net_slim.py``, ``models/net_rfb.py``) and of
yakhyo/retinaface-pytorch (``models/``, ``config.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from zoo.errors import UsageError
from zoo.networks.configs import CHANNELS, LAYERS, configure, nearest, require_length, require_within

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]

NARROW = 64
"""Channels of the widest maps for which the original takes leaky rectifiers above the backbone."""

ANCHORS = 16
"""The most anchors that a cell may have; the published networks have two or three."""


@dataclass(frozen=True)
class Naming:
    """What one repository calls the parts of the same network: the backbone, and the heads of class, box and keypoints.

    With `flat`, the two convolutions of a separable one follow each other in one sequence, and a head is a list of
    modules of one convolution ``conv1x1`` each; otherwise both are a level deeper.
    """

    backbone: str
    heads: tuple[str, str, str]
    flat: bool


NAMINGS = {
    "biubug6": Naming("body", ("ClassHead", "BboxHead", "LandmarkHead"), flat=True),
    "yakhyo": Naming("fx", ("class_head", "bbox_head", "landmark_head"), flat=False),
}
"""The two repositories whose weights are in use."""


@dataclass(frozen=True)
class Pyramid:
    """What all backbones carry: three maps, of strides 8, 16 and 32, made `features` channels wide, of whose cells each
    has `anchors`. `naming` is one of `NAMINGS`.

    Below zero, rectifiers have the `slope`: those of MobileNetV1, and those above the backbone where the maps are at
    most `NARROW` wide; all others have none. It is 0 in Face-Detector-1MB, and nothing that a tensor shows.
    """

    features: int = 64
    anchors: int = 2
    slope: float = 0.1
    naming: str = "yakhyo"

    def __post_init__(self) -> None:
        require_within("features", [self.features], 4, CHANNELS)
        require_within("anchors", [self.anchors], 1, ANCHORS)
        if self.features % 4:
            raise ValueError(f"features must be a multiple of 4, not {self.features}")
        if not 0 <= self.slope < 1:
            raise ValueError(f"slope must be at least 0 and less than 1, not {self.slope}")
        if self.naming not in NAMINGS:
            raise ValueError(f"naming must be {' or '.join(NAMINGS)}, not {self.naming!r}")

    @property
    def taps(self) -> tuple[int, int, int]:
        """Channels of the backbone's three maps."""
        raise NotImplementedError

    @property
    def upper_slope(self) -> float:
        """The slope above the backbone."""
        return self.slope if self.features <= NARROW else 0.0


@dataclass(frozen=True)
class MobileNetV1(Pyramid):
    """MobileNetV1 with leaky rectifiers; `first` are the channels of its first convolution, and the maps have 8, 16 and
    32 times as many."""

    first: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        require_within("first", [self.first], 1, CHANNELS // 32)

    @property
    def taps(self) -> tuple[int, int, int]:
        """See `Pyramid`."""
        return 8 * self.first, 16 * self.first, 32 * self.first


@dataclass(frozen=True)
class MobileNetV2(Pyramid):
    """torchvision's MobileNetV2 up to its last convolution; the coarsest map is what the classifier would see."""

    @property
    def taps(self) -> tuple[int, int, int]:
        """See `Pyramid`: after the layers 6, 13 and 18."""
        return 32, 96, 1280


@dataclass(frozen=True)
class ResNet(Pyramid):
    """torchvision's ResNet: `blocks` in each of four stages, which are `bottleneck` ones in the deeper networks."""

    blocks: tuple[int, ...] = (2, 2, 2, 2)
    bottleneck: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_length("blocks", self.blocks, 4)
        require_within("blocks", self.blocks, 1, LAYERS)

    @property
    def taps(self) -> tuple[int, int, int]:
        """See `Pyramid`: the last three stages."""
        wide = 4 if self.bottleneck else 1
        return 128 * wide, 256 * wide, 512 * wide


@dataclass(frozen=True)
class Light:
    """Face-Detector-1MB's networks: thirteen layers, of strides up to 32, and a fourteenth of stride 64, without a
    pyramid. The eighth is a receptive-field block with `rfb`. `anchors` are those of a cell of each level."""

    rfb: bool = False
    anchors: tuple[int, ...] = (3, 2, 2, 3)

    def __post_init__(self) -> None:
        require_length("anchors", self.anchors, 4)
        require_within("anchors", self.anchors, 1, ANCHORS)


Config: TypeAlias = MobileNetV1 | MobileNetV2 | ResNet | Light

CONFIGS: dict[str, Config] = {
    "retinaface_mnet025": MobileNetV1(first=8, naming="biubug6"),
    "retinaface_mnet050": MobileNetV1(first=16, features=128),
    "retinaface_mnetv1": MobileNetV1(first=32, features=128),
    "retinaface_mnetv2": MobileNetV2(features=128),
    "retinaface_r18": ResNet(features=128),
    "retinaface_r34": ResNet(features=128, blocks=(3, 4, 6, 3)),
    "retinaface_r50": ResNet(features=256, blocks=(3, 4, 6, 3), bottleneck=True, naming="biubug6"),
    "retinaface_1mb_slim": Light(),
    "retinaface_1mb_rfb": Light(rfb=True),
}
"""The networks by architecture, each with the names of the weights that its card lists."""


@dataclass(frozen=True)
class _Family:
    """Networks of one kind: tensors that all of them have, after the backbone's name, and no others; and what their
    configuration is by the shapes."""

    kind: type
    signature: tuple[str, ...]
    fields: Callable[[Shapes], dict[str, Any]]


def recognise(shapes: Shapes) -> tuple[str, Mapping[str, Any]] | None:
    """The RetinaFace whose tensors have these names and `shapes`: its architecture and what departs from it; None for
    other networks. What anchors it was trained with is nothing that a tensor shows, nor the slope of its rectifiers."""
    naming = next((name for name, one in NAMINGS.items() if _matrix(shapes, _first_head(one))), None)
    known = _pyramid(shapes, naming) if naming else _light(shapes)
    if known is None:
        return None
    try:
        configure(CONFIGS, *known)
    except UsageError:
        return None
    return known


def _first_head(naming: Naming) -> str:
    """The weight of the finest level's convolution that tells faces from background."""
    name = naming.heads[0]
    return f"{name}.0.conv1x1.weight" if naming.flat else f"{name}.{name}.0.weight"


def _pyramid(shapes: Shapes, name: str) -> tuple[str, dict[str, Any]] | None:
    naming = NAMINGS[name]
    rows, features = shapes[_first_head(naming)][:2]
    own = {key.removeprefix(f"{naming.backbone}."): shape for key, shape in shapes.items()}
    for family in _FAMILIES:
        if rows % 2 == 0 and all(_matrix(own, key) for key in family.signature):
            configs = {key: config for key, config in CONFIGS.items() if isinstance(config, family.kind)}
            common = {"features": features, "anchors": rows // 2, "naming": name}
            return nearest(configs, common | family.fields(own))
    return None


def _light(shapes: Shapes) -> tuple[str, dict[str, Any]] | None:
    heads = [*(f"conf.{level}.2.weight" for level in range(3)), "conf.3.weight"]
    if not all(_matrix(shapes, name) for name in ("conv13.3.weight", "conv14.2.2.weight", *heads)):
        return None
    configs = {key: config for key, config in CONFIGS.items() if isinstance(config, Light)}
    anchors = tuple(shapes[name][0] // 2 for name in heads)
    return nearest(configs, {"rfb": "conv8.ConvLinear.conv.weight" in shapes, "anchors": anchors})


def _matrix(shapes: Shapes, name: str) -> bool:
    """Whether there is a convolution's weight of that name."""
    return len(shapes.get(name, ())) == 4


def _resnet(shapes: Shapes) -> dict[str, Any]:
    starts = [re.fullmatch(r"layer(\d+)\.(\d+)\.conv1\.weight", name) for name in shapes]
    stages = [int(found[1]) for found in starts if found]
    blocks = tuple(stages.count(stage) for stage in range(1, 5))
    return {"blocks": blocks, "bottleneck": "layer1.0.conv3.weight" in shapes}


_FAMILIES = (
    _Family(MobileNetV1, ("stage1.0.0.weight",), lambda shapes: {"first": shapes["stage1.0.0.weight"][0]}),
    _Family(MobileNetV2, ("features.0.0.weight", "features.18.0.weight"), lambda _: {}),
    _Family(ResNet, ("conv1.weight", "layer4.0.conv1.weight"), _resnet),
)
