"""Which network a set of named tensors is: arcface_torch's names, foamliu's, or MXNet's. Imports no framework."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any, TypeAlias

from zoo.errors import UsageError
from zoo.networks.configs import configure, nearest
from zoo_arcface.architectures import CONFIGS, Foamliu, IResNet, LMobileNet, Mbf, MobileFaceNet

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
Found: TypeAlias = tuple[str, dict[str, Any]]

_NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_var": "running_var"}
_OUTER = {"conv0": "conv1", "bn0": "bn1", "relu0": "prelu", "bn1": "bn2", "pre_fc1": "fc", "fc1": "features"}
_UNIT = {"relu1": "prelu", "conv1sc": "downsample.0", "sc": "downsample.1"}
"""LResNet's layers by iresnet's names, outside the units and inside, where the others are called alike."""


@dataclass(frozen=True)
class _Family:
    """Networks of one kind: what all their tensors are called, and how a configuration is read from the shapes."""

    kind: type
    names: re.Pattern[str]
    fields: Callable[[Shapes], dict[str, Any]]


def recognise(shapes: Shapes) -> Found | None:
    """The architecture whose tensors `shapes` are, by name, and what departs from it; None for other networks.

    That a state dict of an iresnet was MXNet's once does not show; one in MXNet's own names does.
    """
    if any(name.startswith(("arg:", "aux:")) for name in shapes):
        renamed = from_mxnet(shapes)
        return None if renamed is None else _recognise(renamed, mxnet=True)
    return _recognise(shapes)


def translate(arrays: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
    """An MXNet model's arrays by name (``arg:`` and ``aux:`` before them, or not) as architecture, arguments and state
    dict; None where they are no network of insightface's.

    Numbers are passed on as they are. Where the symbol says ``fix_gamma`` MXNet takes 1 in the place of a stored gamma:
    who reads the symbol must have put it there.
    """
    renamed = from_mxnet(arrays)
    found = None if renamed is None else _recognise({name: renamed[name].shape for name in renamed}, mxnet=True)
    return None if renamed is None or found is None else (*found, renamed)


def from_mxnet(tensors: Mapping[str, Any]) -> dict[str, Any] | None:
    """MXNet's `tensors` under the names of our networks; None where one is called as none of insightface's."""
    plain = {name.removeprefix("arg:").removeprefix("aux:"): value for name, value in tensors.items()}
    rename = _fresnet_name if "conv0_weight" in plain else _mobile_name
    renamed = {rename(name): value for name, value in plain.items()}
    return None if None in renamed or len(renamed) < len(tensors) else {str(name): renamed[name] for name in renamed}


def _fresnet_name(name: str) -> str | None:
    """An LResNet's, for example ``stage2_unit1_bn1_gamma`` is ``layer2.0.bn1.weight``."""
    found = re.fullmatch(r"(?:stage(\d)_unit(\d+)_)?(\w+?)_(weight|bias|gamma|beta|moving_mean|moving_var)", name)
    if not found:
        return None
    stage, unit, layer, leaf = found.groups()
    if stage:
        return f"layer{stage}.{int(unit) - 1}.{_UNIT.get(layer, layer)}.{_NORM.get(leaf, leaf)}"
    return f"{_OUTER[layer]}.{_NORM.get(leaf, leaf)}" if layer in _OUTER else None


def _mobile_name(name: str) -> str | None:
    """A mobile network's, for example ``res_3_block0_conv_dw_relu_gamma`` is ``res_3.block0.conv_dw.relu.weight``."""
    found = re.fullmatch(r"(\w+?)_(weight|bias|gamma|beta|moving_mean|moving_var)", name)
    if not found:
        return None
    path, leaf = found.groups()
    path = re.sub(r"_(conv2d|batchnorm|relu)$", r".\1", path)
    path = re.sub(r"^(res_\d)_(block\d+)_", r"\1.\2.", path)
    path = re.sub(r"^(dconv_\d\d)_", r"\1.", path)
    return f"{path}.{_NORM.get(leaf, leaf)}"


