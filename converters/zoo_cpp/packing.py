"""The numbers of a network in the order in which the C++ reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from zoo_cpp.program import Array, Quantised, Step
from zoo_cpp.schedule import BLOCK, stored


@dataclass(frozen=True)
class Offsets:
    """Where the numbers of a layer begin; -1 for what it does not have. Of a convolution of whole numbers, `weight` is
    among these, and `scales` are preceded by how the input is rounded."""

    weight: int = -1
    bias: int = -1
    slopes: int = -1
    scales: int = -1


@dataclass
class Packed:
    """The numbers of all layers, one after the other; filters of whole numbers apart, in `codes`.
    Filters, which alone are worth storing in fewer bits, are listed
    in `filters` as (begin, length, lanes): their first dimension is the number of `blocks`, by the begin, their last
    one the channels of a block that come out, as many as `lanes`."""

    arrays: list[Array] = field(default_factory=list)
    filters: list[tuple[int, int, int]] = field(default_factory=list)
    blocks: dict[int, int] = field(default_factory=dict)
    codes: list[NDArray[np.int8]] = field(default_factory=list)
    code_length: int = 0
    length: int = 0

    def add(self, array: Array) -> int:
        """Append an array; where it begins. Every one begins at a multiple of `BLOCK`."""
        flat = np.ascontiguousarray(array, np.float32).ravel()
        flat = np.pad(flat, (0, -len(flat) % BLOCK))
        begin = self.length
        self.arrays.append(flat)
        self.length += len(flat)
        return begin

    def add_codes(self, codes: NDArray[np.int8]) -> int:
        """Append filters of whole numbers; where they begin, at a multiple of 64."""
        flat = np.ascontiguousarray(codes).ravel()
        begin = self.code_length
        self.codes.append(np.pad(flat, (0, -len(flat) % 64)))
        self.code_length += len(self.codes[-1])
        return begin

    def whole_numbers(self) -> NDArray[np.int8]:
        """All filters of whole numbers."""
        return np.concatenate(self.codes) if self.codes else np.zeros(0, np.int8)

    def numbers(self) -> Array:
        """All of them, float32."""
        return np.concatenate(self.arrays) if self.arrays else np.zeros(BLOCK, np.float32)


def pack(step: Step, packed: Packed) -> Offsets:
    """Append the numbers of `step`."""
    width = stored(step.channels, -1)
    slopes = step.activation.slopes
    at = -1 if slopes is None else packed.add(_filled(slopes, width))
    if step.quantised:
        return _whole(step, step.quantised, packed, width, at)
    if step.kind == "conv":
        return _with_filter(packed, _blocks(step.weights["weight"]), BLOCK, step.weights["bias"], width, at)
    if step.kind == "depthwise":
        weight = step.weights["weight"]
        filled = np.pad(weight, ((0, 0), (0, 0), (0, width - weight.shape[2])))
        return _with_filter(packed, filled, width, step.weights["bias"], width, at)
    if "scale" in step.weights:
        scale, shift = (packed.add(_filled(step.weights[name], width)) for name in ("scale", "shift"))
        return Offsets(scale, shift, at)
    return Offsets(slopes=at)


def _whole(step: Step, rounded: Quantised, packed: Packed, width: int, slopes: int) -> Offsets:
    """A convolution of whole numbers. The bias makes up for the input's zero point; scales turn sums into floats."""
    codes = np.rint(step.weights["weight"] / rounded.scales[:, None, None, None])
    scales = (rounded.scales.astype(np.float64) * rounded.scale).astype(np.float32)
    bias = step.weights["bias"] - scales * (rounded.zero * codes.sum(axis=(1, 2, 3), dtype=np.float64))
    head = _filled(np.array([1 / rounded.scale, rounded.zero], np.float32), BLOCK)
    begin = packed.add_codes(_quads(codes.astype(np.int8)))
    at = packed.add(np.concatenate([head, _filled(scales, width)]))
    return Offsets(begin, packed.add(_filled(bias, width)), slopes, at)


def _quads(codes: NDArray[np.int8]) -> NDArray[np.int8]:
    """(O, down, across, C) as (blocks, down, across, C / 4, 16, 4): four neighbouring channels of sixteen filters."""
    outputs, down, across, channels = codes.shape
    filled = np.pad(codes, ((0, -outputs % BLOCK), (0, 0), (0, 0), (0, -channels % 4)))
    return filled.reshape(-1, BLOCK, down, across, filled.shape[3] // 4, 4).transpose(0, 2, 3, 4, 1, 5)


def _with_filter(packed: Packed, weight: Array, lanes: int, bias: Array, width: int, slopes: int) -> Offsets:
    begin = packed.add(weight)
    packed.filters.append((begin, weight.size, lanes))
    packed.blocks[begin] = width // lanes
    return Offsets(begin, packed.add(_filled(bias, width)), slopes)


def _filled(array: Array, width: int) -> Array:
    return np.pad(np.asarray(array, np.float32).ravel(), (0, width - np.asarray(array).size))


def _blocks(weight: Array) -> Array:
    """(O, down, across, C) as blocks of sixteen: (blocks, down, across, C, 16)."""
    outputs, down, across, channels = weight.shape
    filled = np.pad(weight, ((0, -outputs % BLOCK), (0, 0), (0, 0), (0, 0)))
    blocks = filled.reshape(-1, BLOCK, down, across, channels)
    return np.ascontiguousarray(blocks.transpose(0, 2, 3, 4, 1))
