"""Driving a writer by hand, as the engine does it, and mutilating what it wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets.formats import Writer
from zoo.datasets.sample import Sample

MakeWriter = Callable[[Path], Writer]
SOAK = int(os.environ.get("ZOO_SOAK", "1"))
"""How many times as many mutations are tried as in a usual run (``make soak``)."""


class Tried:
    """How many mutilated files the tests of this process have tried; a test run tells it at its end."""

    count = 0


def write(make: MakeWriter, work: Path, samples: Sequence[Sample], unit: int = 0) -> Path:
    """What the writer makes of the samples."""
    writer = make(work)
    for number, stretch in enumerate(cut(samples, unit or writer.unit)):
        append(make(work), writer, number, stretch)
    writer.finish()
    return writer.out


def append(worker: Writer, writer: Writer, number: int, samples: Iterable[Sample]) -> None:
    """Write a part with one instance, as a worker process does, and take it into the set with another."""
    part = worker.part(number, 0)
    for sample in samples:
        part.write(sample)
    writer.append(number, json.loads(json.dumps(part.close())))


def write_with_kills(make: MakeWriter, work: Path, samples: Sequence[Sample], unit: int) -> Path:
    """The same with a new writer after every unit, which continues from a state after one that went on too far."""
    stretches = list(cut(samples, unit))
    state: dict[str, Any] = {}
    for number, stretch in enumerate(stretches):
        doomed = make(work)
        doomed.restore(state)
        for later in range(number, min(number + 2, len(stretches))):
            append(make(work), doomed, later, stretches[later])
        doomed.state()
        writer = make(work)
        writer.restore(state)
        append(make(work), writer, number, stretch)
        state = json.loads(json.dumps(writer.state()))
    last = make(work)
    last.restore(state)
    last.finish()
    return last.out


def cut(samples: Sequence[Sample], size: int) -> Iterator[Sequence[Sample]]:
    """Stretches of `size` samples."""
    return (samples[first : first + size] for first in range(0, len(samples), size))


def contents(path: Path) -> dict[str, bytes]:
    """The bytes of a file, or of the files of a folder by name."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(file.relative_to(path)): file.read_bytes() for file in files if file.is_file()}


def tries(count: int) -> Iterator[int]:
    """The numbers below `count` times `SOAK`, each of them the try of a mutilated file."""
    for number in range(count * SOAK):
        Tried.count += 1
        yield number


def mutations(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    """`data` with a few bytes changed, a stretch removed or doubled, or cut off; `count` times `SOAK` of it."""
    rng = np.random.default_rng(seed)
    for _ in tries(count):
        damaged = bytearray(data)
        place, length = int(rng.integers(len(data))), int(rng.integers(1, 40))
        match int(rng.integers(6)):
            case 0:
                del damaged[place : place + length]
            case 1:
                damaged[place:place] = damaged[place : place + length]
            case 2:
                del damaged[place:]
            case 3:
                damaged[place : place + length] = bytes([int(rng.choice([0, 255]))]) * length
            case _:
                for position in rng.integers(0, len(data), int(rng.integers(1, 4))):
                    damaged[position] = int(rng.integers(256))
        yield bytes(damaged)
