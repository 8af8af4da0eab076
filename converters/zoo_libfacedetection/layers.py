"""A YuNet as the rows of libfacedetection's data file: which convolutions it has, in which order, and their names.

A unit, a pointwise and a depthwise convolution, is two rows. The rows follow the modules of the network as they are
defined, which is not the order of the tensors in a checkpoint. Facts from ShiqiYu/libfacedetection.train:
``tools/yunet2cpp.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

STEM, POINTWISE, DEPTHWISE = "stem", "pointwise", "depthwise"
STEM_INPUTS = 27
"""Numbers that a weight of the first convolution has: 3x3 pixels of three channels."""

STEM_ROW = 32
"""Numbers that the library keeps of it: it reads whole vectors."""

KEYPOINT_NUMBERS = 10


@dataclass(frozen=True)
class Layer:
    """One convolution, a row of the file. `conv` and `norm` are its modules' paths in the network (`norm` empty where
    there is none), `name` what its arrays' names begin with, `kind` one of `STEM`, `POINTWISE` and `DEPTHWISE`;
    `inputs` counts the stem's as in its images, 3."""

    conv: str
    norm: str
    name: str
    kind: str
    inputs: int
    outputs: int

    @property
    def row(self) -> tuple[int, int, bool, bool, bool]:
        """What the file's last table says of it: inputs, outputs, depthwise, pointwise, normalised."""
        inputs = STEM_ROW if self.kind == STEM else self.inputs
        return (inputs, self.outputs, self.kind == DEPTHWISE, self.kind != DEPTHWISE, bool(self.norm))


@dataclass(frozen=True)
class Rows:
    """The numbers of the first row of each part of the head and neck; a part has `units` of each level in turn."""

    neck: int
    shared: int
    classes_tower: int
    places_tower: int
    classes: int
    boxes: int
    objects: int
    points: int


def layers(config: Any) -> list[Layer]:
    """The convolutions of the YuNet that `config`, that of its network, describes, in the order of the file."""
    return [*_backbone(config), *_neck(config), *_head(config)]


def rows(config: Any) -> Rows:
    """Where the parts of `config`'s network begin."""
    levels = len(config.taps)
    lengths = (
        *(levels, levels * config.shared, levels * config.stacked, levels * config.stacked),
        *(levels, levels, levels),
    )
    starts = [len(list(_backbone(config)))]
    for units in lengths:
        starts.append(starts[-1] + 2 * units)
    return Rows(*starts)


def _backbone(config: Any) -> Iterator[Layer]:
    path, stem = "backbone.model0", config.stem
    yield Layer(f"{path}.conv1", f"{path}.bn1", f"{_joined(path)}_pw", STEM, 3, stem)
    yield from _unit(f"{path}.conv2", f"{_joined(path)}_dp", stem, config.widths[0])
    for index, (inputs, outputs) in enumerate(pairwise(config.widths), start=1):
        path = f"backbone.model{index}"
        yield from _unit(f"{path}.conv1", f"{_joined(path)}_dp1", inputs, inputs)
        yield from _unit(f"{path}.conv2", f"{_joined(path)}_dp2", inputs, outputs)


def _neck(config: Any) -> Iterator[Layer]:
    width = config.widths[config.taps[0]]
    for level in range(len(config.taps)):
        yield from _plain_unit(f"neck.lateral_convs.{level}", width, width)


def _head(config: Any) -> Iterator[Layer]:
    width, levels = config.widths[config.taps[0]], range(len(config.taps))
    towers = {"share": (config.shared, width), "cls": (config.stacked, config.features if config.shared else width)}
    towers["reg"] = towers["cls"]
    for name, (units, inputs) in towers.items():
        for level in levels:
            widths = [inputs, *[config.features] * units]
            for index, pair in enumerate(pairwise(widths)):
                yield from _plain_unit(f"bbox_head.multi_level_{name}_convs.{level}.{index}", *pair)
    inputs = config.features if config.shared or config.stacked else width
    for name, outputs in (("cls", 1), ("bbox", 4), ("obj", 1), ("kps", KEYPOINT_NUMBERS)):
        for level in levels:
            yield from _plain_unit(f"bbox_head.multi_level_{name}.{level}", inputs, outputs, activated=False)


def _plain_unit(path: str, inputs: int, outputs: int, activated: bool = True) -> Iterator[Layer]:
    return _unit(path, _joined(path), inputs, outputs, activated)


def _unit(path: str, name: str, inputs: int, outputs: int, activated: bool = True) -> Iterator[Layer]:
    yield Layer(f"{path}.conv1", "", f"{name}_pw", POINTWISE, inputs, outputs)
    norm = f"{path}.bn" if activated else ""
    yield Layer(f"{path}.conv2", norm, f"{name}_dw", DEPTHWISE, outputs, outputs)


def _joined(path: str) -> str:
    return path.replace(".", "__")


def conv_of(name: str, kind: str) -> str:
    """The path of the convolution whose arrays' names begin with `name`; the inverse of what `layers` does."""
    path, _, part = name.rpartition("_")
    path = path.replace("__", ".")
    if kind == STEM:
        return f"{path}.conv1"
    for mark, unit in {"_dp": ".conv2", "_dp1": ".conv1", "_dp2": ".conv2"}.items():
        if path.startswith("backbone.") and path.endswith(mark):
            path = path.removesuffix(mark) + unit
            break
    return f"{path}.conv{1 if part == 'pw' else 2}"
