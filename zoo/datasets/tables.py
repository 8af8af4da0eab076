"""Text files of numbers beside images, and what writers of landmarks check of a sample."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from zoo.datasets import decimals
from zoo.datasets.folders import FileError
from zoo.datasets.sample import Annotation, Sample
from zoo.errors import InputError
from zoo.types import Floats


def table(data: bytes, columns: int, where: str, first: int = 0) -> NDArray[np.float64]:
    """The numbers of a text of one row a line, (N, `columns`), empty lines left out; `first` is the offset at which
    `data` begins in the file `where`. Raises `FileError` for a line of another length, and for what is no number within
    `decimals.FARTHEST`."""
    rows: list[list[float]] = []
    for line in data.splitlines(keepends=True):
        words = line.split()
        if words:
            rows.append(_numbers(words, columns, where, first))
        first += len(line)
    return np.array(rows, np.float64).reshape(-1, columns)


def _numbers(words: list[bytes], columns: int, where: str, offset: int) -> list[float]:
    if len(words) != columns:
        raise FileError(f"{where} has a line of {len(words)} words where {columns} numbers belong.", where, offset)
    for word in words:
        if not _NUMBER.fullmatch(word) or not decimals.in_reach([float(word)]):
            shown = word[:20].decode("ascii", "replace")
            raise FileError(f"{where} has {shown!r} where a coordinate belongs.", where, offset)
    return [float(word) for word in words]


_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


def one_face(sample: Sample, counts: tuple[int, ...] = ()) -> Floats:
    """The landmarks (K, 2) of the only face of a sample, all of them there; K is one of `counts` where these are given.
    Raises `InputError`."""
    faces = sample.faces or Annotation()
    if faces.landmarks is None or len(faces) != 1:
        found = "no landmarks" if faces.landmarks is None else f"{len(faces)} faces"
        way = "; crop=affine crop_faces=largest cuts out the largest" if len(faces) > 1 else ""
        raise InputError(f"{sample.key} has {found} where the landmarks of one face belong{way}.")
    points: Floats = faces.landmarks[0]
    if counts and len(points) not in counts:
        allowed = " or ".join(str(count) for count in counts)
        raise InputError(f"{sample.key} has {len(points)} landmarks; this format holds {allowed}.")
    if not decimals.in_reach(points.ravel().tolist()):
        raise InputError(f"{sample.key} has landmarks that are missing or out of reach.")
    return points


def noted(sample: Sample, name: str, count: int) -> list[float] | None:
    """The `count` numbers that the reader noted as ``extra[name]``; None when there are none of that kind."""
    found = sample.extra.get(name)
    if not isinstance(found, list | tuple) or len(found) != count:
        return None
    good = all(isinstance(value, int | float) for value in found) and decimals.in_reach(found)
    return [float(value) for value in found] if good else None


def lines(rows: Floats) -> bytes:
    """An (N, K) array as N lines of the shortest numbers that read back the same."""
    return "".join(f"{' '.join(row)}\n" for row in decimals.texts(decimals.fewest(np.asarray(rows)))).encode()
