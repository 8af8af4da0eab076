"""What the operators that compute shapes do, in NumPy: their operands do not depend on the image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from zoo_cpp.reading.tensors import Known, UnreadableError

Attributes = Mapping[str, Any]

LARGEST_MADE = 1 << 22
"""Numbers in the largest array that is made of a shape."""


def _limited(shape: Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in shape)
    if any(size < 0 for size in sizes) or float(np.prod(np.array(sizes, float))) > LARGEST_MADE:
        raise UnreadableError(f"makes an array of shape {sizes}")
    return sizes


def bound(operator: str, inputs: Sequence[Any]) -> int:
    """At most how many numbers `operator` makes of `inputs`, for those that make more than they are given; those that
    are given a shape limit themselves."""
    arrays = [np.asarray(one) for one in inputs if one is not None]
    if operator in ELEMENTWISE:
        return int(np.prod(np.broadcast_shapes(*(one.shape for one in arrays)), dtype=float))
    if operator == "Gather":
        return int(arrays[1].size * (arrays[0].size // max(1, min(arrays[0].shape, default=1))))
    return sum(one.size for one in arrays)


def axes_of(inputs: Sequence[Any], attributes: Attributes, at: int = 1) -> list[int] | None:
    """The axes that a node names, as an attribute or, since opset 13, as input number `at`; None where it does not."""
    if "axes" in attributes:
        return [int(axis) for axis in attributes["axes"]]
    if len(inputs) > at and inputs[at] is not None:
        return [int(axis) for axis in np.ravel(inputs[at])]
    return None


def reshaped(before: Sequence[int], wanted: Sequence[int], allow_zero: bool = False) -> tuple[int, ...]:
    """The shape that Reshape means by `wanted`: 0 keeps a size, -1 is what remains."""
    sizes = [before[i] if size == 0 and not allow_zero else int(size) for i, size in enumerate(wanted)]
    if -1 in sizes:
        rest = int(np.prod([size for size in sizes if size != -1], dtype=np.int64))
        total = int(np.prod(before, dtype=np.int64))
        if rest == 0 or total % rest:
            raise UnreadableError(f"makes the shape {tuple(wanted)} of {tuple(before)}")
        sizes[sizes.index(-1)] = total // rest
    return tuple(sizes)


def unsqueezed(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    """`shape` with dimensions of 1 at `axes` of the result."""
    rank = len(shape) + len(axes)
    places, rest = {axis % rank for axis in axes}, iter(shape)
    return tuple(1 if i in places else next(rest) for i in range(rank))


def squeezed(shape: Sequence[int], axes: Sequence[int] | None) -> tuple[int, ...]:
    """`shape` without the dimensions at `axes`, which are 1; without all of those where none are named."""
    places = {axis % len(shape) for axis in axes} if axes is not None else {i for i, n in enumerate(shape) if n == 1}
    if any(shape[place] != 1 for place in places):
        raise UnreadableError(f"squeezes a dimension of {tuple(shape)} that is not 1")
    return tuple(size for i, size in enumerate(shape) if i not in places)


def slices(shape: Sequence[int], inputs: Sequence[Any], attributes: Attributes) -> tuple[slice, ...]:
    """What Slice takes of each dimension, starts and ends within it."""
    if "starts" in attributes:
        starts, ends = attributes["starts"], attributes["ends"]
        axes, steps = attributes.get("axes"), None
    else:
        starts, ends, axes, steps = (*inputs[1:], None, None)[:4]
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    result = [slice(0, size, 1) for size in shape]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        at = int(axis) % len(shape)
        result[at] = slice(*slice(int(start), int(end), int(step)).indices(shape[at]))
    return tuple(result)


def _slice(inputs: Sequence[Any], attributes: Attributes) -> Known:
    parts = slices(inputs[0].shape, inputs, attributes)
    if any(part.step < 0 for part in parts):
        raise UnreadableError("takes elements backwards")
    return np.asarray(inputs[0][parts])


def _cast(inputs: Sequence[Any], attributes: Attributes) -> Known:
    from onnx import helper

    return np.asarray(inputs[0]).astype(helper.tensor_dtype_to_np_dtype(attributes["to"]))


def _dequantized(inputs: Sequence[Any], attributes: Attributes) -> Known:
    """With one scale, or one for each place along the node's axis."""
    codes, scale = np.asarray(inputs[0]), np.asarray(inputs[1], np.float32)
    zero = np.asarray(inputs[2]) if len(inputs) > 2 and inputs[2] is not None else np.zeros((), np.int32)
    if scale.size == 1:
        scale, zero = scale.reshape(()), zero.reshape(())
    else:
        along = [1] * codes.ndim
        along[attributes.get("axis", 1)] = -1
        scale, zero = scale.reshape(along), zero.reshape(along) if zero.size > 1 else zero.reshape(())
    return np.asarray((codes.astype(np.float64) - zero) * scale, np.float32)


