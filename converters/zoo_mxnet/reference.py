"""MXNet's operators in NumPy, written apart from the conversion to ONNX, so that the one can be held against the other.

Every function takes a node and the arrays of its inputs, (N, C, H, W) or (N, C) float32, and gives the array of its
first output. Facts from apache/mxnet, ``src/operator/nn``; tests/oracles holds them against MXNet 1.9.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from zoo_mxnet import attributes
from zoo_mxnet.attributes import choice
from zoo_mxnet.network import Network, epsilon, groups, operator
from zoo_mxnet.symbol import NULL, Node

Array: TypeAlias = NDArray[np.float32]
Inputs: TypeAlias = Sequence[Array]


def run(network: Network, images: Array) -> list[Array]:
    """The outputs of `network`, which `require_known` has seen, for `images` (N, C, H, W) float32.

    Raises `ModelError` for attributes that are not converted, `ValueError` where shapes do not fit.
    """
    graph = network.graph
    found: dict[int, Array] = {network.data: images}
    for number in graph.needed():
        node = graph.nodes[number]
        if node.op == NULL:
            found.setdefault(number, network.arrays.get(node.name, images))
            continue
        result = OPERATORS[operator(node)](node, [found[source] for source, _ in node.inputs])
        found[number] = np.asarray(result, np.float32)
    return [found[number] for number, _ in graph.heads]


def require_known(network: Network) -> None:
    """Raise `ModelError` that names the first layer whose operator is not here."""
    for number in network.graph.needed():
        node = network.graph.nodes[number]
        if node.op != NULL and operator(node) not in OPERATORS:
            raise attributes.unknown(node)


def _convolution(node: Node, inputs: Inputs) -> Array:
    x, weight = inputs[:2]
    attributes.require_channels_second(node)
    kernel, pad = attributes.pair(node, "kernel"), attributes.pair(node, "pad")
    stride, dilate = attributes.pair(node, "stride", 1), attributes.pair(node, "dilate", 1)
    count, parts = len(x), groups(node)
    padded = np.pad(x, ((0, 0), (0, 0), (pad[0],) * 2, (pad[1],) * 2))
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilate, strict=True))
    windows = sliding_window_view(padded, reach, (2, 3))[:, :, :: stride[0], :: stride[1], :: dilate[0], :: dilate[1]]
    rows, columns = windows.shape[2:4]
    taps = windows.transpose(0, 1, 4, 5, 2, 3).reshape(count, parts, -1, rows * columns)
    sums = weight.reshape(parts, weight.shape[0] // parts, -1) @ taps
    result = sums.reshape(count, weight.shape[0], rows, columns)
    return result if node.flag("no_bias") else result + inputs[2][:, None, None]


def _batch_norm(node: Node, inputs: Inputs) -> Array:
    attributes.require_channels_second(node)
    x, gamma, beta, mean, variance = inputs
    across = (slice(None), *(None,) * (x.ndim - 2))
    return np.asarray((x - mean[across]) * (gamma / np.sqrt(variance + epsilon(node)))[across] + beta[across])


def _activation(node: Node, inputs: Inputs) -> Array:
    return np.asarray(ACTIVATIONS[choice(node, "act_type", "", ACTIVATIONS)](inputs[0]))


ACTIVATIONS: dict[str, Callable[[Array], Any]] = {
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "softrelu": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
}


def _leaky(node: Node, inputs: Inputs) -> Array:
    x, (kind, slope) = inputs[0], attributes.leak(node)
    below = inputs[1].reshape(-1, *(1,) * (x.ndim - 2)) if kind == "prelu" else slope
    return np.where(x > 0, x, below * (np.expm1(x) if kind == "elu" else x))


def _dense(node: Node, inputs: Inputs) -> Array:
    x = inputs[0].reshape(len(inputs[0]), -1) if node.flag("flatten", True) else inputs[0]
    result = x @ inputs[1].T
    return result if node.flag("no_bias") else result + inputs[2]


def _pooling(node: Node, inputs: Inputs) -> Array:
    x, kind = inputs[0], choice(node, "pool_type", "max", ("max", "avg", "sum"))
    if node.flag("global_pool"):
        over: dict[str, Callable[..., Any]] = {"max": np.max, "avg": np.mean, "sum": np.sum}
        return np.asarray(over[kind](x, axis=(2, 3), keepdims=True))
    if kind == "max":
        return np.asarray(_windows(node, x, -math.inf, -math.inf).max((-2, -1)))
    sums = np.asarray(_windows(node, x, 0, 0).sum((-2, -1)))
    if kind == "sum":
        return sums
    counted = _windows(node, np.ones_like(x[:1, :1]), float(node.flag("count_include_pad", True)), 0)
    return np.asarray(sums / counted.sum((-2, -1)))


def _windows(node: Node, x: Array, padding: float, beyond: float) -> Array:
    """The windows (N, C, rows, columns, height, width) of a pooling over `x`, whose padding has the one value, and what
    a last window reaches beyond it the other."""
    kernel, stride, pad = (attributes.pair(node, name, name == "stride") for name in ("kernel", "stride", "pad"))
    more = [(0, 0), (0, 0)]
    if attributes.rounds_up(node):
        sizes = zip(x.shape[2:], pad, kernel, stride, strict=True)
        more = [(0, _beyond(size + 2 * before, window, step)) for size, before, window, step in sizes]
    x = np.pad(x, ((0, 0), (0, 0), (pad[0],) * 2, (pad[1],) * 2), constant_values=padding)
    x = np.pad(x, ((0, 0), (0, 0), *more), constant_values=beyond)
    return sliding_window_view(x, kernel, (2, 3))[:, :, :: stride[0], :: stride[1]]


def _beyond(size: int, window: int, step: int) -> int:
    """How far the last window reaches beyond `size`, when the number of windows is rounded up."""
    return max(0, -(-(size - window) // step) * step + window - size)


def _concat(node: Node, inputs: Inputs) -> Array:
    return np.concatenate(inputs, int(node.number("dim", 1)))


def _l2(node: Node, inputs: Inputs) -> Array:
    x = inputs[0]
    axes = attributes.norm_axes(node, x.ndim)
    return np.asarray(x / np.sqrt((x * x).sum(axes, keepdims=True) + node.number("eps", 1e-10)))


def _softmax(node: Node, inputs: Inputs) -> Array:
    x = inputs[0] / node.number("temperature", 1)
    axis = attributes.softmax_axis(node, x.ndim)
    powers = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis, keepdims=True))


def _reshape(node: Node, inputs: Inputs) -> Array:
    x, wanted = inputs[0], attributes.new_shape(node)
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(wanted)])


def _transpose(node: Node, inputs: Inputs) -> Array:
    return inputs[0].transpose(node.numbers("axes") or None)


def _upsampling(node: Node, inputs: Inputs) -> Array:
    scale = attributes.nearest_scale(node)
    return inputs[0].repeat(scale, 2).repeat(scale, 3)


def _crop(node: Node, inputs: Inputs) -> Array:
    attributes.require_plain_crop(node)
    return inputs[0][:, :, : inputs[1].shape[2], : inputs[1].shape[3]]


def _dropout(node: Node, inputs: Inputs) -> Array:
    attributes.require_inference(node)
    return inputs[0]


def _scalar(function: Callable[[Array, float], Any]) -> Callable[[Node, Inputs], Any]:
    return lambda node, inputs: function(inputs[0], node.number("scalar", 0))


def _of_all(function: Callable[..., Any]) -> Callable[[Node, Inputs], Any]:
    return lambda _node, inputs: function(*inputs)


def _flatten(x: Array) -> Array:
    return x.reshape(len(x), -1)


OPERATORS: dict[str, Callable[[Node, Inputs], Any]] = {
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
    "Flatten": _of_all(_flatten),
    "identity": _of_all(np.asarray),
    "Dropout": _dropout,
    "clip": lambda node, inputs: inputs[0].clip(node.number("a_min", -math.inf), node.number("a_max", math.inf)),
    **dict.fromkeys(("softmax", "SoftmaxOutput", "SoftmaxActivation"), _softmax),
    **{name: _of_all(ACTIVATIONS[name]) for name in ("relu", "sigmoid", "tanh")},
    "elemwise_add": _of_all(np.add),
    "elemwise_sub": _of_all(np.subtract),
    "elemwise_mul": _of_all(np.multiply),
    "elemwise_div": _of_all(np.divide),
    "add_n": _of_all(lambda *inputs: sum(inputs)),
    "_plus_scalar": _scalar(np.add),
    "_minus_scalar": _scalar(np.subtract),
    "_mul_scalar": _scalar(np.multiply),
    "_div_scalar": _scalar(np.divide),
    "_rminus_scalar": _scalar(lambda x, scalar: scalar - x),
    "_rdiv_scalar": _scalar(lambda x, scalar: scalar / x),
    "_power_scalar": _scalar(np.power),
    "_maximum_scalar": _scalar(np.maximum),
    "_minimum_scalar": _scalar(np.minimum),
}
"""What each operator computes."""
