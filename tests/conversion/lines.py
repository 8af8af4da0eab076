"""A tiny real format for testing the engine: one sample a line, ``key identity hexadecimal-bytes``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.datasets.formats import About, Part, Reader, Unit, Writer
from zoo.datasets.sample import Broken, EncodedImage, Sample
from zoo.datasets.streams import Growing, part_path
from zoo.errors import InputError
from zoo.specs import FormatSpec

HOLDS = ("identity", "keys", "images")
SPEC = FormatSpec(
    "lines",
    "Lines.",
    kinds=("identities",),
    suffixes=(".lines",),
    reader="tests.conversion.lines:LinesReader",
    writer="tests.conversion.lines:LinesWriter",
    holds=HOLDS,
)


@dataclass(frozen=True)
class Options:
    unit: int = 10


class LinesReader(Reader):
    def about(self) -> About:
        lines = self.path.read_text().splitlines()
        return About("identities", len(lines), frozenset(HOLDS))

    def units(self, size: int = 10) -> Iterator[Unit]:
        count = self.about().count or 0
        for start in range(0, count, size):
            yield Unit(start, min(start + size, count))

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        for line in self.path.read_text().splitlines()[unit.start : unit.stop]:
            key, identity, data = line.split()
            if data == "bad":
                yield Broken(key, "its bytes are no hexadecimal digits.", str(self.path), 7, b"bad")
            else:
                yield Sample(key, EncodedImage(bytes.fromhex(data), "jpeg"), identity=int(identity))


class LinesWriter(Writer):
    def __init__(self, work: Path, options: Any = None, about: About | None = None) -> None:
        super().__init__(work, options, about)
        self.lines = Growing(self.out)

    @property
    def unit(self) -> int:
        return 10

    def part(self, number: int, first: int) -> LinesPart:
        return LinesPart(part_path(self.work, number))

    def append(self, number: int, facts: Mapping[str, Any]) -> None:
        self.lines.append(part_path(self.work, number))

    def state(self) -> dict[str, Any]:
        return {"size": self.lines.size}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.lines.cut(state.get("size", 0))

    def finish(self) -> None:
        self.lines.write(b"")
        self.lines.close()


class LinesPart(Part):
    def __init__(self, path: Path) -> None:
        self.stream = path.open("w")

    def write(self, sample: Sample) -> None:
        if sample.identity == 13:
            raise InputError("The number 13 cannot be written.")
        assert sample.image is not None
        self.stream.write(f"{sample.key} {sample.identity} {sample.image.data.hex()}\n")

    def close(self) -> dict[str, Any]:
        self.stream.close()
        return {}
