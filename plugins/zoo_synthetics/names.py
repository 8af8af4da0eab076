"""Which network a file of weights belongs to, by its tensors' names and shapes or by what the file says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]


def recognise(shapes: Shapes) -> tuple[str, Mapping[str, Any]] | None:
    """(architecture, arguments) of a landmark network with these tensors, None for others.

    A timm backbone is not told by its tensors here: its name stands in the file's hyper-parameters (`configured`), and
    resnet50d is taken where they are those of the published one.
    """
    for rule in (_dense_resnet, _dense_mobilenet, _slim, _resnet50d):
        found = rule(shapes)
        if found:
            return found
    return None


def configured(document: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """(architecture, arguments) from the hyper-parameters of insightface's Lightning module, ``{"backbone": name}``."""
    backbone = document.get("backbone")
    return ("synthetics_timm", {"backbone": backbone}) if isinstance(backbone, str) else None


def _dense_resnet(shapes: Shapes) -> tuple[str, Mapping[str, Any]] | None:
    head = shapes.get("fc_final.weight", ())
    if "RBM1.0.downsample_norm.weight" not in shapes or len(head) != 2:
        return None
    return "synthetics3d_resnet34", _points(head[0])


def _dense_mobilenet(shapes: Shapes) -> tuple[str, Mapping[str, Any]] | None:
    head = shapes.get("model.classifier.1.weight", ())
    if "model.features.0.0.weight" not in shapes or len(head) != 2:
        return None
    return "synthetics3d_mobilenetv2", _points(head[0])


def _points(rows: int) -> dict[str, int]:
    """A head of 70 points has 140 rows, or 210 where each point has a variance."""
    values = 3 if (rows % 3 == 0 and rows % 2) or rows == 210 else 2
    return {"points": rows // values, "values": values}


def _slim(shapes: Shapes) -> tuple[str, Mapping[str, Any]] | None:
    head = shapes.get("fc.weight", ())
    if shapes.get("conv13.3.weight") != (256, 256, 1, 1) or len(head) != 2 or head[1] != 448:
        return None
    return "slim160", {"outputs": head[0]}


def _resnet50d(shapes: Shapes) -> tuple[str, Mapping[str, Any]] | None:
    head = shapes.get("backbone.fc.weight", ())
    deep = "backbone.conv1.6.weight" in shapes and "backbone.layer3.5.conv3.weight" in shapes
    if not deep or "backbone.layer3.6.conv3.weight" in shapes or len(head) != 2 or head[1] != 2048 or head[0] % 2:
        return None
    return "synthetics_timm", {"backbone": "resnet50d", "points": head[0] // 2}
