"""Operators on each number of a map by itself, or on the channels of a pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zoo_cpp.program import Activation
from zoo_cpp.reading.building import Builder
from zoo_cpp.reading.known import axes_of
from zoo_cpp.reading.tensors import Axis, Known, Length, Piece, Tensor, UnreadableError, axes, merged, only, per_channel
from zoo_cpp.reading.windows import weights

Attributes = Mapping[str, Any]
HUGE = float(np.finfo(np.float32).max)
"""What stands for no bound in a clip."""


def activation(kind: str, default: float = 0.0) -> Callable[[Builder, Sequence[Any], Attributes], Tensor]:
    """The reader of an operator that is the activation `kind`; `default` is its slope where the node names none."""

    def read(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
        slope = float(attributes.get("alpha", default)) if kind == "leaky" else 0.0
        return builder.activation(_unpadded(inputs[0]), Activation(kind, slope))

    return read


def magnitude(builder: Builder, inputs: Sequence[Any], _: Attributes) -> Tensor:
    """Abs."""
    return builder.activation(_unpadded(inputs[0]), Activation("leaky", -1.0))


def prelu(builder: Builder, inputs: Sequence[Any], _: Attributes) -> Tensor:
    """PRelu."""
    slopes = weights(inputs[1])
    if slopes.size == 1:
        return builder.activation(_unpadded(inputs[0]), Activation("leaky", float(slopes.reshape(()))))
    piece = only(inputs[0])
    return builder.activation(inputs[0], Activation("prelu", slopes=per_channel(piece, slopes)))


def clip(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor | Length:
    """Clip, with bounds as attributes or, since opset 11, as operands."""
    bounds = [attributes.get("min", -HUGE), attributes.get("max", HUGE)]
    for i, given in enumerate(inputs[1:3]):
        bounds[i] = bounds[i] if given is None else _number(given)
    return _clipped(builder, inputs[0], *bounds)


def larger(builder: Builder, inputs: Sequence[Any], _: Attributes) -> Tensor | Length:
    """Max of a map and a number."""
    tensor, number = _with_number(inputs)
    return _clipped(builder, tensor, number, HUGE)


def smaller(builder: Builder, inputs: Sequence[Any], _: Attributes) -> Tensor | Length:
    """Min of a map and a number."""
    tensor, number = _with_number(inputs)
    return _clipped(builder, tensor, -HUGE, number)


def _clipped(builder: Builder, tensor: Any, low: float, high: float) -> Tensor | Length:
    low, high = max(float(low), -HUGE), min(float(high), HUGE)
    if isinstance(tensor, Length) and high == HUGE:
        return replace(tensor, floor=max(tensor.floor, low))
    if low == 0 and high == HUGE:
        return builder.activation(_unpadded(tensor), Activation("relu"))
    return builder.activation(_unpadded(tensor), Activation("clip", low=low, high=high))


def batch_norm(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """BatchNormalization as it is after training."""
    if attributes.get("training_mode"):
        raise UnreadableError("is a batch norm that is still being trained")
    gain, shift, mean, variance = (weights(one).astype(np.float64) for one in inputs[1:5])
    scale = gain / np.sqrt(variance + attributes.get("epsilon", 1e-5))
    return _scaled(builder, only(inputs[0]), scale, shift - mean * scale, at=1)


def _scaled(builder: Builder, piece: Piece, scale: Known, shift: Known, at: int) -> Tensor:
    """Scale and shift, one number for each position of dimension `at`."""
    if scale.shape != shift.shape or scale.shape != (piece.shape[at],):
        raise UnreadableError(f"has {scale.shape} gains for {piece.shape[at]} channels")
    spread = (-1,) + (1,) * (len(piece.shape) - at - 1)
    both = (per_channel(piece, one.reshape(spread)) for one in (scale, shift))
    return Tensor((builder.affine(piece, *both),))


def instance_norm(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """InstanceNormalization: a group norm, whose groups are what dimension 1 of the tensor runs over."""
    piece = only(inputs[0])
    groups = piece.shape[1]
    each = piece.channels // groups
    outer = (Axis("C", groups, each),) if groups > 1 else ()
    if piece.channels % groups or merged(piece.dimensions[1]) != outer:
        raise UnreadableError("normalises over something else than groups of channels")
    return _normalised(builder, piece, groups, inputs, attributes, each)


def group_norm(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """GroupNormalization, of opset 21 on."""
    piece = only(inputs[0])
    groups = int(attributes["num_groups"])
    if groups < 1 or piece.channels % groups or merged(piece.dimensions[1]) != axes("C", piece.channels):
        raise UnreadableError(f"normalises over {groups} groups of {piece.channels} channels")
    return _normalised(builder, piece, groups, inputs, attributes, piece.channels // np.size(inputs[1]))


def _normalised(
    builder: Builder, piece: Piece, groups: int, inputs: Sequence[Any], attributes: Attributes, repeats: int
) -> Tensor:
    given = [weights(one) for one in inputs[1:3]]
    if any(one.shape != (piece.channels // repeats,) for one in given):
        raise UnreadableError(f"has {given[0].shape} gains for {piece.channels} channels")
    scale, shift = (np.repeat(one, repeats) for one in given)
    epsilon, held = float(attributes.get("epsilon", 1e-5)), {"scale": scale, "shift": shift}
    value = builder.alike("groupnorm", piece, groups=groups, epsilon=epsilon, weights=held)
    return Tensor((piece,)).mapped([value])


def add(builder: Builder, inputs: Sequence[Any], _: Attributes) -> Tensor:
    """Add."""
    one, other = inputs
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return _both(builder, "add", one, other)
    tensor, array = (one, other) if isinstance(one, Tensor) else (other, one)
    return _with_array(builder, tensor, None, weights(array))


def subtract(builder: Builder, inputs: Sequence[Any], _: Attributes) -> Tensor:
    """Sub."""
    one, other = inputs
    if not isinstance(other, Tensor):
        return _with_array(builder, one, None, -weights(other))
    less = _with_array(builder, other, np.array(-1.0), None)
    return _both(builder, "add", one, less) if isinstance(one, Tensor) else add(builder, [less, one], {})


def negative(builder: Builder, inputs: Sequence[Any], _: Attributes) -> Tensor:
    """Neg."""
    return _with_array(builder, inputs[0], np.array(-1.0), None)


def multiply(builder: Builder, inputs: Sequence[Any], _: Attributes) -> Tensor:
    """Mul."""
    one, other = inputs
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return _both(builder, "mul", one, other)
    tensor, array = (one, other) if isinstance(one, Tensor) else (other, one)
    return _with_array(builder, tensor, weights(array), None)


def divide(builder: Builder, inputs: Sequence[Any], _: Attributes) -> Tensor:
    """Div by a known array, or of channels by their own length."""
    one, other = inputs
    if isinstance(other, Length):
        if not isinstance(one, Tensor) or one != other.of:
            raise UnreadableError("divides by the length of something else")
        return builder.each(one, "unit", epsilon=other.floor)
    if isinstance(other, Tensor) or np.any(weights(other) == 0):
        raise UnreadableError("divides by a map, or by zero")
    return _with_array(builder, one, 1 / weights(other).astype(np.float64), None)


def length(_builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Length:
    """ReduceL2 over the channels."""
    _require_channels(inputs[0], axes_of(inputs, attributes) or [])
    shape = list(inputs[0].shape)
    shape[(axes_of(inputs, attributes) or [0])[0]] = 1
    return Length(inputs[0], 0.0, tuple(shape))


def unit(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """LpNormalization of the second order over the channels."""
    if attributes.get("p", 2) != 2:
        raise UnreadableError("divides by a length that is not Euclidean")
    _require_channels(inputs[0], [attributes.get("axis", -1)])
    return builder.each(inputs[0], "unit")


def _require_channels(tensor: Any, over: Sequence[int]) -> None:
    piece = only(tensor)
    if len(over) != 1 or piece.dimensions[over[0]] != axes("C", piece.channels):
        raise UnreadableError("takes the length of something else than the channels")


def softmax(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """Softmax over neighbouring channels."""
    tensor = _unpadded(inputs[0])
    rank = len(tensor.shape)
    at = attributes.get("axis", 1 if builder.opset < 13 else -1) % rank
    if builder.opset < 13 and any(size != 1 for size in tensor.shape[at + 1 :]):
        raise UnreadableError("is a softmax over several dimensions")
    columns = tensor.shape[at]
    for piece in tensor.pieces:
        if piece.dimensions[at] != axes("C", columns) or (len(tensor.pieces) > 1 and at == tensor.axis):
            raise UnreadableError("is a softmax over something else than neighbouring channels")
    return builder.each(tensor, "softmax", columns=columns)


def _both(builder: Builder, kind: str, one: Tensor, other: Tensor) -> Tensor:
    """A step of two maps that lie alike, or of a map and a vector."""
    first, second = only(one), only(other)
    if second.height * second.width > first.height * first.width:
        first, second = second, first
    alike = first.dimensions == second.dimensions and first.flat == second.flat
    spread = tuple(tuple(axis for axis in dimension if axis.kind not in "HW") for dimension in first.dimensions)
    vector = second.height == second.width == 1 and spread == second.dimensions
    if first.channels != second.channels or not (alike or vector):
        raise UnreadableError(f"combines maps of the shapes {one.shape} and {other.shape}, which do not lie alike")
    return Tensor((first,)).mapped([builder.alike(kind, first, (second.value,))])


def _with_array(builder: Builder, tensor: Any, scale: Known | None, shift: Known | None) -> Tensor:
    """Scale and shift by what is spread over the channels."""
    tensor = _unpadded(tensor)
    pieces = []
    for piece in tensor.pieces:
        gains = np.ones(piece.channels, np.float32) if scale is None else per_channel(piece, scale)
        shifts = np.zeros(piece.channels, np.float32) if shift is None else per_channel(piece, shift)
        pieces.append(builder.affine(piece, gains, shifts))
    return Tensor(tuple(pieces), tensor.axis)


def _unpadded(tensor: Any) -> Tensor:
    if not isinstance(tensor, Tensor) or any(any(piece.pads) for piece in tensor.pieces):
        raise UnreadableError("follows a Pad, or wants a map and gets none")
    unpadded: Tensor = tensor
    return unpadded


def _number(given: Any) -> float:
    if isinstance(given, Tensor) or np.size(given) != 1:
        raise UnreadableError("has a bound that is not a number")
    return float(np.ravel(given)[0])


def _with_number(inputs: Sequence[Any]) -> tuple[Any, float]:
    (tensor,) = [one for one in inputs if isinstance(one, Tensor | Length)]
    (number,) = [_number(one) for one in inputs if not isinstance(one, Tensor | Length)]
    return tensor, number
