"""Making steps one after the other, and remembering the size of each map while the graph is walked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from zoo_cpp.program import Activation, Step
from zoo_cpp.reading.tensors import LARGEST, Piece, Tensor, UnreadableError, nchw

MOST_CHANNELS = 1 << 16
"""Channels of the deepest map that is taken for a network's."""


@dataclass
class Builder:
    """The steps so far, in order. `sizes` gives (height, width) of each value for the size of input that the graph is
    walked at; `name` is that of the node being read. `ranges` gives the scale and the zero point, 0 to 255, of values
    that are rounded to whole numbers."""

    opset: int
    steps: list[Step] = field(default_factory=list)
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    name: str = ""
    held: int = 0
    ranges: dict[int, tuple[float, int]] = field(default_factory=dict)

    def claim(self, numbers: int) -> None:
        """Count arrays of so many `numbers` before they are made. Raises `UnreadableError` when all are too many."""
        self.held += numbers
        if self.held > LARGEST:
            raise UnreadableError("and those before it make more numbers than any network here has")

    def step(self, kind: str, inputs: Sequence[int], size: tuple[int, int], channels: int, **more: Any) -> int:
        """Add a step whose output has `size` (height, width) and `channels`, and return that output's number."""
        if not 0 < channels <= MOST_CHANNELS or min(size) < 1 or size[0] * size[1] * channels > LARGEST:
            raise UnreadableError(f"makes a map of {size[1]}x{size[0]} pixels with {channels} channels")
        output = len(self.steps) + 1
        self.steps.append(Step(kind, tuple(inputs), output, channels, name=self.name, **more))
        self.sizes[output] = size
        return output

    def alike(self, kind: str, piece: Piece, others: Sequence[int] = (), **more: Any) -> int:
        """Add a step that makes a map of the same size as `piece`, of it and `others`."""
        return self.step(kind, (piece.value, *others), (piece.height, piece.width), piece.channels, **more)

    def each(self, tensor: Tensor, kind: str, **more: Any) -> Tensor:
        """Add the same step for each piece of a tensor, which keeps its shape."""
        return tensor.mapped([self.alike(kind, piece, **more) for piece in tensor.pieces])

    def affine(self, piece: Piece, scale: Any, shift: Any) -> Piece:
        """Add a step that scales and shifts the channels of `piece`."""
        self.claim(2 * piece.channels)
        weights = {"scale": np.asarray(scale, np.float32), "shift": np.asarray(shift, np.float32)}
        return replace(piece, value=self.alike("affine", piece, weights=weights))

    def activation(self, tensor: Tensor, activation: Activation) -> Tensor:
        """Add an activation for each piece."""
        return self.each(tensor, "activation", activation=activation)

    def fresh(self, like: Piece, images: int, value: int) -> Tensor:
        """The map number `value`, just made of the map `like`, as (images, channels, height, width)."""
        height, width = self.sizes[value]
        return Tensor((nchw(value, images, height, width, self.steps[value - 1].channels),))
