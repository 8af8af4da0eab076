"""QuantizeLinear and DequantizeLinear: what is rounded to eight bits.

A rounded map stays a map of floats here, with its scale remembered, so that a convolution of it can multiply whole
numbers. Quantisers leave a rectifier out whose effect a range that begins at zero has: such a range stays as a clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo_cpp.program import Activation, Quantised, Step
from zoo_cpp.reading.building import Builder
from zoo_cpp.reading.tensors import Tensor, UnreadableError

Attributes = Mapping[str, Any]

LARGEST_CODE = 127
"""Of a filter in eight bits, which are symmetric."""


FEWEST = 16
"""Channels below which whole numbers do not pay: rounding them costs more than it saves."""


def quantize(builder: Builder, inputs: Sequence[Any], _: Attributes) -> Tensor:
    """QuantizeLinear of a map, with one scale for all of it."""
    scale, zero = _range(inputs)
    tensor: Tensor = inputs[0]
    if zero == 0 and not all(_positive(builder, piece.value) for piece in tensor.pieces):
        tensor = builder.activation(tensor, Activation("clip", low=0.0, high=scale * 255))
    for piece in tensor.pieces:
        builder.ranges[piece.value] = (scale, zero)
    return tensor


def dequantize(_builder: Builder, inputs: Sequence[Any], _: Attributes) -> Tensor:
    """DequantizeLinear of a map."""
    _range(inputs)
    tensor: Tensor = inputs[0]
    return tensor


def whole(step: Step, given: tuple[float, int] | None) -> Step:
    """`step`, a convolution, as one of whole numbers where its input is rounded as `given` says and its filters are
    multiples of a scale for each channel."""
    if given is None or step.window.dilation != (1, 1) or step.weights["weight"].shape[3] < FEWEST:
        return step
    weight = step.weights["weight"].reshape(step.channels, -1)
    scales = np.abs(weight).max(axis=1) / np.float32(LARGEST_CODE)
    scales = np.where(scales > 0, scales, 1).astype(np.float32)
    codes = weight / scales[:, None]
    if np.abs(codes - np.rint(codes)).max() > 1e-3:
        return step
    return replace(step, quantised=Quantised(given[0], given[1], scales))


def _positive(builder: Builder, value: int) -> bool:
    """Whether no number of a map is below zero, as far as the steps that make it tell."""
    while value:  # the image itself is left as it is
        step = builder.steps[value - 1]
        if step.activation.kind in ("relu", "sigmoid") or (step.activation.kind == "clip" and step.activation.low >= 0):
            return True
        if step.kind not in ("maxpool", "avgpool", "resize"):
            return False
        value = step.inputs[0]
    return True


def _range(inputs: Sequence[Any]) -> tuple[float, int]:
    """The scale of a map, and its zero point as of numbers 0 to 255."""
    scale = _one(inputs[1])
    zero = inputs[2] if len(inputs) > 2 and inputs[2] is not None else np.zeros((), np.uint8)
    code = np.asarray(zero)
    if not isinstance(inputs[0], Tensor) or code.dtype not in (np.uint8, np.int8) or not 0 < scale < np.inf:
        raise UnreadableError("rounds to something else than eight bits with one scale")
    number = int(_one(zero)) + (128 if code.dtype == np.int8 else 0)
    return scale, number


def _one(array: Any) -> float:
    values: NDArray[Any] = np.asarray(array)
    if isinstance(array, Tensor) or values.size != 1:
        raise UnreadableError("rounds with several scales, or with one that depends on the image")
    return float(values.reshape(()))
