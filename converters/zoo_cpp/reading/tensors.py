"""The tensors of an ONNX graph as views of feature maps.

A feature map is rows x columns x channels; a tensor of the graph shows its numbers in some order and shape. Each of
the tensor's dimensions is a run of axes, outermost first: (1, 24, 15, 20) in NCHW has the dimensions (), (channels),
(rows), (columns), and as rows of four numbers, (1, 1800, 4), it has (), (rows, columns, outer channels), (inner
channels). So Transpose, Reshape, Flatten and their like only regroup axes, and nothing is computed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Known: TypeAlias = NDArray[Any]
"""An array whose numbers do not depend on the image."""

LARGEST = 1 << 28
"""Numbers in the largest map, and in all weights, that are taken for a network's: 1 GiB each."""


@dataclass(frozen=True)
class Axis:
    """Part of an axis of a feature map: `kind` is ``N`` (image), ``H``, ``W`` or ``C``; `size` positions that are
    `step` apart. Axes of one position are left out everywhere."""

    kind: str
    size: int
    step: int = 1


Dimension: TypeAlias = tuple[Axis, ...]


class UnreadableError(ValueError):
    """What an operator is asked to do cannot be done with feature maps; the message ends the sentence "it ..."."""


@dataclass(frozen=True)
class Piece:
    """A view of the whole map number `value`, of `height` x `width` x `channels`. `pads` are zeros that a Pad has put
    round it: top, left, bottom, right; `fill` is what they are if not zeros."""

    value: int
    height: int
    width: int
    channels: int
    dimensions: tuple[Dimension, ...]
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    fill: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape in the graph."""
        return tuple(math.prod(axis.size for axis in dimension) for dimension in self.dimensions)

    @property
    def flat(self) -> Dimension:
        """All axes, outermost first, without that of the images."""
        return merged(axis for dimension in self.dimensions for axis in dimension if axis.kind != "N")


@dataclass(frozen=True)
class Tensor:
    """A tensor that depends on the image: a piece, or several one after the other along dimension `axis`."""

    pieces: tuple[Piece, ...]
    axis: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape in the graph, with the pads that it is to have."""
        first = list(self.pieces[0].shape)
        if len(self.pieces) > 1:
            first[self.axis] = sum(piece.shape[self.axis] for piece in self.pieces)
        if any(self.pieces[0].pads):
            top, left, bottom, right = self.pieces[0].pads
            first[2:] = [first[2] + top + bottom, first[3] + left + right]
        return tuple(first)

    def mapped(self, values: Iterable[int]) -> Tensor:
        """The same views of other maps of the same sizes."""
        pairs = zip(self.pieces, values, strict=True)
        return replace(self, pieces=tuple(replace(piece, value=value) for piece, value in pairs))


@dataclass(frozen=True)
class Length:
    """The Euclidean length of the channels of each pixel of `of`, at least `floor`."""

    of: Tensor
    floor: float
    shape: tuple[int, ...]


