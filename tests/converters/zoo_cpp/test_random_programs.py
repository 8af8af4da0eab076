"""Networks that nobody would draw, of random steps of random values: the generated engine against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo_cpp.program import Program
from zoo_cpp.reference import evaluate
from zoo_cpp.schedule import shapes

from tests.converters.driving import SOAK
from tests.converters.zoo_cpp.building import compilers
from tests.converters.zoo_cpp.programs import TYPICAL, Net, engines, pictures
from tests.converters.zoo_cpp.test_engine import ACTS, assert_close

SIZES = [(33, 26), (18, 41), (50, 17)]
CLOSE = 1e-4
"""Steps that nobody would put one after the other make much of a rounding error."""

TOGETHER = 8
"""Programs that are compiled at once."""

BATCHES = 1 if SOAK == 1 else 2 * SOAK


def measured(net: Net) -> list[tuple[tuple[int, int], ...]]:
    """The (height, width) of each value at every size."""
    found = [shapes(net.steps, *size) for size in (*SIZES, TYPICAL)]
    return [tuple(one[value] for one in found) for value in range(len(net.steps) + 1)]


def drawn(seed: int) -> Program:
    """A program of a random number of steps, whose outputs are all values that no other step wants, and some more."""
    net = Net(channels=int(np.random.default_rng(seed).choice([1, 3, 3, 3, 16])), seed=seed)
    wanted = int(net.rng.integers(6, 24))
    while len(net.steps) < wanted:
        before = len(net.steps)
        value = int(net.rng.integers(max(0, before - 4), before + 1))
        KINDS[int(net.rng.integers(len(KINDS)))](Drawing(net, value))
        if any(min(size) < 1 for size in measured(net)[-1]) or net.width(len(net.steps)) > 80:
            del net.steps[before:]
    used = {value for step in net.steps for value in step.inputs}
    values = [value for value in range(1, len(net.steps) + 1) if value not in used or net.rng.random() < 0.15]
    return net.program(*values)


@dataclass
class Drawing:
    """What a random step is made of: its input, of `width` channels, all sizes, and the values `alike` in size."""

    net: Net
    value: int

    def __post_init__(self) -> None:
        self.rng, self.sizes, self.width = self.net.rng, measured(self.net), self.net.width(self.value)
        self.alike = [other for other in range(len(self.sizes)) if self.sizes[other] == self.sizes[self.value]]
        self.act = str(self.rng.choice(ACTS))
        self.kernel = self.below(4), self.below(4)
        pads = tuple(self.below(n) - 1 for n in self.kernel * 2)
        self.window: dict[str, Any] = {"stride": (self.below(2), self.below(2)), "pads": pads}

    def below(self, most: int) -> int:
        """1 to `most`."""
        return int(self.rng.integers(1, most + 1))

    def divisor(self) -> int:
        return int(self.rng.choice([n for n in range(1, self.width + 1) if self.width % n == 0]))

    def conv(self) -> None:
        dilation = self.below(2), self.below(2)
        self.net.conv(self.value, self.below(40), self.kernel, self.act, **self.window, dilation=dilation)

    def near(self) -> None:
        self.net.depthwise(self.value, 3, self.act, pads=1, stride=self.below(2))

    def pool(self, kind: str) -> None:
        self.net.pool(kind, self.value, self.kernel, self.below(2) > 1, self.below(2) > 1, **self.window)

    def two(self, kind: str) -> None:
        single = [value for value, size in enumerate(self.sizes) if set(size) == {(1, 1)}]
        others = [value for value in (*self.alike, *single) if self.net.width(value) == self.width]
        pair = self.value, int(self.rng.choice(others))
        self.net.step(kind, pair, activation=self.net.act(self.act, self.width))

    def weighed(self) -> None:
        weight = self.net.conv(self.net.step("mean", self.value), self.width, 1, self.act)
        self.net.step("mul", (self.value, weight))

    def concat(self) -> None:
        joined = [self.value, *(int(other) for other in self.rng.choice(self.alike, self.below(2)))]
        self.net.step("concat", joined, sum(map(self.net.width, joined)))

    def slice(self) -> None:
        start = self.below(self.width) - 1
        self.net.step("slice", self.value, self.below(self.width - start), start=start)

    def resize(self) -> None:
        if max(size[0] for size in self.sizes[self.value]) < 30 and self.below(2) > 1:
            self.net.step("resize", self.value, scale=self.below(3))
        else:
            self.net.step("resize", (self.value, self.below(len(self.sizes)) - 1))

    def activation(self) -> None:
        self.net.step("activation", self.value, activation=self.net.act(self.act, self.width))


KINDS: tuple[Callable[[Drawing], object], ...] = (
    *(
        Drawing.conv,
        Drawing.conv,
        Drawing.near,
        Drawing.near,
        Drawing.concat,
        Drawing.slice,
        Drawing.resize,
        Drawing.weighed,
    ),
    lambda one: one.net.conv(one.value, one.below(40), 1, one.act),
    lambda one: one.net.depthwise(one.value, one.kernel, one.act, **one.window),
    *(lambda one: one.pool("maxpool"), lambda one: one.pool("avgpool")),
    *(lambda one: one.two("add"), lambda one: one.two("add"), lambda one: one.two("mul"), Drawing.activation),
    lambda one: one.net.groupnorm(one.value, one.divisor(), one.act),
    lambda one: one.net.affine(one.value, one.act),
    lambda one: one.net.step("softmax", one.value, columns=one.divisor()),
    lambda one: one.net.step("unit", one.value, epsilon=1e-3),
    lambda one: one.net.step("mean", one.value),
)
"""Each appends a step, which may be one that does not fit."""


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_programs(tmp_path: Path, batch: int) -> None:
    programs = [drawn(seed) for seed in range(batch * TOGETHER, (batch + 1) * TOGETHER)]
    largest = [max(size[axis] for size in SIZES) for axis in (0, 1)]
    for engine in engines(tmp_path, programs, compilers()[0], ("-O0",)):
        program = engine.program
        images = list(pictures(program, SIZES))
        wanted = [evaluate(program, image) for image in images]
        for threads in (1, 3):
            with engine.made(*largest, threads) as handle:
                for index in (0, 1, 2, 0):
                    assert_close(handle.run(images[index]), wanted[index], program, CLOSE)