def _recognise(shapes: Shapes, mxnet: bool = False) -> Found | None:
    for family in _FAMILIES:
        if shapes and all(map(family.names.fullmatch, shapes)):
            fields = family.fields(shapes)
            known = {name: config for name, config in CONFIGS.items() if isinstance(config, family.kind)}
            if family.kind is IResNet:
                known = {name: config for name, config in known.items() if getattr(config, "normalise", False) == mxnet}
            return _checked(*nearest(known, fields))
    return None


def _checked(architecture: str, arguments: dict[str, Any]) -> Found | None:
    try:
        configure(CONFIGS, architecture, arguments)
    except UsageError:  # sizes that no such network can have
        return None
    return architecture, arguments


def _iresnet(shapes: Shapes) -> dict[str, Any]:
    return {
        "blocks": [_count(shapes, rf"layer{stage}\.\d+\.conv1\.weight") for stage in (1, 2, 3, 4)],
        "embedding": _size(shapes, "fc.weight"),
        "size": 16 * isqrt(_size(shapes, "fc.weight", 1) // 512),
    }


def _mbf(shapes: Shapes) -> dict[str, Any]:
    blocks = [_count(shapes, rf"layers\.{at}\.layers\.\d+\.layers\.0\.layers\.0\.weight") for at in (1, 3, 5, 7)]
    return {
        "blocks": [max(1, blocks[0]), *blocks[1:]],
        "scale": _size(shapes, "layers.0.layers.0.weight") // 64,
        "embedding": _size(shapes, "features.layers.2.weight"),
    }


def _lmobilenet(shapes: Shapes) -> dict[str, Any]:
    return {"base": _size(shapes, "conv_1.conv2d.weight"), "embedding": _size(shapes, "pre_fc1.weight")}


def _mobilefacenet(shapes: Shapes) -> dict[str, Any]:
    blocks = [_count(shapes, rf"res_{stage}\.block\d+\.conv_dw\.conv2d\.weight") for stage in (2, 3, 4, 5)]
    return {"blocks": [max(1, blocks[0]), *blocks[1:]], "embedding": _size(shapes, "pre_fc1.weight")}


def _foamliu(shapes: Shapes) -> dict[str, Any]:
    return {"embedding": _size(shapes, "bn.weight")}  # strides do not show in shapes, so the stages are the published


def _count(shapes: Shapes, pattern: str) -> int:
    return sum(1 for name in shapes if re.fullmatch(pattern, name))


def _size(shapes: Shapes, name: str, axis: int = 0) -> int:
    """One of a tensor's sizes, 0 where it is not there."""
    shape = shapes.get(name, ())
    return shape[axis] if axis < len(shape) else 0


_FAMILIES = (
    _Family(
        IResNet,
        re.compile(
            r"(layer[1-4]\.\d+\.(bn[123]|conv[12]|prelu|downsample\.[01])|conv1|bn[12]|prelu|fc|features)\.[a-z_]+"
        ),
        _iresnet,
    ),
    _Family(Mbf, re.compile(r"(layers\.[0-7]|conv_sep|features)(\.layers\.\d+)+\.[a-z_]+"), _mbf),
    _Family(
        LMobileNet,
        re.compile(r"(conv_\d+(_dw)?\.(conv2d|batchnorm|relu)|conv_6dw7_7\.(conv2d|batchnorm)|pre_fc1|fc1)\.[a-z_]+"),
        _lmobilenet,
    ),
    _Family(
        MobileFaceNet,
        re.compile(
            r"((conv_1|conv_2_dw|conv_6sep|conv_6dw7_7|(dconv_\d\d|res_[2-5]\.block\d+)\.conv_(sep|dw|proj))"
            r"\.(conv2d|batchnorm|relu)|pre_fc1|fc1)\.[a-z_]+"
        ),
        _mobilefacenet,
    ),
    _Family(
        Foamliu,
        re.compile(
            r"(conv[12]\.[01]|dw_conv\.(depthwise|pointwise|bn[12])|gdconv\.(depthwise|bn)|conv3|bn"
            r"|features\.\d+\.conv\.([01]\.[01]|[23]))\.[a-z_]+"
        ),
        _foamliu,
    ),
)
