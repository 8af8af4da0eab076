"""A network as the steps that the generated C++ carries out: what stands between the ONNX reader and the C++ writer.

Everything is a feature map of one image: height x width x channels, rows first, channels last, float32. A vector is a
map of 1 x 1. No step knows a height or a width: they follow from the size of the input, so that one program serves all
sizes for which the network it was read from has the same steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Activation:
    """What happens to every number that a step computes.

    ``none``; ``relu``; ``clip`` to `low`..`high`; ``leaky``: below 0 times `slope`; ``prelu``: below 0 times the
    `slopes` (C) of its channel; ``sigmoid``.
    """

    kind: str = "none"
    slope: float = 0.0
    low: float = 0.0
    high: float = 0.0
    slopes: Array | None = None


@dataclass(frozen=True)
class Window:
    """What a convolution or a pooling looks at: `kernel`, `stride` and `dilation` are (down, across), `pads` are pixels
    of zeros (of nothing, for a pooling) at the top, left, bottom, right. The pixels that a kernel sees are `dilation`
    apart; that of a pooling is 1."""

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)

    def size(self, height: int, width: int, ceil: bool = False) -> tuple[int, int]:
        """Height and width of what a map of `height` x `width` becomes. With `ceil` a last window counts that hangs
        over the last pads, if it begins before them."""
        top, left, bottom, right = self.pads
        result = []
        for n, first, last, axis in ((height, top, bottom, 0), (width, left, right, 1)):
            span, step = (self.kernel[axis] - 1) * self.dilation[axis] + 1, self.stride[axis]
            room = n + first + last - span
            count = (-(-room // step) if ceil else room // step) + 1
            result.append(count - 1 if ceil and (count - 1) * step >= n + first else count)
        return result[0], result[1]


@dataclass(frozen=True)
class Quantised:
    """How the numbers that a convolution multiplies are whole numbers: an input x is round(x / `scale`) + `zero`, 0 to
    255, and filter number o of those that make channel o is a multiple, -127 to 127 times, of ``scales[o]`` (O)."""

    scale: float
    zero: int
    scales: Array


@dataclass(frozen=True)
class Step:
    """One step: it makes the value number `output`, of `channels` channels, of the values `inputs`.

    ========== ======= ===============================================================================================
    kind       inputs  what it computes
    ========== ======= ===============================================================================================
    conv       1       ``weight`` (O, kernel down, kernel across, C) and ``bias`` (O); `window`. A fully connected
                       layer is one whose kernel is the whole map
    depthwise  1       ``weight`` (kernel down, kernel across, C) and ``bias`` (C); `window`
    maxpool    1       `window`; `ceil`: a last row or column that hangs over counts
    avgpool    1       as maxpool; `padded`: the pads count as zeros, else they do not; what hangs over them never does
    mean       1       of the whole map: 1 x 1
    resize     1 or 2  nearest neighbour, row y is row floor(y * rows before / rows after); to `scale` times the size,
                       or to that of the second input
    add, mul   2       number by number; a second input of 1 x 1 counts for every pixel
    affine     1       ``scale`` (C) times a channel, plus ``shift`` (C)
    groupnorm  1       normalised over `groups` of neighbouring channels and all pixels with `epsilon`; then as affine
    concat     2 or    the channels of one input after those of the other
               more
    slice      1       the channels from `start` on, `channels` of them
    softmax    1       over each `columns` neighbouring channels
    unit       1       each pixel divided by the Euclidean length of its channels, at least `epsilon`
    activation 1       the activation alone
    ========== ======= ===============================================================================================

    `activation` is applied to what conv, depthwise, add, mul, affine and groupnorm give. A conv that is `quantised`
    multiplies whole numbers; the pixels of its window are neighbours.
    """

    kind: str
    inputs: tuple[int, ...]
    output: int
    channels: int
    window: Window = field(default_factory=Window)
    activation: Activation = field(default_factory=Activation)
    weights: Mapping[str, Array] = field(default_factory=dict)
    ceil: bool = False
    padded: bool = True
    scale: int = 1
    groups: int = 1
    start: int = 0
    columns: int = 0
    epsilon: float = 0.0
    quantised: Quantised | None = None
    name: str = ""


@dataclass(frozen=True)
class Output:
    """One output of the network: the maps of `values`, one after the other, as rows of `columns` numbers."""

    name: str
    values: tuple[int, ...]
    columns: int


@dataclass(frozen=True)
class Program:
    """A network. Value 0 is its input, a map of `channels` channels. `steps` are in an order in which each comes after
    those that make its inputs. `fixed` is the only (width, height) in pixels that it takes, None where it takes any
    that is a multiple of `multiple`."""

    steps: tuple[Step, ...]
    outputs: tuple[Output, ...]
    channels: int = 3
    fixed: tuple[int, int] | None = None
    multiple: int = 1

    @property
    def widths(self) -> Mapping[int, int]:
        """The channels of each value."""
        return {0: self.channels} | {step.output: step.channels for step in self.steps}

    @property
    def parameters(self) -> int:
        """How many numbers the steps hold."""
        return sum(array.size for step in self.steps for array in step.weights.values())
