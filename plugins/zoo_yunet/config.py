"""YuNet's networks as data, and how one is told from a file's tensors or from an upstream configuration.

Facts from ShiqiYu/libfacedetection.train: ``configs/yunet_n.py``, ``configs/yunet_s.py``,
``mmdet/models/backbones/yunet_backbone.py``, ``mmdet/models/dense_heads/yunet_head.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count, pairwise, takewhile
from typing import Any

from zoo.errors import ModelError, UsageError
from zoo.networks.configs import (
    CHANNELS,
    LAYERS,
    configure,
    nearest,
    require_length,
    require_settings,
    require_within,
    section,
)

KEYPOINTS = 5

Shapes = Mapping[str, tuple[int, ...]]

SIGNATURE = {
    "backbone.model0.conv1.weight",
    "backbone.model0.conv2.conv1.weight",
    "bbox_head.multi_level_cls.0.conv1.weight",
}
"""Tensors that every YuNet has, and of the zoo's networks no other."""


@dataclass(frozen=True)
class Config:
    """One YuNet. `stem` and `widths` are channels: after the first convolution, and after each stage of the backbone.

    The maps after the stages `taps` (counted from 0) go to the neck, where they are added, so that these stages are
    equally wide; after the stages `pooled` the map is halved. The head has, on each level, `shared` units for all that
    it predicts and `stacked` ones for class and box apart, all of `features` channels.
    """

    stem: int = 16
    widths: tuple[int, ...] = (16, 64, 64, 64, 64, 64)
    pooled: tuple[int, ...] = (0, 2, 3, 4)
    taps: tuple[int, ...] = (3, 4, 5)
    features: int = 64
    shared: int = 1
    stacked: int = 0

    def __post_init__(self) -> None:
        stages = len(self.widths)
        require_within("widths", [stages], 1, LAYERS)
        require_within("stem, widths and features", [self.stem, *self.widths, self.features], 1, CHANNELS)
        require_within("pooled and taps", [*self.pooled, *self.taps], 0, stages - 1)
        require_within("shared and stacked", [self.shared, self.stacked], 0, LAYERS)
        if not self.taps or any(above != 2 * below for below, above in pairwise(self.strides)):
            raise ValueError("each of the taps must have twice the stride of the one before it")
        if len({self.widths[tap] for tap in self.taps}) != 1:
            raise ValueError("the stages at the taps must be equally wide")

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels of the image for one cell of each level: the first convolution and every pooling halve."""
        return tuple(2 ** (1 + sum(stage < tap for stage in set(self.pooled))) for tap in self.taps)


CONFIGS = {
    "yunet_n": Config(),
    "yunet_s": Config(widths=(16, 32, 64, 64, 64, 64), shared=0),
}
"""The two published networks."""


def recognise(shapes: Shapes) -> tuple[str, Mapping[str, Any]] | None:
    """The YuNet whose tensors have these names and `shapes`: its architecture and what departs from it.

    What no shape tells, where the backbone is tapped and pooled, is taken to be the named architecture's.
    """
    if not shapes.keys() >= SIGNATURE:
        return None
    head = "bbox_head.multi_level_"
    units = {name: _rows(shapes, f"{head}{name}_convs.0.{{}}.conv1.weight") for name in ("share", "cls")}
    fields: dict[str, Any] = {
        "stem": _rows(shapes, "backbone.model{}.conv1.weight")[0],
        "widths": tuple(_rows(shapes, "backbone.model{}.conv2.conv1.weight")),
        "shared": len(units["share"]),
        "stacked": len(units["cls"]),
    }
    if units["share"] or units["cls"]:
        fields["features"] = (units["share"] + units["cls"])[0]
    return _known(fields)


def read(model: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """The YuNet that the ``model`` part of a configuration of the training repository describes; None for others.

    Raises `ModelError` or `UsageError` for a YuNet that cannot be built.
    """
    if model.get("type") != "YuNet":
        return None
    backbone = section(model, "backbone", ["YuNetBackbone"])
    neck = section(model, "neck", ["TFPN"])
    head = section(model, "bbox_head", ["YuNet_Head"])
    require_settings("bbox_head", head, {"num_classes": 1, "use_kps": True, "kps_num": KEYPOINTS})
    architecture, arguments = nearest(
        CONFIGS,
        {
            **_stages(backbone.get("stage_channels")),
            "pooled": backbone.get("downsample_idx", ()),
            "taps": backbone.get("out_idx", ()),
            "features": head.get("feat_channels", 256),
            "shared": head.get("shared_stacked_convs", 2),
            "stacked": head.get("stacked_convs", 2),
        },
    )
    config = configure(CONFIGS, architecture, arguments)
    widths = [config.widths[tap] for tap in config.taps]
    require_settings("neck", neck, {"in_channels": widths, "out_idx": list(range(len(widths)))})
    require_settings("bbox_head", head, {"in_channels": widths[0]})
    priors = head.get("prior_generator")
    require_settings(
        "prior_generator", priors if isinstance(priors, Mapping) else {}, {"offset": 0, "strides": config.strides}
    )
    return architecture, arguments


def _stages(channels: Any) -> dict[str, Any]:
    """The widths in upstream's list, where each stage repeats what the one before it gives."""
    try:
        require_length("stage_channels[0]", tuple(channels[0]), 3)
        outputs = [stage[-1] for stage in channels]
        chained = channels[0][0] == 3 and [stage[0] for stage in channels[1:]] == outputs[:-1]
    except (TypeError, LookupError, ValueError):
        chained = False
    if not chained:
        raise ModelError(f"The configuration's stage_channels {channels!r} are no chain of stages that begins with 3.")
    return {"stem": channels[0][1], "widths": tuple(outputs)}


def _rows(shapes: Shapes, pattern: str) -> list[int]:
    """The first dimension of the tensors with 0, 1, 2 ... in the `pattern` of their names, up to the first absent."""
    names = takewhile(shapes.__contains__, (pattern.format(index) for index in count()))
    return [next(iter(shapes[name]), 0) for name in names]


def _known(fields: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    found = nearest(CONFIGS, fields)
    try:
        configure(CONFIGS, *found)
    except UsageError:
        return None
    return found
