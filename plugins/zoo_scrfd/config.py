"""SCRFD's networks as data, and how one is told from a file's tensors.

Facts from deepinsight/insightface, detection/scrfd: ``configs/scrfd/scrfd_*.py`` and ``mmdet/models`` (``backbones``,
``necks/pafpn.py``, ``dense_heads/scrfd_head.py``). `zoo_scrfd.upstream` reads such configurations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count, takewhile
from typing import Any

from zoo.errors import UsageError
from zoo.networks.configs import CHANNELS, LAYERS, configure, nearest, require_length, require_within

Shapes = Mapping[str, tuple[int, ...]]

STAGES = 4
"""Stages of every backbone; the last three go to the neck."""

REG_MAX = 8
"""A number of the configurations that sizes one buffer in every checkpoint, which nothing uses."""

FAMILIES = ("mobilenet", "basic", "bottleneck")


@dataclass(frozen=True)
class Config:
    """One SCRFD: a backbone, a neck that gives a map for each of `levels`, and a head that works on each map.

    The backbone is of the `family` ``mobilenet`` or a ResNet of ``basic`` or ``bottleneck`` blocks. `stem` are the
    channels of MobileNet's first two layers, or of what a ResNet's three first convolutions give (the first two have
    half of it); `blocks` and `planes` are those of the four stages (a bottleneck gives four times its planes).

    The neck's maps have `neck` channels. The head is a tower of `convolutions` with `features` channels, `depthwise`
    separable or not, normalised in `groups` or, where that is 0, by batch; `shared` by all levels or one for each.
    `scaled` levels multiply their distances by a number learnt; `keypoints` are predicted or not; of `anchors` a cell.
    """

    family: str = "mobilenet"
    stem: tuple[int, ...] = (16, 16)
    blocks: tuple[int, ...] = (2, 3, 2, 6)
    planes: tuple[int, ...] = (40, 72, 152, 288)
    neck: int = 16
    convolutions: int = 2
    features: int = 64
    depthwise: bool = True
    groups: int = 16
    shared: bool = True
    scaled: bool = True
    keypoints: bool = False
    levels: int = 3
    anchors: int = 2

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(f"family must be one of {', '.join(FAMILIES)}, not {self.family!r}")
        require_length("stem", self.stem, 2 if self.family == "mobilenet" else 1)
        require_length("blocks", self.blocks, STAGES)
        require_length("planes", self.planes, STAGES)
        channels = [*self.stem, *self.planes, self.neck, self.features]
        require_within("stem, planes, neck and features", channels, 2, CHANNELS)
        require_within("blocks and convolutions", [*self.blocks, self.convolutions], 1, LAYERS)
        require_within("levels", [self.levels], STAGES - 1, 8)
        require_within("anchors", [self.anchors], 1, 64)
        require_within("groups", [self.groups], 0, CHANNELS)
        normalised = [self.features, self.neck] if self.depthwise else [self.features]
        if self.groups and any(width % self.groups for width in normalised):
            raise ValueError(f"groups must divide the head's channels {normalised}, which {self.groups} does not")

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels of the image for one cell of each level."""
        return tuple(8 * 2**level for level in range(self.levels))

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the map that each stage of the backbone gives."""
        return tuple(planes * (4 if self.family == "bottleneck" else 1) for planes in self.planes)


_500M = Config()
_1G = Config(
    stem=(32, 48), blocks=(3, 2, 1, 5), planes=(48, 160, 216, 312), neck=24, convolutions=2, features=96, groups=8
)
_2_5G = Config("basic", (24,), (3, 5, 3, 2), (24, 48, 48, 80), 24, 2, 64, depthwise=False)
_10G = Config("basic", (56,), (3, 4, 2, 3), (56, 88, 88, 224), 56, 3, 80, depthwise=False)
_34G = Config("bottleneck", (56,), (17, 16, 2, 8), (56, 56, 144, 184), 128, 2, 256, depthwise=False, groups=32)


def _with_keypoints(config: Config, scaled: bool = True) -> Config:
    return replace(config, groups=0, shared=False, keypoints=True, scaled=scaled)


CONFIGS = {
    "scrfd_500m": _500M,
    "scrfd_500m_bnkps": _with_keypoints(_500M, scaled=False),
    "scrfd_1g": _1G,
    "scrfd_2.5g": _2_5G,
    "scrfd_2.5g_bnkps": _with_keypoints(_2_5G),
    "scrfd_10g": _10G,
    "scrfd_10g_bnkps": _with_keypoints(_10G),
    "scrfd_34g": _34G,
}
"""The published networks. Only 500m with keypoints has no learnt scales: its configuration says ``scale_mode=0``."""

SIGNATURE = {"neck.lateral_convs.0.conv.weight", "neck.pafpn_convs.0.conv.weight"}
"""Tensors that every SCRFD has; the head's, whose names differ, are looked at after them."""


