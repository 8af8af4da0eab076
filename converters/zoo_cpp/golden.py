"""Numbers by which generated C++ shows, wherever it is compiled, that it is the network which it was made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ModelError
from zoo.inference.preprocess import Preprocessor
from zoo.specs import ModelCard
from zoo.types import Image
from zoo_cpp.program import Array, Program
from zoo_cpp.tables import literal

SEED = 20180605
"""Where the noise begins; any number would do."""

SAMPLES = 16
SMALLEST = 96
"""About how long the shorter side of the picture is for networks of any size, in pixels."""

TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "int8": 0.5}
"""How far numbers may differ, as a fraction of themselves, of their output's root mean square, or of 0.01, whichever is
largest. That of int8 only shows that the right weights are there."""


@dataclass(frozen=True)
class Expected:
    """One output: how many numbers it has, their sum and the sum of their squares, and `SAMPLES` of them, of which
    number i stands at ``length * i // SAMPLES``."""

    length: int
    sum: float
    squares: float
    samples: tuple[float, ...]


@dataclass(frozen=True)
class Golden:
    """What the outputs are for `noise` of `width` x `height` pixels."""

    width: int
    height: int
    tolerance: float
    outputs: tuple[Expected, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain data, for model.json and the receipt."""
        outputs = [{**vars(expected), "samples": list(expected.samples)} for expected in self.outputs]
        size = {"seed": SEED, "width": self.width, "height": self.height}
        return {**size, "tolerance": self.tolerance, "outputs": outputs}


def golden(
    run: Callable[[Array], Sequence[NDArray[Any]]], card: ModelCard, program: Program, tolerance: float
) -> Golden:
    """The numbers that `run` gives for the picture of noise; it is called with the tensor that `card`'s contract makes
    of it, in the card's layout, and returns the outputs. Raises `ModelError` where these are not finite."""
    width, height = size(card, program)
    preprocessor = Preprocessor(replace(card.preprocess, multiple=1))
    outputs = run(preprocessor.laid_out(preprocessor.tensor(noise(width, height))))
    return Golden(width, height, tolerance, tuple(_expected(card, output) for output in outputs))


def size(card: ModelCard, program: Program) -> tuple[int, int]:
    """The (width, height) of the picture: the only one that the network takes, that of its crops, or a small one."""
    from zoo.inference.preprocess import parse_sizes

    if program.fixed:
        return program.fixed
    said = parse_sizes(card.preprocess.size)[0]
    if card.preprocess.crop.kind:
        return said.width, said.height
    step = lcm(program.multiple, card.preprocess.multiple)
    return -(-SMALLEST * 4 // 3 // step) * step, -(-SMALLEST // step) * step


def noise(width: int, height: int, seed: int = SEED) -> Image:
    """(height, width, 3) uint8: the highest byte of one number of splitmix64 after the other (Steele, Lea and Flood,
    OOPSLA 2014, as Vigna wrote it down)."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, 3 * width * height + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(56)).astype(np.uint8).reshape(height, width, 3)


def constants(expected: Golden) -> str:
    """The C++ that source/self_test.inc reads: kGolden and what it is made with."""
    rows = []
    for output in expected.outputs:
        samples = ", ".join(literal(sample) for sample in output.samples)
        rows.append(f"    {{{output.length}u, {output.sum!r}, {output.squares!r}, {{{samples}}}}},")
    return "\n".join(
        [
            f"constexpr uint64_t kGoldenSeed = {SEED};",
            f"constexpr double kTolerance = {expected.tolerance!r};",
            f"constexpr Golden kGolden[{len(rows)}] = {{",
            *rows,
            "};",
        ]
    )


def _expected(card: ModelCard, output: NDArray[Any]) -> Expected:
    flat = np.asarray(output, np.float32).ravel()
    if not len(flat) or not np.isfinite(flat).all():
        raise ModelError(f"The network of {card.id} gives numbers for noise that are not finite: it cannot be tested.")
    wide = flat.astype(np.float64)
    samples = tuple(float(flat[len(flat) * index // SAMPLES]) for index in range(SAMPLES))
    return Expected(len(flat), float(wide.sum()), float((wide**2).sum()), samples)
