"""Predictions by the key of their image, read from where programs leave them, and paired with the ground truth."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets.beside import key_of
from zoo.datasets.dataset import open_dataset
from zoo.datasets.decimals import FARTHEST
from zoo.datasets.sample import Annotation, Sample
from zoo.errors import InputError
from zoo.evaluation.truth import broken
from zoo.evaluation.verdict import Case
from zoo.requests import Skip
from zoo.types import Faces

LINES = (".jsonl", ".ndjson")
RECORDS = "faces.jsonl"
"""What ``zoo run METHOD infer`` calls its records in a folder of results."""

LONGEST = 1 << 26
"""Most bytes of a record; one of 65,536 faces with 68 landmarks each takes as many."""


class Predictions:
    """What was found in each image; `skipped` are those for which a source says why there is nothing, `used` the keys
    of those that were paired with an image of the set."""

    def __init__(self) -> None:
        self.found: dict[str, Faces] = {}
        self.used: set[str] = set()
        self.skipped: list[Skip] = []

    def add(self, key: str, faces: Faces) -> None:
        """The faces of the image `key`. Raises `InputError` for a second prediction of one image."""
        if key in self.found:
            raise InputError(f"There are two predictions for the image {key}; keep one of them.")
        self.found[key] = faces

    def skip(self, key: str, why: str) -> None:
        """There is no prediction for the image `key`, and `why`."""
        self.skipped.append(Skip(key, why.removeprefix(key).strip()))

    def cases(self, samples: Iterable[Sample]) -> list[Case]:
        """Pair them with the ground truth: by the key, or by its end where one of both names more folders than the
        other. Raises `InputError` when not a single one of several is of an image of the set."""
        labelled = list(samples)
        names = Counter(sample.key.rpartition("/")[2] for sample in labelled)
        made = []
        for sample in labelled:
            key = self._key(sample.key, names)
            made.append(Case(sample.key, sample.faces or Annotation(), None if key is None else self.found[key]))
            self.used.add(key or "")
        if self.found and labelled and all(case.found is None for case in made):
            raise InputError(
                f"None of the {len(self.found):,} predictions is of an image of the set: they are called like"
                f" {next(iter(self.found))}, its images like {labelled[0].key}."
            )
        return made

    def _key(self, key: str, names: Counter[str]) -> str | None:
        """What the prediction for the image `key` is called here."""
        if key in self.found:
            return key
        if (longer := self._tails.get(key)) is not None:
            return longer or None
        name = key.rpartition("/")[2]
        return name if name in self.found and names[name] == 1 else None

    @cached_property
    def _tails(self) -> dict[str, str]:
        """The one key that ends in each shorter one; empty where there are several."""
        tails: dict[str, str] = {}
        for key in self.found:
            parts = key.split("/")
            for start in range(1, len(parts)):
                tail = "/".join(parts[start:])
                tails[tail] = key if tail not in tails else ""
        return tails


def read(path: Path, format: str = "") -> Predictions:
    """The predictions at `path`: JSON lines as ``zoo run METHOD infer`` writes them, the folder with these, or a set of
    any format (recognised, or named by `format`) with boxes and scores, as a folder of WIDER FACE's text files.

    Raises `UsageError` for a path that is not there or whose format cannot be told, `InputError` for what cannot be
    read or comes without scores.
    """
    if not format and path.suffix.lower() in LINES and path.is_file():
        return _lines(path)
    if not format and (path / RECORDS).is_file():
        return _lines(path / RECORDS)
    return _samples(path, format)


def _samples(path: Path, format: str) -> Predictions:
    dataset, found = open_dataset(path, format, on_error="skip"), Predictions()
    for sample in dataset:
        faces = sample.faces or Annotation()
        if len(faces) and (faces.boxes is None or faces.scores is None):
            raise InputError(f"{path} is no set of predictions: the faces of {sample.key} have no scores.")
        found.add(sample.key, Faces.empty() if faces.boxes is None or faces.scores is None
                  else Faces(faces.boxes, faces.scores))  # fmt: skip
    found.skipped = broken(dataset)
    return found


def _lines(path: Path) -> Predictions:
    found = Predictions()
    for number, record in _records(path):
        where = f"{path} line {number}"
        name = record.get("image")
        if not isinstance(name, str) or not _is_name(name) or "frame" in record:
            raise InputError(f"{where} is no record of an image: its field image is no name, or it is of a video.")
        if "error" in record:
            found.skip(name, str(record["error"]))
            continue
        found.add(key_of(name), _faces(record.get("faces"), where))
    return found


def _is_name(text: str) -> bool:
    """Whether it is Unicode text (JSON may have halves of characters) and not empty."""
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(LONGEST), b""), 1):
                if len(line) == LONGEST:
                    raise ValueError(f"line {number} is longer than {LONGEST >> 20} MiB")
                if line.strip():
                    record = json.loads(line)
                    if not isinstance(record, dict):
                        raise ValueError("it is no JSON object")
                    yield number, record
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not of JSON lines: {error}.") from None


def _faces(rows: Any, where: str) -> Faces:
    """Boxes and scores of a record. Raises `InputError` for what they are not."""
    if rows == []:
        return Faces.empty()
    try:
        boxes = np.array([row["box"] for row in rows], np.float64)
        scores = np.array([row["score"] for row in rows], np.float64)
        fits = boxes.shape == (len(rows), 4) and scores.shape == (len(rows),)
        if not fits or not (np.abs(boxes) <= FARTHEST).all() or not np.isfinite(scores).all():
            raise ValueError
    except (TypeError, KeyError, ValueError, OverflowError):
        raise InputError(f"{where} has a face without a box of four finite numbers or without a score.") from None
    return Faces(boxes.astype(np.float32), scores.astype(np.float32))
