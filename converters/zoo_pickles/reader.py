"""Reading the ``annot.pkl`` of insightface's synthetics: a pickle of ``(X, Y)``.

X is a list of the names of images beside it, Y one of as many lists of 68 pairs (x, y), NumPy float32 scalars in pixels
of the image, pixel centres at whole numbers (alignment/synthetics, tools/prepare_synthetics.py).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from zoo import safepickle
from zoo.datasets import decimals
from zoo.datasets.beside import FILE, ImageFolder, check_name, key_of
from zoo.datasets.folders import FileError, read_image
from zoo.datasets.formats import UNIT, About, Reader, Unit
from zoo.datasets.sample import Annotation, Broken, Sample
from zoo.datasets.windows import mapped
from zoo.errors import InputError
from zoo.types import Floats
from zoo_pickles.sniff import NAME

_INSTRUCTIONS_AN_IMAGE = 3_000
"""Reading 68 points one scalar after the other takes up to 1,300 instructions; a large pickle that has more than twice
as many for every file beside it is none of this kind."""

_MOST_POINTS = 1000

Entry: TypeAlias = list[str]
"""Key, name of the image, its landmarks (float32 in base64), and why these are none."""


class AnnotReader(Reader):
    """Reads a folder with ``annot.pkl``, or that file. The pickle is read once, where units are made: they carry their
    landmarks along."""

    def __init__(self, path: Path, options: Any = None) -> None:
        super().__init__(path, options)
        self._file = path / NAME if path.is_dir() else path
        self._images = ImageFolder(self._file.parent)

    def about(self) -> About:
        """The number of images, and in the facts how many landmarks the first has."""
        names, points = self._contents
        first = _points(points[0]) if points else None
        facts = {"landmarks": None if first is None or isinstance(first, str) else len(first)}
        return About("landmarks", len(names), frozenset(("landmarks", "keys", "images")), facts=facts)

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """Stretches of `size` images; the place of each is the list of its entries."""
        count = len(self._contents[0])
        for start in range(0, count, size):
            stop = min(start + size, count)
            yield Unit(start, stop, [self._entry(index) for index in range(start, stop)])

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        """The images of a unit with their landmarks."""
        return (self._sample(entry) for entry in unit.place)

    def sample(self, index: int) -> Sample:
        """The sample number `index`."""
        self.require_number(index, len(self._contents[0]))
        return self.good(self._sample(self._entry(index)))

    def _entry(self, index: int) -> Entry:
        name, found = self._contents[0][index], _points(self._contents[1][index])
        if isinstance(found, str):
            return [self._keys[index], name, "", found]
        return [self._keys[index], name, base64.b64encode(found.tobytes()).decode(), ""]

    def _sample(self, entry: Entry) -> Sample | Broken:
        key, name, encoded, why = entry
        try:
            if why:
                raise FileError(f"{name} has {why}.", str(self._file))
            check_name(name)
            path = self._images.path(name)
            if path is None:
                raise FileError(f"There is no image {name} in {self._images.root}.", name)
            landmarks = np.frombuffer(base64.b64decode(encoded), np.float32).reshape(1, -1, 2)
            return Sample(key, read_image(path), faces=Annotation(landmarks=landmarks), extra={FILE: name})
        except InputError as error:
            return Broken(key, str(error), getattr(error, "where", ""), getattr(error, "offset", -1))

    @cached_property
    def _keys(self) -> list[str]:
        """A key for each image: its name without suffix, and with its number where an earlier one has that."""
        taken: set[str] = set()
        keys = []
        for index, name in enumerate(self._contents[0]):
            key = key_of(name)
            if key in taken:
                key = f"{name}#{index}"
            taken.add(key)
            keys.append(key)
        return keys

    @cached_property
    def _contents(self) -> tuple[list[str], list[Any]]:
        """The names, and what is said to be the points of each."""
        value = safepickle.load(mapped(self._file), str(self._file), points=True, limits=self._limits())
        if not isinstance(value, tuple | list) or len(value) != 2 or not all(isinstance(part, list) for part in value):
            raise InputError(f"{self._file} is a pickle, but not one of a list of names and a list of points.")
        names, points = value
        if len(names) != len(points):
            raise InputError(f"{self._file} has {len(names)} names and points for {len(points)}.")
        return [self._text(name) for name in names], points

    def _text(self, name: Any) -> str:
        if isinstance(name, bytes):
            name = name.decode("utf-8", "replace")
        if not isinstance(name, str):
            raise InputError(f"{self._file} has something else than names in its first list.")
        return name

    def _limits(self) -> safepickle.Limits:
        with os.scandir(self._file.parent) as entries:
            files = sum(1 for _ in entries)
        return safepickle.Limits(instructions=safepickle.DEFAULT.instructions + _INSTRUCTIONS_AN_IMAGE * files)


def _points(value: Any) -> Floats | str:
    """Points (K, 2), or why they are none. Each value is looked at before an array is made, because lists that hold one
    another would be counted out."""
    if not isinstance(value, np.ndarray):
        rows = value if isinstance(value, list | tuple) and len(value) <= _MOST_POINTS else ()
        pairs = [row.tolist() if isinstance(row, np.ndarray) and row.shape == (2,) else row for row in rows]
        if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
            return "landmarks that are not pairs of numbers"
        if not all(isinstance(number, int | float) for pair in pairs for number in pair):
            return "something else than numbers as landmarks"
        value = np.array(pairs, np.float64)
    if value.dtype.kind not in "fiu" or value.shape[1:] != (2,) or not 0 < len(value) <= _MOST_POINTS:
        return f"no landmarks that are 1 to {_MOST_POINTS} pairs of numbers"
    if not decimals.in_reach(value.ravel().tolist()):
        return "landmarks that are not finite or out of reach"
    points: Floats = value.astype(np.float32)
    return points
