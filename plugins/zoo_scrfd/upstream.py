"""The ``model`` part of the original's configuration files, in the words of `zoo_scrfd.config.Config`.

What those files leave out has the original's default, from deepinsight/insightface, detection/scrfd/mmdet/models:
``backbones/mobilenet.py``, ``backbones/resnet.py``, ``necks/pafpn.py`` and ``dense_heads/scrfd_head.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.errors import ModelError
from zoo.networks.configs import configure, nearest, require_settings, section
from zoo_scrfd.config import CONFIGS, REG_MAX, Config

Part = Mapping[str, Any]

MOBILENET = {"stage_blocks": (2, 4, 4, 2), "stage_planes": (8, 16, 32, 64, 128, 256)}
"""What a MobileNetV1 without ``block_cfg`` is."""

DEPTHS = {
    0: (2, 2, 2, 2),
    18: (2, 2, 2, 2),
    19: (2, 4, 4, 1),
    20: (2, 3, 2, 2),
    22: (2, 4, 3, 1),
    24: (2, 4, 4, 1),
    26: (2, 4, 4, 2),
    28: (2, 5, 4, 2),
    29: (2, 6, 3, 2),
    30: (2, 5, 5, 2),
    32: (2, 6, 5, 2),
    34: (3, 4, 6, 3),
    35: (3, 6, 4, 3),
    38: (3, 8, 4, 3),
    40: (3, 8, 5, 3),
    50: (3, 4, 6, 3),
    56: (3, 8, 4, 3),
    68: (3, 10, 6, 3),
    74: (3, 12, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Blocks of the four stages of a ResNet without ``block_cfg``; from 50 on they are bottlenecks."""

BOTTLENECKS = 50


def read(model: Part) -> tuple[str, Mapping[str, Any]] | None:
    """The SCRFD that the ``model`` part of a configuration of the original describes; None where it is of another type.

    Raises `ModelError` or `UsageError` for an SCRFD that cannot be built.
    """
    if model.get("type") != "SCRFD":
        return None
    backbone = section(model, "backbone", ["MobileNetV1", "ResNetV1e"])
    neck = {"start_level": 0, "num_outs": None, "add_extra_convs": False, **section(model, "neck", ["PAFPN"])}
    head = section(model, "bbox_head", ["SCRFDHead"])
    stages = _mobilenet(backbone) if backbone["type"] == "MobileNetV1" else _resnet(backbone)
    ends = {"neck": neck.get("out_channels"), "levels": neck["num_outs"]}
    architecture, arguments = nearest(CONFIGS, stages | ends | _head(head))
    config = configure(CONFIGS, architecture, arguments)
    _require_fitting(neck, head, config)
    return architecture, arguments


def _mobilenet(part: Part) -> dict[str, Any]:
    require_settings("backbone", part, {"in_channels": 3, "num_stages": 4, "out_indices": (0, 1, 2, 3)})
    blocks = _mapping(part, "block_cfg") or MOBILENET
    planes = _numbers(blocks, "stage_planes", 6)
    return {
        "family": "mobilenet",
        "stem": planes[:2],
        "blocks": _numbers(blocks, "stage_blocks", 4),
        "planes": planes[2:],
    }


def _resnet(part: Part) -> dict[str, Any]:
    fixed = {"in_channels": 3, "num_stages": 4, "out_indices": (0, 1, 2, 3), "strides": (1, 2, 2, 2)}
    absent = {"dilations": (1, 1, 1, 1), "style": "pytorch", "conv_cfg": None, "dcn": None, "plugins": None}
    require_settings("backbone", part, fixed | absent)
    require_settings("backbone's norm_cfg", _mapping(part, "norm_cfg"), {"type": "BN"})
    (base,) = _numbers({"base_channels": [part.get("base_channels", 64)]}, "base_channels", 1)
    blocks = _mapping(part, "block_cfg")
    if not blocks:
        depth = part.get("depth")
        if not isinstance(depth, int) or depth not in DEPTHS:
            raise ModelError(f"The configuration's backbone has depth {depth!r}, which no ResNetV1e has.")
        blocks = {"block": "Bottleneck" if depth >= BOTTLENECKS else "BasicBlock", "stage_blocks": DEPTHS[depth]}
    if "stage_planes" not in blocks:
        blocks = {**blocks, "stage_planes": [base * 2**stage for stage in range(4)]}
    return {
        "family": "basic" if blocks.get("block") == "BasicBlock" else "bottleneck",
        "stem": (part.get("stem_channels") or base,),
        "blocks": _numbers(blocks, "stage_blocks", 4),
        "planes": _numbers(blocks, "stage_planes", 4),
    }


def _head(part: Part) -> dict[str, Any]:
    norm = section({"norm_cfg": {"type": "GN", "num_groups": 32}, **part}, "norm_cfg", ["GN", "BN"])
    shared, scaling = bool(part.get("strides_share", True)), part.get("scale_mode", 1)
    return {
        "convolutions": part.get("stacked_convs", 4),
        "features": part.get("feat_channels", 256),
        "depthwise": bool(part.get("dw_conv", False)),
        "groups": norm.get("num_groups") if norm["type"] == "GN" else 0,
        "shared": shared,
        "scaled": scaling == 2 or bool(scaling and shared),
        "keypoints": bool(part.get("use_kps", False)),
        "anchors": _anchors(part),
    }


def _anchors(head: Part) -> int:
    """How many anchors a cell has: one for each ratio of each scale."""
    anchors = section(head, "anchor_generator", ["AnchorGenerator"])
    try:
        return len(anchors["ratios"]) * len(anchors["scales"])
    except (KeyError, TypeError):
        raise ModelError("The configuration's anchor_generator lists no ratios and scales.") from None


def _require_fitting(neck: Part, head: Part, config: Config) -> None:
    """Raise `ModelError` where neck and head are not those that `config` describes."""
    fixed = {"start_level": 1, "end_level": -1, "conv_cfg": None, "norm_cfg": None, "act_cfg": None}
    extra = {"add_extra_convs": "on_output", "relu_before_extra_convs": False} if config.levels > 3 else {}
    require_settings("neck", neck, fixed | extra)
    used = _numbers(neck, "in_channels", 4)[1:]
    if used != config.widths[1:]:
        raise ModelError(
            f"The configuration's neck takes {used} channels, where the backbone gives {config.widths[1:]}."
        )
    head = {"cls_reg_share": False, **head, "loss_dfl": head.get("loss_dfl") or False}
    same = {"num_classes": 1, "in_channels": config.neck, "cls_reg_share": True, "reg_max": REG_MAX, "loss_dfl": False}
    require_settings("bbox_head", head, {**same, "feat_mults": None, "conv_cfg": None})
    require_settings("loss_cls", _mapping(head, "loss_cls"), {"use_sigmoid": True})
    require_settings("anchor_generator", head["anchor_generator"], {"strides": config.strides})


def _mapping(part: Part, name: str) -> Part:
    """The settings `name` in `part`, none where it is absent or None."""
    value = part.get(name) or {}
    if not isinstance(value, Mapping):
        raise ModelError(f"The configuration's {name} is {value!r}, where settings are wanted.")
    return value


def _numbers(part: Part, name: str, length: int) -> tuple[int, ...]:
    values = part.get(name)
    fits = isinstance(values, list | tuple) and len(values) >= length and all(isinstance(one, int) for one in values)
    if not fits or values is None:
        raise ModelError(f"The configuration's {name} is {values!r}, where {length} numbers are wanted.")
    return tuple(values[:length])
