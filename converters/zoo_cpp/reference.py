"""What each step of a program means, in NumPy: written to be read, and to judge what generated code computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zoo_cpp.program import Activation, Array, Program, Step, Window

Maps: TypeAlias = list[Array]


def evaluate(program: Program, image: NDArray[np.float32]) -> list[Array]:
    """The outputs of `program` for `image` (H, W, channels), float32, each as (rows, columns)."""
    values: dict[int, Array] = {0: np.ascontiguousarray(image, np.float32)}
    for step in program.steps:
        made = KINDS[step.kind](step, [values[value] for value in step.inputs])
        values[step.output] = activated(step.activation, made).astype(np.float32, copy=False)
    return [
        np.concatenate([values[value].reshape(-1, output.columns) for value in output.values])
        for output in program.outputs
    ]


def activated(activation: Activation, values: Array) -> Array:
    """`values` (..., C) through the activation."""
    kind = activation.kind
    if kind == "relu":
        return np.maximum(values, 0)
    if kind == "clip":
        return np.clip(values, activation.low, activation.high)
    if kind == "leaky":
        return np.where(values < 0, values * np.float32(activation.slope), values)
    if kind == "prelu" and activation.slopes is not None:
        return np.where(values < 0, values * activation.slopes, values)
    if kind == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-values.astype(np.float64))), np.float32)
    return values


def windows(values: Array, window: Window, ceil: bool = False, fill: float = 0.0) -> Array:
    """What a window sees of a map (H, W, C): (rows, columns, kernel down, kernel across, C), `fill` outside."""
    height, width, channels = values.shape
    count_down, count_across = window.size(height, width, ceil)
    top, left, bottom, right = window.pads
    rows = np.arange(count_down)[:, None] * window.stride[0] + np.arange(window.kernel[0]) * window.dilation[0]
    columns = np.arange(count_across)[:, None] * window.stride[1] + np.arange(window.kernel[1]) * window.dilation[1]
    size = max(height + top + bottom, rows.max() + 1), max(width + left + right, columns.max() + 1)
    padded = np.full((*size, channels), fill, np.float32)
    padded[top : top + height, left : left + width] = values
    return np.asarray(padded[rows[:, None, :, None], columns[None, :, None, :]])


def _conv(step: Step, inputs: Maps) -> Array:
    given = inputs[0]
    if step.quantised:
        scale, zero = np.float32(step.quantised.scale), step.quantised.zero
        given = (np.clip(np.rint(given / scale) + zero, 0, 255) - zero).astype(np.float32) * scale
    seen = windows(given, step.window)
    weight = step.weights["weight"].reshape(step.channels, -1)
    return (seen.reshape(-1, weight.shape[1]) @ weight.T).reshape(*seen.shape[:2], -1) + step.weights["bias"]


def _depthwise(step: Step, inputs: Maps) -> Array:
    seen = windows(inputs[0], step.window)
    return np.asarray(np.einsum("yxijc,ijc->yxc", seen, step.weights["weight"]) + step.weights["bias"])


def _maxpool(step: Step, inputs: Maps) -> Array:
    return np.asarray(windows(inputs[0], step.window, step.ceil, -np.inf).max(axis=(2, 3)))


def _avgpool(step: Step, inputs: Maps) -> Array:
    height, width, _ = inputs[0].shape
    top, left, bottom, right = step.window.pads
    inside = np.zeros((height + top + bottom, width + left + right, 1), np.float32)
    inside[top : top + height, left : left + width] = 1
    counted = np.ones_like(inside) if step.padded else inside
    unpadded = replace(step.window, pads=(0, 0, 0, 0))
    down, across = step.window.size(height, width, step.ceil)
    counts = windows(counted, unpadded, step.ceil)[:down, :across].sum(axis=(2, 3))
    return np.asarray(windows(inputs[0], step.window, step.ceil).sum(axis=(2, 3)) / counts)


def _mean(_: Step, inputs: Maps) -> Array:
    return np.asarray(inputs[0].mean(axis=(0, 1), keepdims=True, dtype=np.float64), np.float32)


def _resize(step: Step, inputs: Maps) -> Array:
    before = inputs[0].shape[:2]
    after = inputs[1].shape[:2] if len(inputs) > 1 else [n * step.scale for n in before]
    rows, columns = (np.arange(m) * n // m for n, m in zip(before, after, strict=True))
    return np.asarray(inputs[0][rows][:, columns])


def _affine(step: Step, inputs: Maps) -> Array:
    return np.asarray(inputs[0] * step.weights["scale"] + step.weights["shift"])


def _groupnorm(step: Step, inputs: Maps) -> Array:
    grouped = inputs[0].reshape(-1, step.groups, step.channels // step.groups).astype(np.float64)
    mean, variance = (f(axis=(0, 2), keepdims=True) for f in (grouped.mean, grouped.var))
    normal = ((grouped - mean) / np.sqrt(variance + step.epsilon)).reshape(inputs[0].shape)
    return _affine(step, [normal.astype(np.float32)])


def _softmax(step: Step, inputs: Maps) -> Array:
    grouped = inputs[0].reshape(*inputs[0].shape[:2], -1, step.columns)
    powers = np.exp(grouped - grouped.max(axis=-1, keepdims=True))
    return np.asarray((powers / powers.sum(axis=-1, keepdims=True)).reshape(inputs[0].shape))


def _unit(step: Step, inputs: Maps) -> Array:
    length = np.sqrt((inputs[0].astype(np.float64) ** 2).sum(axis=-1, keepdims=True))
    return np.asarray(inputs[0] / np.maximum(length, step.epsilon), np.float32)


KINDS: Mapping[str, Callable[[Step, Maps], Array]] = {
    "conv": _conv,
    "depthwise": _depthwise,
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    "mean": _mean,
    "resize": _resize,
    "add": lambda _, inputs: inputs[0] + inputs[1],
    "mul": lambda _, inputs: inputs[0] * inputs[1],
    "affine": _affine,
    "groupnorm": _groupnorm,
    "concat": lambda _, inputs: np.concatenate(inputs, axis=2),
    "slice": lambda step, inputs: inputs[0][:, :, step.start : step.start + step.channels],
    "softmax": _softmax,
    "unit": _unit,
    "activation": lambda _, inputs: inputs[0],
}
"""What each kind of step computes of its input maps, before its activation."""
