"""Operators that look at a window of a map: convolution, pooling; and those that weigh all of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo_cpp.program import Window
from zoo_cpp.reading.building import Builder
from zoo_cpp.reading.rounding import whole
from zoo_cpp.reading.tensors import LARGEST, Axis, Piece, Tensor, UnreadableError, axes, images_of, only, plain

Attributes = Mapping[str, Any]
Array = NDArray[np.float32]


def conv(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """Conv: a convolution, or a depthwise one; other groups are filled up with zeros."""
    piece = plain(_one(inputs[0]))
    weight = weights(inputs[1])
    bias = np.zeros(weight.shape[0], np.float32) if len(inputs) < 3 or inputs[2] is None else weights(inputs[2])
    groups = int(attributes.get("group", 1))
    if weight.ndim != 4 or groups < 1 or weight.shape[1] * groups != piece.channels or weight.shape[0] % groups:
        raise UnreadableError(f"has a weight of shape {weight.shape} for {piece.channels} channels in {groups} groups")
    if bias.shape != weight.shape[:1]:
        raise UnreadableError(f"has a bias of shape {bias.shape} for a weight of shape {weight.shape}")
    if piece.fill:
        raise UnreadableError("follows a Pad with something else than zeros")
    kernel = (weight.shape[2], weight.shape[3])
    if tuple(attributes.get("kernel_shape", kernel)) != kernel:
        raise UnreadableError(f"has a weight of shape {weight.shape} for a kernel of {attributes['kernel_shape']}")
    window = _window(piece, kernel, attributes)
    size = _size(piece, window, False)
    if groups == piece.channels == weight.shape[0]:
        kind, arranged = "depthwise", weight[:, 0].transpose(1, 2, 0)
    else:
        kind, arranged = "conv", _dense(weight, groups).transpose(0, 2, 3, 1)
    builder.claim(arranged.size)
    held = {"weight": np.ascontiguousarray(arranged), "bias": bias}
    value = builder.step(kind, (piece.value,), size, weight.shape[0], window=window, weights=held)
    if kind == "conv":
        builder.steps[-1] = whole(builder.steps[-1], builder.ranges.get(piece.value))
    return builder.fresh(piece, images_of(piece), value)


def gemm(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """Gemm of an image's numbers with a known matrix."""
    weight = weights(inputs[1]) * np.float32(attributes.get("alpha", 1.0))
    if attributes.get("transA") or not isinstance(inputs[0], Tensor):
        raise UnreadableError("multiplies with the map in second place, or transposed")
    weight = weight.T if attributes.get("transB") else weight
    bias = np.zeros(weight.shape[-1], np.float32)
    if len(inputs) > 2 and inputs[2] is not None:
        bias = np.broadcast_to(np.ravel(weights(inputs[2])), bias.shape) * np.float32(attributes.get("beta", 1.0))
    return _dense_layer(builder, only(inputs[0]), weight, np.ascontiguousarray(bias))


def matmul(builder: Builder, inputs: Sequence[Any], _: Attributes) -> Tensor:
    """MatMul of an image's numbers with a known matrix."""
    if not isinstance(inputs[0], Tensor) or isinstance(inputs[1], Tensor):
        raise UnreadableError("multiplies two maps, or one in second place")
    weight = weights(inputs[1])
    return _dense_layer(builder, only(inputs[0]), weight, np.zeros(weight.shape[-1], np.float32))


def _dense_layer(builder: Builder, piece: Piece, weight: Array, bias: Array) -> Tensor:
    """A matrix (numbers of the map in the order of `piece`, outputs) as a convolution over the whole map."""
    order = [axis for axis in piece.dimensions[-1] if axis.kind != "N"]
    total = piece.height * piece.width * piece.channels
    if math.prod(axis.size for axis in order) != total or weight.shape[:1] != (total,) or weight.ndim != 2:
        raise UnreadableError(f"multiplies {piece.shape} with {weight.shape}, which is not the whole of an image")
    builder.claim(2 * weight.size)
    indices = _places(piece, order)
    arranged = np.empty_like(weight)
    arranged[indices] = weight
    kernel, outputs = (piece.height, piece.width), weight.shape[1]
    shaped = np.ascontiguousarray(arranged.T).reshape(outputs, *kernel, piece.channels)
    held = {"weight": shaped, "bias": bias}
    value = builder.step("conv", (piece.value,), (1, 1), outputs, window=Window(kernel), weights=held)
    builder.steps[-1] = whole(builder.steps[-1], builder.ranges.get(piece.value))
    return Tensor((Piece(value, 1, 1, outputs, (*piece.dimensions[:-1], axes("C", outputs))),))


def _places(piece: Piece, order: Sequence[Axis]) -> NDArray[np.int64]:
    """Where in the map, rows first and channels last, each number stands when the axes run in `order`."""
    strides = {"H": piece.width * piece.channels, "W": piece.channels, "C": 1}
    indices = np.zeros(1, np.int64)
    for axis in order:
        indices = (indices[:, None] + np.arange(axis.size) * (axis.step * strides[axis.kind])).ravel()
    return indices


