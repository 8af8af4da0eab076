"""From MXNet to ONNX, operator by operator, for what the networks of insightface and of MTCNN are made of.

Layers keep their names, so that insightface's own programs see from them that the network normalises pixels itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from zoo.errors import ModelError
from zoo.models.edges import Edge
from zoo.specs import ModelCard
from zoo_mxnet import attributes
from zoo_mxnet.attributes import choice
from zoo_mxnet.network import Network, epsilon, groups, load, operator
from zoo_mxnet.symbol import NULL, Node


def to_onnx(edge: Edge) -> ModelCard:
    """Write the network of `edge` as ONNX, its input and outputs called as MXNet calls them.

    Raises `ModelError` for damaged files, operators that are not known, and a card that asks for pixels to be
    normalised which the network normalises itself.
    """
    network = load(edge.source, edge.options.output)
    require_raw_pixels(network, edge)
    model = convert(network, edge.size, edge.dynamic, edge.options.opset)
    onnx.save(model, edge.target)
    count = len(network.outputs)
    return edge.card if len(edge.card.outputs) == count else replace(edge.card, outputs=network.outputs)


def require_raw_pixels(network: Network, edge: Edge) -> None:
    """Raise `ModelError` where the network and the card would both normalise the pixels."""
    contract = edge.card.preprocess
    if network.normalises and (any(contract.mean) or contract.scale != 1 or set(contract.std) != {1}):
        raise ModelError(
            f"The network of {edge.source} normalises pixels itself, and the card {edge.card.id} asks for it once more:"
            " say with card=MODEL what model it is."
        )


def convert(network: Network, size: tuple[int, int], dynamic: frozenset[str], opset: int) -> onnx.ModelProto:
    """`network` as ONNX for inputs of `size` (width, height) pixels, with the `dynamic` ones of ``batch``, ``height``
    and ``width`` open. Raises `ModelError` for operators and attributes that are not converted."""
    writer = _Writer(network)
    for number in network.graph.needed():
        writer.add(number)
    graph = writer.graph(size, dynamic)
    model = helper.make_model(graph, producer_name="facezoo", opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = helper.find_min_ir_version_for(model.opset_import)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"The network cannot be written as ONNX: {str(error).splitlines()[0]}.") from None
    return model


class _Writer:
    """Collects nodes. A value is called as MXNet's layer, and an output with ``_output`` after it."""

    def __init__(self, network: Network) -> None:
        self.network, self.nodes = network, list[onnx.NodeProto]()
        self.constants: dict[str, NDArray[Any]] = {}
        self._values: dict[int, str] = {}
        self.ranks: dict[str, int] = {}

    def add(self, number: int) -> None:
        """Convert the node of that number, whose inputs are converted."""
        node = self.network.graph.nodes[number]
        if node.op == NULL:
            self._values[number] = self._null(node)
            return
        function = OPERATORS.get(operator(node))
        if function is None:
            raise attributes.unknown(node)
        inputs = [self._values[source] for source, _ in node.inputs]
        try:
            value, rank = function(self, node, inputs)
        except IndexError:
            raise ModelError(f"The layer {node.name} ({node.op}) has too few inputs: {len(inputs)}.") from None
        self._values[number] = value
        self.ranks[value] = rank

    def _null(self, node: Node) -> str:
        array = self.network.arrays.get(node.name)
        self.ranks[node.name] = 4 if array is None else array.ndim
        if array is not None:
            self.constants[node.name] = array
        return node.name

    def emit(self, node: Node, op: str, inputs: Sequence[str], part: str = "", **values: Any) -> str:
        """Add a node of ONNX's operator `op`, which gives the output of `node`, or a `part` on the way to it."""
        output = f"{node.name}_{part or 'output'}"
        name = f"{node.name}_{part}" if part else node.name
        self.nodes.append(helper.make_node(op, list(inputs), [output], name, **values))
        return output

    def constant(self, node: Node, part: str, value: Any, kind: type[Any] = np.float32) -> str:
        """A constant of `node`'s own."""
        name = f"{node.name}_{part}"
        self.constants[name] = np.asarray(value, kind)
        return name

    def rank(self, value: str) -> int:
        """How many dimensions a value has."""
        return self.ranks[value]

    def graph(self, size: tuple[int, int], dynamic: frozenset[str]) -> onnx.GraphProto:
        """The network whose nodes were added."""
        data = self.network.graph.nodes[self.network.data].name
        fixed = {"batch": 1, "height": size[1], "width": size[0]}
        batch, height, width = (name if name in dynamic else value for name, value in fixed.items())
        shape = [batch, self.network.channels, height, width]
        outputs = []
        for number, name in zip(self.network.graph.heads, self.network.outputs, strict=True):
            value = self._values[number[0]]
            if value != name:
                self.nodes.append(helper.make_node("Identity", [value], [name], name))
            sizes = [batch, *[None] * (self.ranks[value] - 1)]
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes))
        used = {name for node in self.nodes for name in node.input}
        tensors = [numpy_helper.from_array(self.constants[name], name) for name in self.constants if name in used]
        inputs = [helper.make_tensor_value_info(data, TensorProto.FLOAT, shape)]
        return helper.make_graph(self.nodes, "mxnet", inputs, outputs, tensors)


