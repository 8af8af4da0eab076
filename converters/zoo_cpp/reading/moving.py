"""Operators that only move numbers: they change how a tensor views its map, and some of them make a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from zoo_cpp.reading.building import Builder
from zoo_cpp.reading.known import axes_of, reshaped, slices, squeezed, unsqueezed
from zoo_cpp.reading.tensors import (
    HalfMean,
    Length,
    Piece,
    Tensor,
    UnreadableError,
    axes,
    images_of,
    only,
    plain,
    regrouped,
)

Attributes = Mapping[str, Any]

_ROUNDINGS: Mapping[str, Callable[[Any], Any]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda places: np.ceil(places - 0.5),
    "round_prefer_ceil": lambda places: np.floor(places + 0.5),
}
"""How Resize turns a place between two rows into one of them."""


def same(_builder: Builder, inputs: Sequence[Any], _: Attributes) -> Tensor:
    """Identity, Dropout and Cast from one type of float to another."""
    tensor: Tensor = inputs[0]
    return tensor


def reshape(_builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """Reshape."""
    shape = reshaped(inputs[0].shape, [int(n) for n in inputs[1]], bool(attributes.get("allowzero")))
    return _shaped(inputs[0], shape)


def flatten(_builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """Flatten."""
    shape, axis = inputs[0].shape, attributes.get("axis", 1)
    at = axis + len(shape) if axis < 0 else axis
    return _shaped(inputs[0], (int(np.prod(shape[:at])), int(np.prod(shape[at:]))))


def squeeze(_builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """Squeeze."""
    return _shaped(inputs[0], squeezed(inputs[0].shape, axes_of(inputs, attributes)))


def unsqueeze(_builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """Unsqueeze."""
    return _shaped(inputs[0], unsqueezed(inputs[0].shape, axes_of(inputs, attributes) or []))


def _shaped(tensor: Tensor, shape: Sequence[int]) -> Tensor:
    """The numbers of a tensor in the same order as one of `shape`. Of several pieces only dimensions of 1 can go."""
    if len(tensor.pieces) == 1:
        piece = only(tensor)
        return Tensor((replace(piece, dimensions=regrouped(piece.dimensions, shape)),))
    before = [size for size in tensor.shape if size != 1]
    if before != [size for size in shape if size != 1]:
        raise UnreadableError("gives another shape to what a Concat has joined")
    place = sum(size != 1 for size in tensor.shape[: tensor.axis])
    axis = [i for i, size in enumerate(shape) if size != 1][place]
    pieces = []
    for piece in tensor.pieces:
        own = [*shape[:axis], piece.shape[tensor.axis], *shape[axis + 1 :]]
        pieces.append(replace(piece, dimensions=regrouped(piece.dimensions, own)))
    return Tensor(tuple(pieces), axis)


def transpose(_builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """Transpose."""
    rank = len(inputs[0].shape)
    order = [int(n) for n in attributes.get("perm", range(rank)[::-1])]
    if sorted(order) != list(range(rank)) or any(inputs[0].pieces[0].pads):
        raise UnreadableError(f"has the permutation {order} for {rank} dimensions")
    turned = [replace(p, dimensions=tuple(p.dimensions[i] for i in order)) for p in inputs[0].pieces]
    return Tensor(tuple(turned), order.index(inputs[0].axis))


def expand(_builder: Builder, inputs: Sequence[Any], _: Attributes) -> Tensor | Length:
    """Expand of a length, which is spread anyway, or of a map to its own shape."""
    given = inputs[0]
    wanted = tuple(int(n) for n in inputs[1])
    if not isinstance(given, Length) and np.broadcast_shapes(given.shape, wanted) != given.shape:
        raise UnreadableError("spreads a map")
    result: Tensor | Length = given
    return result


def pad(_builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """Pad of rows and columns with one number, which the convolution or pooling behind it does."""
    piece = plain(only(inputs[0]))
    ends = [int(n) for n in (attributes["pads"] if "pads" in attributes else inputs[1])]
    fill = float(attributes.get("value", 0.0))
    if len(inputs) > 2 and inputs[2] is not None:
        fill = float(np.ravel(inputs[2])[0])
    if len(ends) != 8 or any(ends[i] for i in (0, 1, 4, 5)) or min(ends) < 0 or max(ends) > 1 << 12:
        raise UnreadableError(f"pads by {ends}")
    if attributes.get("mode", b"constant") != b"constant" or (len(inputs) > 3 and inputs[3] is not None):
        raise UnreadableError("pads with something else than one number")
    pads = (ends[2], ends[3], ends[6], ends[7])
    return Tensor((replace(piece, pads=pads, fill=fill if any(pads) else 0.0),))


def concat(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """Concat of channels, which is a step, or of the rows of several maps, which are then one after the other."""
    if not all(isinstance(one, Tensor) for one in inputs):
        raise UnreadableError("joins maps and arrays")
    if len(inputs) == 1:
        return same(builder, inputs, attributes)
    axis = attributes["axis"] % len(inputs[0].shape)
    if all(_channels_at(one, axis) for one in inputs) and len({_rest(only(one), axis) for one in inputs}) == 1:
        return _joined(builder, [only(one) for one in inputs], axis)
    pieces = tuple(piece for one in inputs for piece in one.pieces)
    if any(len(one.pieces) > 1 and one.axis != axis for one in inputs):
        raise UnreadableError("joins along two dimensions")
    others = {tuple(n for i, n in enumerate(piece.shape) if i != axis) for piece in pieces}
    outer = [dimension for piece in pieces for dimension in piece.dimensions[:axis]]
    if len(others) != 1 or any(axis_.kind != "N" for dimension in outer for axis_ in dimension):
        raise UnreadableError("joins maps along something else than channels or rows")
    return Tensor(pieces, axis)


def _channels_at(tensor: Tensor, axis: int) -> bool:
    piece = tensor.pieces[0]
    return len(tensor.pieces) == 1 and not any(piece.pads) and piece.dimensions[axis] == axes("C", piece.channels)


def _rest(piece: Piece, axis: int) -> tuple[Any, ...]:
    return piece.height, piece.width, tuple(one for i, one in enumerate(piece.dimensions) if i != axis)


def _joined(builder: Builder, pieces: Sequence[Piece], axis: int) -> Tensor:
    total = sum(piece.channels for piece in pieces)
    size = (pieces[0].height, pieces[0].width)
    value = builder.step("concat", [piece.value for piece in pieces], size, total)
    return Tensor((_with_channels(pieces[0], axis, value, total),))


def _with_channels(piece: Piece, axis: int, value: int, channels: int) -> Piece:
    dimensions = tuple(axes("C", channels) if i == axis else one for i, one in enumerate(piece.dimensions))
    return replace(piece, value=value, channels=channels, dimensions=dimensions)


def cut(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """Slice of neighbouring channels."""
    parts = slices(inputs[0].shape, inputs, attributes)
    changed = [i for i, part in enumerate(parts) if (part.start, part.stop, part.step) != (0, inputs[0].shape[i], 1)]
    if not changed:
        return same(builder, inputs, attributes)
    if len(changed) > 1 or parts[changed[0]].step != 1:
        raise UnreadableError("takes out something else than neighbouring channels")
    part = parts[changed[0]]
    return _cut(builder, inputs[0], changed[0], part.start, part.stop - part.start)


def split(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> list[Tensor]:
    """Split of the channels; parts of equal size where none are named."""
    axis = attributes.get("axis", 0) % len(inputs[0].shape)
    total, count = inputs[0].shape[axis], int(attributes["outputs"])
    sizes = attributes.get("split", inputs[1] if len(inputs) > 1 else None)
    sizes = [-(-total // count)] * (count - 1) if sizes is None else [int(n) for n in sizes][:-1]
    starts = [0, *np.cumsum(sizes, dtype=np.int64).tolist(), total]
    return [_cut(builder, inputs[0], axis, a, b - a) for a, b in pairwise(starts)]


def _cut(builder: Builder, tensor: Tensor, axis: int, start: int, count: int) -> Tensor:
    piece = only(tensor)
    if piece.dimensions[axis] != axes("C", piece.channels) or count < 1:
        raise UnreadableError("takes out something else than neighbouring channels")
    value = builder.step("slice", (piece.value,), (piece.height, piece.width), count, start=start)
    return Tensor((_with_channels(piece, axis, value, count),))


def mean(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor | HalfMean:
    """ReduceMean and GlobalAveragePool: over all rows and columns, at once or one after the other."""
    given = inputs[0]
    piece = given.piece if isinstance(given, HalfMean) else only(given)
    before = given.dimensions if isinstance(given, HalfMean) else piece.dimensions
    named = axes_of(inputs, attributes)
    over = {axis % len(before) for axis in named} if named is not None else set(range(2, len(before)))
    if any(axis.kind not in "HW" for i in over for axis in before[i]):
        raise UnreadableError("takes a mean of something else than all rows and columns")
    left = [() if i in over else one for i, one in enumerate(before)]
    if not attributes.get("keepdims", 1):
        left = [one for i, one in enumerate(left) if i not in over]
    if any(axis.kind in "HW" for one in left for axis in one):
        return HalfMean(piece, tuple(left))
    value = builder.step("mean", (piece.value,), (1, 1), piece.channels)
    return Tensor((Piece(value, 1, 1, piece.channels, tuple(left)),))


def upsample(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """Upsample, and Resize of opset 10, which say nothing of how neighbours are found: by rounding down."""
    how = {"coordinate_transformation_mode": b"asymmetric", "nearest_mode": b"floor"}
    return resize(builder, inputs, {**attributes, **how})


def resize(builder: Builder, inputs: Sequence[Any], attributes: Attributes) -> Tensor:
    """Resize by the nearest neighbour, by a whole number or to the size of another map."""
    piece = plain(only(inputs[0]))
    if attributes.get("mode", b"nearest") != b"nearest":
        raise UnreadableError("is not a resize by the nearest neighbour")
    before = (piece.height, piece.width)
    size = _target(piece, inputs, attributes)
    _require_floor(before, size, attributes)
    scale = size[0] // before[0]
    if (before[0] * scale, before[1] * scale) == size:
        value = builder.step("resize", (piece.value,), size, piece.channels, scale=scale)
    else:
        like = next((value for value, known in builder.sizes.items() if known == size), None)
        if like is None:
            raise UnreadableError(f"makes {size} of {before}, which is neither a multiple nor the size of another map")
        value = builder.step("resize", (piece.value, like), size, piece.channels)
    return builder.fresh(piece, images_of(piece), value)


def _target(piece: Piece, inputs: Sequence[Any], attributes: Attributes) -> tuple[int, int]:
    """Height and width that Resize makes."""
    sizes = inputs[3] if len(inputs) > 3 else None
    if sizes is not None:
        if len(sizes) != 4 or tuple(sizes[:2]) != piece.shape[:2]:
            raise UnreadableError(f"makes the shape {tuple(sizes)} of {piece.shape}")
        return int(sizes[2]), int(sizes[3])
    scales = attributes["scales"] if "scales" in attributes else inputs[min(2, len(inputs) - 1)]
    if len(scales) != 4 or scales[0] != 1 or scales[1] != 1 or not 0 < max(scales) < 1 << 12:
        raise UnreadableError(f"has the scales {scales}")
    return int(piece.height * scales[2]), int(piece.width * scales[3])


def _require_floor(before: Sequence[int], after: Sequence[int], attributes: Attributes) -> None:
    """Raise unless the nearest neighbour of each row and column is the one that a program's resize takes."""
    how = attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
    rounding = attributes.get("nearest_mode", b"round_prefer_floor").decode()
    for n, m in zip(before, after, strict=True):
        if m < 1 or m > 1 << 16:
            raise UnreadableError(f"makes {m} rows or columns of {n}")
        at = np.arange(m, dtype=np.float64)
        places = {"asymmetric": at * n / m, "half_pixel": (at + 0.5) * n / m - 0.5}.get(how)
        if how == "pytorch_half_pixel":
            places = (at + 0.5) * n / m - 0.5 if m > 1 else at * 0
        if places is None or rounding not in _ROUNDINGS:
            raise UnreadableError(f"is a resize with {how} and {rounding}, which is not supported")
        if (np.clip(_ROUNDINGS[rounding](places), 0, n - 1) != at.astype(int) * n // m).any():
            raise UnreadableError(f"is a resize with {how} and {rounding}, whose neighbours are others")