def max_pool(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """MaxPool."""
    piece = plain(_one(inputs[0]))
    if any(piece.pads) and piece.fill > -1e30:
        raise UnreadableError("takes the largest of what a Pad has put round the map")
    return _pool(builder, "maxpool", piece, attributes, False)


def average_pool(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """AveragePool."""
    piece = plain(_one(inputs[0]))
    counted = bool(attributes.get("count_include_pad", 0))
    if any(piece.pads) and (piece.fill or (any(attributes.get("pads", ())) and not counted)):
        raise UnreadableError("takes the mean of what a Pad has put round the map")
    return _pool(builder, "avgpool", piece, attributes, counted or any(piece.pads))


def _pool(builder: Builder, kind: str, piece: Piece, attributes: Attributes, padded: bool) -> Tensor:
    kernel = tuple(int(n) for n in attributes["kernel_shape"])
    if len(kernel) != 2:
        raise UnreadableError(f"has a kernel of {len(kernel)} dimensions")
    window = _window(piece, (kernel[0], kernel[1]), attributes)
    if window.dilation != (1, 1):
        raise UnreadableError("has dilations")
    ceil = bool(attributes.get("ceil_mode", 0))
    more = {"window": window, "ceil": ceil, "padded": padded and any(window.pads)}
    value = builder.step(kind, (piece.value,), _size(piece, window, ceil), piece.channels, **more)
    return builder.fresh(piece, images_of(piece), value)


def _one(tensor: Any) -> Piece:
    """The one piece of a tensor, which may have pads."""
    if not isinstance(tensor, Tensor) or len(tensor.pieces) != 1:
        raise UnreadableError("wants a feature map")
    return tensor.pieces[0]


def weights(array: Any) -> Array:
    """A known array as float32."""
    if not isinstance(array, np.ndarray):
        raise UnreadableError("has weights that depend on the image")
    if not np.issubdtype(array.dtype, np.number):
        raise UnreadableError(f"has weights of the type {array.dtype}")
    return array.astype(np.float32, copy=False)


def _dense(weight: Array, groups: int) -> Array:
    """The weight (O, C / groups, ...) of a grouped convolution as (O, C, ...), zero where groups do not meet."""
    if groups == 1:
        return weight
    outputs, own = weight.shape[0] // groups, weight.shape[1]
    if weight.size * groups > LARGEST:
        raise UnreadableError(f"has {groups} groups, which makes a weight of {weight.size * groups:,} numbers")
    full = np.zeros((weight.shape[0], own * groups, *weight.shape[2:]), np.float32)
    for i in range(groups):
        full[i * outputs : (i + 1) * outputs, i * own : (i + 1) * own] = weight[i * outputs : (i + 1) * outputs]
    return full


def _window(piece: Piece, kernel: tuple[int, int], attributes: Attributes) -> Window:
    stride = _pair(attributes.get("strides", (1, 1)))
    dilation = _pair(attributes.get("dilations", (1, 1)))
    if min(*kernel, *stride, *dilation) < 1:
        raise UnreadableError("has a kernel, stride or dilation of 0")
    pads = tuple(int(n) for n in attributes.get("pads", (0, 0, 0, 0)))
    padding = attributes.get("auto_pad", b"NOTSET").decode()
    spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if padding.startswith("SAME"):
        if any(piece.pads):
            raise UnreadableError("follows a Pad and chooses pads of its own")
        pads = _same((piece.height, piece.width), spans, stride, padding == "SAME_UPPER")
    elif padding == "VALID":
        pads = (0, 0, 0, 0)
    if len(pads) != 4 or min(pads) < 0:
        raise UnreadableError(f"has the pads {pads}")
    total = tuple(a + b for a, b in zip(pads, piece.pads, strict=True))
    return Window(kernel, stride, (total[0], total[1], total[2], total[3]), dilation)


def _same(size: Sequence[int], spans: Sequence[int], stride: Sequence[int], upper: bool) -> tuple[int, ...]:
    """The pads with which a window gives ``ceil(size / stride)`` numbers."""
    ends = []
    for n, span, step in zip(size, spans, stride, strict=True):
        total = max(0, (-(-n // step) - 1) * step + span - n)
        ends.append((total // 2, total - total // 2) if upper else (total - total // 2, total // 2))
    return ends[0][0], ends[1][0], ends[0][1], ends[1][1]


def _pair(values: Sequence[int]) -> tuple[int, int]:
    first, second = values
    return int(first), int(second)


def _size(piece: Piece, window: Window, ceil: bool) -> tuple[int, int]:
    """Height and width of what a window makes of a map."""
    size = window.size(piece.height, piece.width, ceil)
    if min(size) < 1:
        raise UnreadableError(f"has a kernel of {window.kernel} for a map of {piece.height} x {piece.width}")
    return size