def _divide(inputs: Sequence[Any], _: Attributes) -> Known:
    one, other = inputs
    if np.issubdtype(one.dtype, np.integer):
        return np.asarray(np.trunc(one / other)).astype(one.dtype)
    return np.asarray(one / other)


def _filled(inputs: Sequence[Any], attributes: Attributes) -> Known:
    value = np.ravel(attributes.get("value", np.zeros(1, np.float32)))
    return np.full(_limited(inputs[0]), value[0])


def _expand(inputs: Sequence[Any], _: Attributes) -> Known:
    shape = np.broadcast_shapes(inputs[0].shape, _limited(inputs[1]))
    return np.broadcast_to(inputs[0], _limited(shape)).copy()


def _range(inputs: Sequence[Any], _: Attributes) -> Known:
    start, limit, delta = (np.ravel(one)[0] for one in inputs)
    _limited([max(0, int(np.ceil((limit - start) / delta)))])
    return np.arange(start, limit, delta)


def _reduce(function: Callable[..., Any]) -> Callable[[Sequence[Any], Attributes], Known]:
    def reduce(inputs: Sequence[Any], attributes: Attributes) -> Known:
        axes = axes_of(inputs, attributes)
        keep = bool(attributes.get("keepdims", 1))
        return np.asarray(function(inputs[0], axis=None if axes is None else tuple(axes), keepdims=keep))

    return reduce


def _numpy(function: Callable[..., Any]) -> Callable[[Sequence[Any], Attributes], Known]:
    return lambda inputs, _: np.asarray(function(*inputs))


ELEMENTWISE = frozenset(["Add", "Div", "Equal", "Greater", "Less", "Max", "Min", "Mod", "Mul", "Sub", "Where"])

EVALUATORS: Mapping[str, Callable[[Sequence[Any], Attributes], Known]] = {
    "Abs": _numpy(np.abs),
    "Add": _numpy(np.add),
    "Cast": _cast,
    "Ceil": _numpy(np.ceil),
    "Concat": lambda inputs, at: np.concatenate(inputs, axis=at["axis"]),
    "ConstantOfShape": _filled,
    "DequantizeLinear": _dequantized,
    "Div": _divide,
    "Equal": _numpy(np.equal),
    "Exp": _numpy(np.exp),
    "Expand": _expand,
    "Floor": _numpy(np.floor),
    "Gather": lambda inputs, at: np.take(inputs[0], inputs[1], axis=at.get("axis", 0)),
    "Greater": _numpy(np.greater),
    "Identity": lambda inputs, _: np.asarray(inputs[0]),
    "Less": _numpy(np.less),
    "Max": _numpy(lambda *arrays: np.max(np.broadcast_arrays(*arrays), axis=0)),
    "Min": _numpy(lambda *arrays: np.min(np.broadcast_arrays(*arrays), axis=0)),
    "Mod": _numpy(np.mod),
    "Mul": _numpy(np.multiply),
    "Neg": _numpy(np.negative),
    "Range": _range,
    "Reciprocal": _numpy(np.reciprocal),
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
    "ReduceProd": _reduce(np.prod),
    "Reshape": lambda inputs, _: np.reshape(inputs[0], reshaped(inputs[0].shape, inputs[1])),
    "Shape": lambda inputs, at: np.array(inputs[0].shape[at.get("start", 0) : at.get("end")], np.int64),
    "Slice": _slice,
    "Sqrt": _numpy(np.sqrt),
    "Squeeze": lambda inputs, at: inputs[0].reshape(squeezed(inputs[0].shape, axes_of(inputs, at))),
    "Sub": _numpy(np.subtract),
    "Transpose": lambda inputs, at: np.transpose(inputs[0], at.get("perm")),
    "Unsqueeze": lambda inputs, at: inputs[0].reshape(unsqueezed(inputs[0].shape, axes_of(inputs, at) or [])),
    "Where": _numpy(np.where),
}
"""Operators by name: each takes its operands (absent ones None) and its attributes."""
