"""What the attributes of MXNet's operators mean, and which values of them are not converted.

Defaults are those of apache/mxnet 1.9.1, ``src/operator``. Everything raises `ModelError` that names the layer.
"""

from __future__ import annotations

from collections.abc import Collection

from zoo.errors import ModelError
from zoo_mxnet.symbol import Node


def unknown(node: Node) -> ModelError:
    """That an operator is not among those that the zoo knows."""
    return ModelError(
        f"The layer {node.name} is of MXNet's operator {node.op}, which the zoo does not convert; where it belongs to"
        " the training, output=LAYER stops before it."
    )


def choice(node: Node, name: str, default: str, known: Collection[str]) -> str:
    """An attribute that is one of the words `known`."""
    word = node.text(name, default)
    if word not in known:
        raise node.unfit(name)
    return word


def pair(node: Node, name: str, default: int = 0) -> tuple[int, int]:
    """Rows and columns: of a kernel, a stride, a padding. A `default` of 0 stands for padding, and for what must be
    given."""
    found = node.numbers(name, (default, default))
    if len(found) != 2 or min(found) < (0 if name == "pad" else 1):
        raise node.unfit(name)
    return found[0], found[1]


def require_channels_second(node: Node) -> None:
    """Refuse what has its channels elsewhere than in dimension 1."""
    if node.text("layout", "NCHW") != "NCHW":
        raise node.unfit("layout")
    if node.numbers("axis", (1,)) != (1,):
        raise node.unfit("axis")


def rounds_up(node: Node) -> bool:
    """Whether a pooling has a last window that reaches beyond the image."""
    return choice(node, "pooling_convention", "valid", ("valid", "full")) == "full"


def softmax_axis(node: Node, rank: int) -> int:
    """Over which dimension a softmax goes, under its three names."""
    if node.op == "softmax":
        return int(node.number("axis", -1))
    if node.op == "SoftmaxActivation":
        by_channel = choice(node, "mode", "instance", ("instance", "channel")) == "channel"
        name = "mode"
    else:
        by_channel, name = node.flag("multi_output"), "multi_output"
        if node.flag("preserve_shape"):
            return -1
    if not by_channel and rank != 2:
        raise node.unfit(name)
    return 1


def norm_axes(node: Node, rank: int) -> tuple[int, ...]:
    """Over which dimensions the length of an L2 normalisation goes."""
    mode = choice(node, "mode", "instance", ("instance", "channel", "spatial"))
    return {"instance": tuple(range(1, rank)), "channel": (1,), "spatial": tuple(range(2, rank))}[mode]


def leak(node: Node) -> tuple[str, float]:
    """The kind of a leaky rectifier, ``leaky``, ``prelu``, ``elu`` or ``rrelu``, and its slope below zero, which of the
    second is an array instead. The last draws slopes while it is trained, and takes their mean afterwards."""
    kind = choice(node, "act_type", "leaky", ("leaky", "prelu", "elu", "rrelu"))
    if kind == "rrelu":
        return kind, (node.number("lower_bound", 0.125) + node.number("upper_bound", 0.334)) / 2
    return kind, node.number("slope", 0.25)


def new_shape(node: Node) -> tuple[int, ...]:
    """The shape that a reshape asks for: 0 keeps a size, -1 takes what is left."""
    shape = node.numbers("shape")
    if not shape or min(shape) < -1 or shape.count(-1) > 1 or node.flag("reverse"):
        raise node.unfit("shape")
    return shape


def nearest_scale(node: Node) -> int:
    """How many times larger an upsampling makes rows and columns, repeating each."""
    choice(node, "sample_type", "", ("nearest",))
    scale = node.numbers("scale", (0,))
    if len(scale) != 1 or scale[0] < 1 or len(node.inputs) != 1:
        raise node.unfit("scale")
    return scale[0]


def require_plain_crop(node: Node) -> None:
    """Refuse crops but to the size of a second input, from the top left corner."""
    if len(node.inputs) != 2 or node.flag("center_crop") or any(node.numbers("offset", (0,))):
        raise node.unfit("offset")


def require_inference(node: Node) -> None:
    """Refuse a dropout that drops even when nothing is trained."""
    choice(node, "mode", "training", ("training",))