Converted = tuple[str, int]
Function = Callable[[_Writer, Node, list[str]], Converted]


def _convolution(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    attributes.require_channels_second(node)
    (top, left), kernel = attributes.pair(node, "pad"), attributes.pair(node, "kernel")
    used = inputs[:2] if node.flag("no_bias") else [inputs[0], inputs[1], inputs[2]]
    value = writer.emit(
        node,
        "Conv",
        used,
        kernel_shape=kernel,
        strides=attributes.pair(node, "stride", 1),
        dilations=attributes.pair(node, "dilate", 1),
        pads=[top, left, top, left],
        group=groups(node),
    )
    return value, 4


def _batch_norm(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    attributes.require_channels_second(node)
    return writer.emit(node, "BatchNormalization", inputs, epsilon=epsilon(node)), writer.rank(inputs[0])


_ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softrelu": "Softplus", "softsign": "Softsign"}


def _activation(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    kind = _ACTIVATIONS[choice(node, "act_type", "", _ACTIVATIONS)]
    return writer.emit(node, kind, inputs), writer.rank(inputs[0])


def _leaky(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    (kind, slope), rank = attributes.leak(node), writer.rank(inputs[0])
    if kind == "prelu":
        gamma = writer.constants.get(inputs[1])
        if gamma is None:
            raise node.unfit("act_type")
        slopes = writer.constant(node, "slope", gamma.reshape(-1, *(1,) * (rank - 2)))
        return writer.emit(node, "PRelu", [inputs[0], slopes]), rank
    return writer.emit(node, "Elu" if kind == "elu" else "LeakyRelu", inputs[:1], alpha=slope), rank


def _dense(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    biases = [] if node.flag("no_bias") else [inputs[2]]
    if not node.flag("flatten", True) and (rank := writer.rank(inputs[0])) > 2:
        turned = writer.emit(node, "Transpose", [inputs[1]], "turned", perm=[1, 0])
        product = writer.emit(node, "MatMul", [inputs[0], turned], "product" if biases else "")
        return (writer.emit(node, "Add", [product, *biases]) if biases else product), rank
    flat = inputs[0] if writer.rank(inputs[0]) == 2 else writer.emit(node, "Flatten", inputs[:1], "flat", axis=1)
    return writer.emit(node, "Gemm", [flat, inputs[1], *biases], transB=1), 2


def _pooling(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    kind = choice(node, "pool_type", "max", ("max", "avg"))
    if node.flag("global_pool"):
        return writer.emit(node, "GlobalMaxPool" if kind == "max" else "GlobalAveragePool", inputs), 4
    kernel, stride, pad = (attributes.pair(node, name, name == "stride") for name in ("kernel", "stride", "pad"))
    up, counted = attributes.rounds_up(node), node.flag("count_include_pad", True) and any(pad)
    if up and (stride[0] > kernel[0] or stride[1] > kernel[1] or (kind == "avg" and counted)):
        raise node.unfit("pooling_convention")  # ONNX has other rules for windows beyond the padding
    values: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "pads": [*pad, *pad], "ceil_mode": int(up)}
    if kind == "max":
        return writer.emit(node, "MaxPool", inputs, **values), 4
    return writer.emit(node, "AveragePool", inputs, count_include_pad=int(counted), **values), 4


def _softmax(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    rank = writer.rank(inputs[0])
    if node.number("temperature", 1) != 1:
        raise node.unfit("temperature")
    return writer.emit(node, "Softmax", inputs, axis=attributes.softmax_axis(node, rank)), rank


def _l2(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    rank = writer.rank(inputs[0])
    axes = writer.constant(node, "axes", attributes.norm_axes(node, rank), np.int64)
    squares = writer.emit(node, "Mul", [inputs[0], inputs[0]], "squares")
    sums = writer.emit(node, "ReduceSum", [squares, axes], "sums", keepdims=1)
    raised = writer.emit(node, "Add", [sums, writer.constant(node, "eps", node.number("eps", 1e-10))], "raised")
    length = writer.emit(node, "Sqrt", [raised], "length")
    return writer.emit(node, "Div", [inputs[0], length]), rank


def _flatten(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    return writer.emit(node, "Flatten", inputs, axis=1), 2


def _reshape(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    shape = attributes.new_shape(node)
    return writer.emit(node, "Reshape", [inputs[0], writer.constant(node, "shape", shape, np.int64)]), len(shape)


def _transpose(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    rank = writer.rank(inputs[0])
    axes = node.numbers("axes") or tuple(reversed(range(rank)))
    if sorted(axes) != list(range(rank)):
        raise node.unfit("axes")
    return writer.emit(node, "Transpose", inputs, perm=axes), rank


def _concat(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    return writer.emit(node, "Concat", inputs, axis=int(node.number("dim", 1))), writer.rank(inputs[0])


def _upsampling(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    scale = attributes.nearest_scale(node)
    scales = writer.constant(node, "scales", [1, 1, scale, scale])
    how = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    return writer.emit(node, "Resize", [inputs[0], "", scales], **how), 4


def _crop(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    attributes.require_plain_crop(node)
    bounds = {"two": [2], "four": [4], "corner": [0, 0], "axes": [2, 3]}
    two, four, corner, axes = (writer.constant(node, name, value, np.int64) for name, value in bounds.items())
    shape = writer.emit(node, "Shape", [inputs[1]], "shape")
    sides = writer.emit(node, "Slice", [shape, two, four], "sides")
    return writer.emit(node, "Slice", [inputs[0], corner, sides, axes]), 4


def _identity(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    if node.op == "Dropout":
        attributes.require_inference(node)
    return inputs[0], writer.rank(inputs[0])


def _clip(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
    low = writer.constant(node, "low", node.number("a_min", -math.inf))
    high = writer.constant(node, "high", node.number("a_max", math.inf))
    return writer.emit(node, "Clip", [inputs[0], low, high]), writer.rank(inputs[0])


def _scalar(op: str, turned: bool = False) -> Function:
    """An operation with a number, which is the first operand where it is `turned`."""

    def converted(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
        number = writer.constant(node, "scalar", node.number("scalar", 0))
        operands = [number, inputs[0]] if turned else [inputs[0], number]
        return writer.emit(node, op, operands), writer.rank(inputs[0])

    return converted


def _plain(op: str) -> Function:
    """An operation of ONNX that is the same, on operands of which the first or second may be repeated."""

    def converted(writer: _Writer, node: Node, inputs: list[str]) -> Converted:
        return writer.emit(node, op, inputs), max(map(writer.rank, inputs))

    return converted


OPERATORS: dict[str, Function] = {
    "Convolution": _convolution,
    "BatchNorm": _batch_norm,
    "Activation": _activation,
    "LeakyReLU": _leaky,
    "FullyConnected": _dense,
    "Pooling": _pooling,
    "Concat": _concat,
    "L2Normalization": _l2,
    "Reshape": _reshape,
    "transpose": _transpose,
    "UpSampling": _upsampling,
    "Crop": _crop,
    "Flatten": _flatten,
    "clip": _clip,
    **dict.fromkeys(("identity", "Dropout"), _identity),
    **dict.fromkeys(("softmax", "SoftmaxOutput", "SoftmaxActivation"), _softmax),
    **{f"elemwise_{name}": _plain(name.capitalize()) for name in ("add", "sub", "mul", "div")},
    **{name: _plain(name.capitalize()) for name in ("relu", "sigmoid", "tanh")},
    "add_n": _plain("Sum"),
    "_plus_scalar": _scalar("Add"),
    "_minus_scalar": _scalar("Sub"),
    "_mul_scalar": _scalar("Mul"),
    "_div_scalar": _scalar("Div"),
    "_rminus_scalar": _scalar("Sub", turned=True),
    "_rdiv_scalar": _scalar("Div", turned=True),
    "_power_scalar": _scalar("Pow"),
    "_maximum_scalar": _scalar("Max"),
    "_minimum_scalar": _scalar("Min"),
}
"""What each operator becomes: given the writer, a node and its inputs' names, the output's name and its rank."""
