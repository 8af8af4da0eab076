"""A tiny format of the tests: a text file of lines ``KEY WIDTH HEIGHT IDENTITY``, each a grey image of that size.

A line ``KEY broken`` is a broken sample. Random access and a count unless the option `stream` is on: then the set is
one unit, whose size only reading tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from zoo.datasets.formats import UNIT, About, Reader, Unit
from zoo.datasets.sample import Annotation, Broken, EncodedImage, Sample
from zoo.errors import InputError
from zoo.options import option
from zoo.specs import FormatSpec

HEAD = "grey lines"


@dataclass(frozen=True)
class LinesOptions:
    stream: bool = option(False, "Read in order only.")


class Lines(Reader):
    def __init__(self, path: Path, options: Any = None) -> None:
        super().__init__(path, options or LinesOptions())
        first, *self.lines = path.read_text("utf-8").splitlines()
        if first != HEAD:
            raise InputError(f"{path} does not begin with {HEAD!r}.")

    def about(self) -> About:
        count = None if self.options.stream else len(self.lines)
        return About("identities", count, frozenset({"identity", "images", "boxes"}), ("amy", "raj"), {"note": "grey"})

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        if self.options.stream:
            yield Unit(0, -1)
            return
        for start in range(0, len(self.lines), size):
            yield Unit(start, min(start + size, len(self.lines)))

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        for number in range(unit.start, len(self.lines) if unit.stop < 0 else unit.stop):
            yield self._at(number)

    def sample(self, index: int) -> Sample:
        if self.options.stream:
            return super().sample(index)
        found = self._at(index)
        if isinstance(found, Broken):
            raise InputError(found.why)
        return found

    def _at(self, number: int) -> Sample | Broken:
        key, *rest = self.lines[number].split()
        if rest == ["broken"]:
            return Broken(key, "its line says so", str(self.path), number, b"bytes")
        width, height, who = int(rest[0]), int(rest[1]), rest[2]
        image = EncodedImage(grey(width, height, number if len(rest) < 4 else int(rest[3])), "png")
        box = np.array([[1, 2, width - 1, height - 2]], np.float32)
        return Sample(key, image, faces=Annotation(boxes=box), identity=who)


def grey(width: int, height: int, seed: int) -> bytes:
    """A PNG of noise that `seed` fixes."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    done, data = cv2.imencode(".png", pixels)
    assert done
    return data.tobytes()


def sniff(path: Path) -> tuple[float, str]:
    with path.open("rb") as stream:
        return (0.9, "begins with its name") if stream.read(10) == HEAD.encode() else (0.0, "begins otherwise")


SPEC = FormatSpec(
    "lines",
    summary="Lines of text.",
    kinds=("identities",),
    sniff="tests.datasets.lines:sniff",
    reader="tests.datasets.lines:Lines",
    read_options="tests.datasets.lines:LinesOptions",
    holds=("identity", "images", "boxes"),
)


def write(path: Path, *lines: str) -> Path:
    """A set of the given lines."""
    path.write_text("\n".join([HEAD, *lines]) + "\n", encoding="utf-8")
    return path


def numbered(path: Path, count: int) -> Path:
    """A set of `count` tiny images with the keys 0, 1, ... of amy and raj in turn."""
    return write(path, *(f"{i} 4 6 {('amy', 'raj')[i % 2]}" for i in range(count)))