@dataclass(frozen=True)
class HalfMean:
    """The means of the rows of a map, or of its columns, of which the mean of all of it will be made. `dimensions` are
    those that are left."""

    piece: Piece
    dimensions: tuple[Dimension, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape in the graph."""
        return replace(self.piece, dimensions=self.dimensions).shape


def axes(kind: str, size: int) -> Dimension:
    """A whole axis as a dimension."""
    return (Axis(kind, size),) if size != 1 else ()


def nchw(value: int, images: int, height: int, width: int, channels: int) -> Piece:
    """A map as (images, channels, height, width)."""
    dimensions = axes("N", images), axes("C", channels), axes("H", height), axes("W", width)
    return Piece(value, height, width, channels, dimensions)


def merged(parts: Iterable[Axis]) -> Dimension:
    """The axes with neighbours that follow on each other made one."""
    done: list[Axis] = []
    for axis in parts:
        last = done[-1] if done else None
        if last and last.kind == axis.kind and last.step == axis.step * axis.size:
            done[-1] = Axis(axis.kind, last.size * axis.size, axis.step)
        else:
            done.append(axis)
    return tuple(done)


def regrouped(dimensions: Sequence[Dimension], shape: Sequence[int]) -> tuple[Dimension, ...]:
    """The axes of `dimensions` in the same order as the dimensions of a tensor of `shape`."""
    left = [axis for dimension in dimensions for axis in dimension][::-1]
    if math.prod(shape) != math.prod(axis.size for axis in left):
        raise UnreadableError(f"makes the shape {tuple(shape)} of another number of elements")
    result = []
    for size in shape:
        taken: list[Axis] = []
        while size > 1:
            axis, size = _split(left, size)
            taken.append(axis)
        result.append(merged(taken))
    return tuple(result)


def _split(left: list[Axis], size: int) -> tuple[Axis, int]:
    """The next axis of those `left`, or its outer part, for a dimension that wants `size` more."""
    axis = left.pop()
    if size % axis.size == 0:
        return axis, size // axis.size
    if axis.size % size:
        raise UnreadableError("cuts the maps in a way that is not supported")
    inner = axis.size // size
    left.append(Axis(axis.kind, inner, axis.step))
    return Axis(axis.kind, size, axis.step * inner), 1


def only(tensor: Tensor) -> Piece:
    """The one piece of a tensor without pads."""
    if len(tensor.pieces) != 1 or any(tensor.pieces[0].pads):
        raise UnreadableError("follows a Concat or a Pad, which is not supported there")
    return tensor.pieces[0]


def plain(piece: Piece) -> Piece:
    """`piece`, which must be a map as (images, channels, height, width)."""
    kinds = tuple({axis.kind for axis in dimension} for dimension in piece.dimensions)
    whole = merged(piece.dimensions[1]) == axes("C", piece.channels) if len(kinds) == 4 else False
    if not whole or any(not kind <= {want} for kind, want in zip(kinds, "NCHW", strict=True)):
        raise UnreadableError("wants a feature map, and gets a tensor of another layout")
    return piece


def images_of(piece: Piece) -> int:
    """How many images the graph works on at once; they are independent, and a program has one."""
    return math.prod(axis.size for dimension in piece.dimensions for axis in dimension if axis.kind == "N")


def per_channel(piece: Piece, array: Known) -> NDArray[np.float32]:
    """The array that is spread over a tensor, one number or one for each channel, as (channels) numbers."""
    values = np.asarray(array, np.float32)
    if values.size == 1:
        return np.full(piece.channels, values.reshape(()), np.float32)
    if values.ndim > len(piece.dimensions):
        values = values.reshape([n for i, n in enumerate(values.shape) if i >= values.ndim - len(piece.dimensions)])
    sizes = (1,) * (len(piece.dimensions) - values.ndim) + values.shape
    order: list[Axis] = []
    for dimension, size in zip(piece.dimensions, sizes, strict=True):
        if size != 1:
            order += dimension
    if any(axis.kind != "C" for axis in order) or math.prod(axis.size for axis in order) != values.size:
        raise UnreadableError(
            f"combines a map with an array of shape {array.shape}, neither a number nor one per channel"
        )
    return _by_channel(piece, order, values)


def _by_channel(piece: Piece, order: Sequence[Axis], values: Known) -> NDArray[np.float32]:
    indices = np.zeros(1, np.int64)
    for axis in order:
        indices = (indices[:, None] + np.arange(axis.size) * axis.step).ravel()
    result = np.empty(piece.channels, np.float32)
    span = order[0].step * order[0].size if order else 1
    if len(indices) != span or sorted(indices) != list(range(span)) or piece.channels % span:
        raise UnreadableError("combines a map with an array that is spread over part of its channels")
    result.reshape(-1, span)[:, indices] = values.ravel()
    return result
