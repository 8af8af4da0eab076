"""Detections as WIDER FACE's evaluation reads them: ``EVENT/IMAGE.txt`` with a name, a count, and a row a detection."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets.beside import ImageFolder, place
from zoo.datasets.decimals import corners, extents, fewest, text, texts
from zoo.datasets.formats import UNIT, About, Part, Reader, Unit, Writer
from zoo.datasets.sample import Annotation, Broken, Sample
from zoo.errors import InputError
from zoo_widerface.lines import Lines, counted, numbers
from zoo_widerface.options import PredictionReadOptions
from zoo_widerface.writing import faces_of, within

SUFFIX = ".txt"


class PredictionReader(Reader):
    """Reads a folder of detections, x y width height score, best first or not. A sample's key is the file's path below
    the folder without its suffix: the event and the image."""

    def __init__(self, path: Path, options: PredictionReadOptions | None = None) -> None:
        super().__init__(path, options or PredictionReadOptions())
        self._folder = ImageFolder.find(path, (), self.options.images)

    def about(self) -> About:
        """The files are counted and not looked into. Raises `InputError` when there are none."""
        images, events = 0, set()
        for name in self._walk():
            images += 1
            events.add(name.rpartition("/")[0])
        if not images:
            raise InputError(f"{self.path} is no folder of detections: there are no {SUFFIX} files in it.")
        holds = {"boxes", "scores", "keys"} | ({"images"} if self._folder.root else set())
        return About("detection", images, frozenset(holds), facts={"images": images, "events": len(events)})

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """A unit's place is the names of its files."""
        names, start = self._walk(), 0
        while chunk := list(itertools.islice(names, size)):
            yield Unit(start, start + len(chunk), chunk)
            start += len(chunk)

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        """The images of a unit."""
        for name in unit.place:
            try:
                yield self._sample(name)
            except InputError as error:
                yield Broken(name.removesuffix(SUFFIX), str(error).rstrip("."), name, 0)

    def sample(self, index: int) -> Sample:
        """The image number `index`. Raises `InputError` when it is broken, `IndexError` when there is none."""
        self.require_number(index, len(self._names))
        return self.good(next(self.read(Unit(index, index + 1, self._names[index : index + 1]))))

    @cached_property
    def _names(self) -> list[str]:
        return list(self._walk())

    def _walk(self) -> Iterator[str]:
        """The names of the files relative to the folder, in a fixed order; links to folders are not followed."""
        for folder, folders, names in os.walk(self.path):
            folders.sort()
            inner = Path(folder).relative_to(self.path)
            yield from ((inner / name).as_posix() for name in sorted(names) if name.endswith(SUFFIX))

    def _sample(self, name: str) -> Sample:
        key = name.removesuffix(SUFFIX)
        try:
            name.encode()
            with (self.path / name).open("rb") as stream:
                blocks = list(itertools.islice(counted(Lines(stream)), 2))
        except (OSError, UnicodeEncodeError) as error:
            raise InputError(f"{name!r} cannot be read: {error}") from None
        if len(blocks) != 1 or blocks[0].problem:
            raise InputError(blocks[0].problem if len(blocks) == 1 else "it has not one name, one count, and rows")
        rows = [numbers(row, number) for number, row in enumerate(blocks[0].rows, 1)]
        if any(len(row) != 5 for row in rows):
            raise InputError("it has a row that is not of five numbers (x y w h score)")
        table = np.array(rows, np.float64).reshape(-1, 5)
        faces = Annotation(corners(table[:, :4]), scores=table[:, 4].astype(np.float32))
        return Sample(key, self._folder.read(key), None, faces)


class PredictionWriter(Writer):
    """Writes a folder of detections, one file an image, in the order in which they come."""

    needs = frozenset({"boxes", "scores"})

    def part(self, number: int, first: int) -> Part:
        """Files in their place, so there is nothing to append."""
        return _FilesPart(self.out)

    def append(self, number: int, facts: Mapping[str, Any]) -> None:
        """The files are there already."""

    def finish(self) -> None:
        """Make the folder where no sample has."""
        self.out.mkdir(parents=True, exist_ok=True)


class _FilesPart(Part):
    def __init__(self, out: Path) -> None:
        self._out = out
        self._folder: Path | None = None

    def write(self, sample: Sample) -> None:
        if not sample.key.rpartition("/")[2]:
            raise InputError("A sample without a key has no file to be written to.")
        path = place(self._out, f"{sample.key}{SUFFIX}")
        lines = render(sample)
        if path.parent != self._folder:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folder = path.parent
        path.write_text(lines, encoding="utf-8", newline="\n")

    def close(self) -> dict[str, Any]:
        return {}


def render(sample: Sample) -> str:
    """The text of an image's file. Raises `InputError` for detections without a score."""
    faces = faces_of(sample)
    name = sample.key.rpartition("/")[2]
    if faces.boxes is None or not len(faces):
        return f"{name}\n0\n"
    if faces.scores is None:
        raise InputError(f"The faces of {sample.key} have no scores, which detections are ranked by.")
    within(faces.scores, "score", sample.key)
    pairs = zip(texts(extents(faces.boxes)), fewest(faces.scores).tolist(), strict=True)
    return f"{name}\n{len(faces)}\n" + "".join(f"{' '.join(box)} {text(score)}\n" for box, score in pairs)