def recognise(shapes: Shapes) -> tuple[str, Mapping[str, Any]] | None:
    """The SCRFD whose tensors have these names and `shapes`: its architecture and what departs from it.

    In how many groups a head is normalised shows in no shape. So one with group-norm is recognised only where it is a
    published one, and any with batch-norm is.
    """
    key = next((key for key in ("0", "(8, 8)") if f"bbox_head.stride_cls.{key}.weight" in shapes), "")
    if not key or not shapes.keys() >= SIGNATURE:
        return None
    found = _backbone(shapes) | _head(shapes, key)
    batch = any(".bn." in name for name in shapes if name.startswith("bbox_head."))
    candidates = {name: config for name, config in CONFIGS.items() if (config.groups == 0) == batch}
    architecture, arguments = nearest(candidates, found)
    try:
        configure(CONFIGS, architecture, arguments)
    except UsageError:
        return None
    return (architecture, arguments) if batch or not arguments else None


def _backbone(shapes: Shapes) -> dict[str, Any]:
    mobilenet = "backbone.stem.0.0.weight" in shapes
    resnet = "bottleneck" if "backbone.layer1.0.conv3.weight" in shapes else "basic"
    stem, first, widest = (("0.0", "1.3"), "0", "3") if mobilenet else (("6",), "conv1", "conv1")
    layers = [f"backbone.layer{stage + 1}." for stage in range(STAGES)]
    return {
        "family": "mobilenet" if mobilenet else resnet,
        "stem": tuple(_rows(shapes, f"backbone.stem.{index}.weight") for index in stem),
        "blocks": tuple(_count(shapes, f"{layer}{{}}.{first}.weight") for layer in layers),
        "planes": tuple(_rows(shapes, f"{layer}0.{widest}.weight") for layer in layers),
        "neck": _rows(shapes, "neck.lateral_convs.0.conv.weight"),
        "levels": _count(shapes, "neck.fpn_convs.{}.conv.weight"),
    }


def _head(shapes: Shapes, key: str) -> dict[str, Any]:
    tower = f"bbox_head.cls_stride_convs.{key}."
    depthwise = f"{tower}0.depthwise_conv.conv.weight" in shapes
    last = "pointwise_conv.conv.weight" if depthwise else "conv.weight"
    return {
        "convolutions": _count(shapes, f"{tower}{{}}.{last}"),
        "features": _rows(shapes, f"{tower}0.{last}"),
        "depthwise": depthwise,
        "shared": key == "0",
        "scaled": "bbox_head.scales.0.scale" in shapes,
        "keypoints": f"bbox_head.stride_kps.{key}.weight" in shapes,
        "anchors": _rows(shapes, f"bbox_head.stride_cls.{key}.weight"),
    }


def _rows(shapes: Shapes, name: str) -> int:
    """The first dimension of the tensor `name`, 0 where there is none."""
    return next(iter(shapes.get(name, ())), 0)


def _count(shapes: Shapes, pattern: str) -> int:
    """How many tensors have 0, 1, 2 ... in the `pattern` of their names."""
    return sum(1 for _ in takewhile(shapes.__contains__, (pattern.format(index) for index in count())))
