"""Programs made by hand, and the engine of many of them compiled at once and called."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from zoo_cpp.engine import engine
from zoo_cpp.interface import HEAD
from zoo_cpp.numbers import Storage, in_file, in_source, numbers
from zoo_cpp.program import Activation, Array, Output, Program, Quantised, Step, Window
from zoo_cpp.reference import evaluate
from zoo_cpp.schedule import Schedule, schedule
from zoo_cpp.tables import tables

from tests.converters.zoo_cpp.building import address, compiled, loaded

HARNESS = (Path(__file__).parent / "engine.cpp").read_text("utf-8")
TYPICAL = (64, 48)


def pair(number: int | tuple[int, int]) -> tuple[int, int]:
    return (number, number) if isinstance(number, int) else number


@dataclass
class Net:
    """A program in the making: each method appends a step, and returns the number of its value."""

    channels: int = 3
    seed: int = 0
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def width(self, value: int) -> int:
        return self.program(value).widths[value]

    def array(self, *shape: int, spread: float = 1.0) -> Array:
        return self.rng.normal(0, spread, shape).astype(np.float32)

    def step(self, kind: str, inputs: int | Sequence[int], channels: int = 0, **more: Any) -> int:
        found = (inputs,) if isinstance(inputs, int) else tuple(inputs)
        value = len(self.steps) + 1
        self.steps.append(Step(kind, found, value, channels or self.width(found[0]), name=f"{kind}{value}", **more))
        return value

    def conv(self, value: int, channels: int, kernel: Any = 1, act: Any = "none", **window: Any) -> int:
        looked, taken = windowed(kernel, **window), self.width(value)
        down, across = looked.kernel
        weight = self.array(channels, down, across, taken, spread=(down * across * taken) ** -0.5)
        return self._with_weights("conv", value, channels, looked, act, weight)

    def rounded(
        self, value: int, channels: int, kernel: Any = 1, act: Any = "none", zero: int = 100, **more: Any
    ) -> int:
        """A convolution of whole numbers, whose input is in sixteenths."""
        made = self.conv(value, channels, kernel, act, **more)
        scales = np.abs(self.array(channels)) / 50 + np.float32(1e-3)
        shape = self.steps[-1].weights["weight"].shape
        codes = self.rng.integers(-127, 128, shape).astype(np.float32)
        weights = {**self.steps[-1].weights, "weight": codes * scales[:, None, None, None]}
        self.steps[-1] = replace(self.steps[-1], weights=weights, quantised=Quantised(1 / 16, zero, scales))
        return made

    def depthwise(self, value: int, kernel: Any = 3, act: Any = "none", **window: Any) -> int:
        looked, channels = windowed(kernel, **window), self.width(value)
        weight = self.array(*looked.kernel, channels, spread=(looked.kernel[0] * looked.kernel[1]) ** -0.5)
        return self._with_weights("depthwise", value, channels, looked, act, weight)

    def affine(self, value: int, act: Any = "none") -> int:
        return self.step("affine", value, activation=self.act(act, self.width(value)), weights=self._scaled(value))

    def groupnorm(self, value: int, groups: int, act: Any = "none") -> int:
        acts = self.act(act, self.width(value))
        weights = self._scaled(value)
        return self.step("groupnorm", value, groups=groups, epsilon=1e-5, activation=acts, weights=weights)

    def pool(self, kind: str, value: int, kernel: Any, ceil: bool = False, padded: bool = True, **window: Any) -> int:
        return self.step(kind, value, window=windowed(kernel, **window), ceil=ceil, padded=padded)

    def act(self, kind: str, channels: int) -> Activation:
        slopes = self.array(channels, spread=0.3) if kind == "prelu" else None
        return Activation(kind, slope=0.1, low=-0.4, high=0.7, slopes=slopes)

    def program(
        self, *outputs: int | tuple[int, ...], columns: Mapping[int, int] | None = None, **more: Any
    ) -> Program:
        """The steps, and an output for each value, or for several of them one after the other."""
        widths = Program(tuple(self.steps), (), self.channels).widths
        groups = [(one,) if isinstance(one, int) else one for one in outputs]
        made = [
            Output(f"y{index}", group, (columns or {}).get(index, widths[group[0]]))
            for index, group in enumerate(groups)
        ]
        return Program(tuple(self.steps), tuple(made), self.channels, **more)

    def _with_weights(self, kind: str, value: int, channels: int, window: Window, act: str, weight: Array) -> int:
        weights = {"weight": weight, "bias": self.array(channels, spread=0.1)}
        return self.step(kind, value, channels, window=window, activation=self.act(act, channels), weights=weights)

    def _scaled(self, value: int) -> dict[str, Array]:
        return {name: self.array(self.width(value)) for name in ("scale", "shift")}


def windowed(kernel: Any, stride: Any = 1, pads: Any = 0, dilation: Any = 1) -> Window:
    sides = (pads,) * 4 if isinstance(pads, int) else pads
    return Window(pair(kernel), pair(stride), sides, pair(dilation))


def planned(program: Program) -> Schedule:
    return schedule(program, *(program.fixed or TYPICAL))


@dataclass(frozen=True)
class Engine:
    """The engine of one program among those of a library."""

    library: ctypes.CDLL
    number: int
    program: Program
    data: bytes = b""

    def made(self, width: int, height: int, threads: int = 1) -> Handle:
        """A handle for inputs of up to `width` x `height` pixels."""
        return Handle(self, self._call("make", *map(ctypes.c_int, (width, height, threads)), *self.weights(self.data)))

    def weights(self, data: bytes) -> tuple[Any, ...]:
        aligned = np.frombuffer(data, np.uint8).copy() if data else None
        return address(aligned), ctypes.c_size_t(len(data)), aligned

    def _call(self, name: str, *given: Any) -> Any:
        function = getattr(self.library, f"{name}_{self.number}")
        function.restype = ctypes.c_void_p if name == "make" else ctypes.c_int
        return function(*[one for one in given if not isinstance(one, np.ndarray | None)])

    def accepts(self, data: bytes) -> bool:
        """Whether `data` is taken for the bytes of its file of weights."""
        room = np.empty(self._call("count"), np.float32)
        return bool(self._call("numbers", *self.weights(data), ctypes.c_void_p(room.ctypes.data)) == 0)

    def spread(self) -> Array:
        """All numbers of the network as the engine uses them."""
        count = self._call("count")
        room = np.empty(count, np.float32)
        self._call("numbers", *self.weights(self.data), ctypes.c_void_p(room.ctypes.data))
        return room


class Handle:
    """A model of the engine in memory that was full of NaNs."""

    def __init__(self, engine: Engine, pointer: int | None) -> None:
        self.engine, self.pointer = engine, pointer

    def __enter__(self) -> Handle:
        assert self.pointer, "the engine takes no such size"
        return self

    def __exit__(self, *_: object) -> None:
        self.engine._call("end", ctypes.c_void_p(self.pointer))

    def run(self, image: Array) -> list[Array]:
        """The outputs for an image (H, W, channels), each as (rows, columns)."""
        height, width = image.shape[:2]
        given, lengths = np.ascontiguousarray(image), (ctypes.c_size_t * len(self.engine.program.outputs))()
        pointers = (ctypes.POINTER(ctypes.c_float) * len(lengths))()
        sizes = ctypes.c_int(width), ctypes.c_int(height)
        code = self.engine._call("run", ctypes.c_void_p(self.pointer), address(given), *sizes, pointers, lengths)
        assert code == 0, f"{width}x{height} was refused"
        found = [np.ctypeslib.as_array(one, (length,)).copy() for one, length in zip(pointers, lengths, strict=True)]
        return [one.reshape(-1, out.columns) for one, out in zip(found, self.engine.program.outputs, strict=True)]


def engines(
    folder: Path,
    programs: Sequence[Program],
    compiler: str,
    flags: Sequence[str] = ("-O1", "-march=native"),
    storage: Storage = "float32",
    binary: bool = False,
) -> list[Engine]:
    """The engines of `programs`, compiled together into one library."""
    source, files = together(programs, storage, binary)
    library = loaded(compiled(folder, source, compiler, ("-pthread", *flags)))
    return [
        Engine(library, number, program, data)
        for number, (program, data) in enumerate(zip(programs, files, strict=True))
    ]


def together(programs: Sequence[Program], storage: Storage, binary: bool) -> tuple[str, list[bytes]]:
    """One source of all engines, and their files of weights."""
    made = [_one(number, program, storage, binary) for number, program in enumerate(programs)]
    return HEAD + "\n".join(text for text, _ in made), [data for _, data in made]


@dataclass(frozen=True)
class Executable:
    """A programme with the engines of `programs`, and the words that run it."""

    words: tuple[str, ...]
    programs: Sequence[Program]

    def run(self, number: int, images: Sequence[Array], threads: int) -> list[list[Array]]:
        """The outputs of an engine for each image, which one model sees one after the other."""
        sizes = [image.shape[axis] for image in images for axis in (1, 0)]
        words = [*self.words, str(number), str(threads), *map(str, sizes)]
        given = b"".join(np.ascontiguousarray(image).tobytes() for image in images)
        done = subprocess.run(words, input=given, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()[-3000:]
        program, at, found = self.programs[number], 0, []
        for image in images:
            outputs = []
            for wanted, output in zip(evaluate(program, image), program.outputs, strict=True):
                floats = np.frombuffer(done.stdout, np.float32, wanted.size, at)
                outputs.append(floats.reshape(-1, output.columns))
                at += 4 * wanted.size
            found.append(outputs)
        assert at == len(done.stdout)
        return found


def executable(folder: Path, programs: Sequence[Program], compiler: str, flags: Sequence[str]) -> Path:
    """A programme with the engines of `programs`, for `Executable`."""
    source, _ = together(programs, "float32", False)
    rows = "".join(
        f"  {{make_{n}, run_{n}, end_{n}, {len(p.outputs)}, {p.channels}}},\n" for n, p in enumerate(programs)
    )
    main = (Path(__file__).parent / "engine_main.cpp").read_text("utf-8").replace("ROWS", rows)
    return compiled(folder, source + main, compiler, ("-pthread", *flags), shared=False)


def _one(number: int, program: Program, storage: Storage, binary: bool) -> tuple[str, bytes]:
    plan = planned(program)
    made = tables(plan)
    stored = numbers(made.packed, storage)
    words, data = in_file(stored) if binary else (in_source(stored), b"")
    text = engine(plan, made, words)
    return HARNESS.replace("ENGINE", text).replace("NUMBER", str(number)), data


def pictures(program: Program, sizes: Sequence[tuple[int, int]]) -> Iterator[Array]:
    """Noise in sixteenths, of each (width, height) that the program takes."""
    rng = np.random.default_rng(7)
    for width, height in [program.fixed] if program.fixed else sizes:
        yield np.rint(rng.normal(0, 16, (height, width, program.channels))).astype(np.float32) / 16


def with_fixed(program: Program, width: int, height: int) -> Program:
    return replace(program, fixed=(width, height))
