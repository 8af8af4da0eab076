"""The photographs with which a network is calibrated."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from zoo.datasets.dataset import Dataset, open_dataset
from zoo.datasets.recognise import SURE, ranked
from zoo.datasets.sample import Annotation
from zoo.errors import InputError, WeightsError
from zoo.images import read
from zoo.inference import sources
from zoo.plugins import catalogue
from zoo.types import Floats, Image
from zoo.weights import WeightStore

LONGEST = 1280
"""Larger photographs are made smaller to this longest side in pixels: a hundred of them are to fit into memory."""

FEW = 16
"""Fewer photographs than this are used, and told to be few."""


@dataclass(frozen=True)
class Picture:
    """One photograph, (H, W, 3) uint8 BGR. `boxes` (N, 4) are its faces where somebody has annotated them, those
    included that need not be found."""

    name: str
    image: Image
    boxes: Floats | None = None


@dataclass(frozen=True)
class Pictures:
    """Photographs from `where`, and how many could not be read."""

    where: str
    pictures: tuple[Picture, ...]
    skipped: int = 0

    @property
    def few(self) -> bool:
        """Whether they are too few to say much."""
        return len(self.pictures) < FEW


def collect(text: str, limit: int) -> Pictures:
    """At most `limit` photographs of what the option ``calibrate`` says, spread over all of it. What cannot be read is
    left out and counted.

    Raises `UsageError` where there is nothing there, `InputError` where nothing of it can be read.
    """
    if not text:
        return _samples(limit)
    named, path = _split(text)
    dataset = _dataset(path, named)
    found, skipped = _of_set(dataset, limit) if dataset else _of_folder(path, limit)
    if not found:
        raise InputError(f"{path} holds no photograph that can be read, so nothing can be calibrated with it.")
    return Pictures(text, tuple(found), skipped)


def _samples(limit: int) -> Pictures:
    """The zoo's sample photographs that are at hand or can be fetched."""
    found = []
    for name in itertools.islice(catalogue().samples, limit):
        card = catalogue().samples[name]
        try:
            path = WeightStore().path(card.file, f"sample:{name}", card.licence)
        except WeightsError:
            continue
        found.append(_picture(f"sample:{name}", read(path)))
    if not found:
        raise InputError(
            "No sample photograph is at hand: say with calibrate=PATH which photographs to calibrate with."
        )
    return Pictures("the sample photographs", tuple(found))


def _split(text: str) -> tuple[str, Path]:
    named, _, path = text.partition(":")
    if path and named in catalogue().formats:
        return named, Path(path)
    return "", Path(text)


def _dataset(path: Path, format: str) -> Dataset | None:
    """The data set at `path`, None for a mere folder or pattern of photographs."""
    if format:
        return open_dataset(path, format, on_error="skip")
    sets = [found for found in ranked(path, catalogue().formats) if _is_set(found.format)]
    return open_dataset(path, sets[0].format, on_error="skip") if sets and sets[0].confidence >= SURE else None


def _is_set(format: str) -> bool:
    return "model" not in catalogue().formats.document(format)["kinds"]


def _of_set(dataset: Dataset, limit: int) -> tuple[list[Picture], int]:
    count = dataset.about.count
    step = max(1, (count or 0) // limit)
    found, bad = list[Picture](), 0
    for sample in itertools.islice(dataset, 0, None, step):
        if len(found) == limit:
            break
        if sample.image is None:
            continue
        try:
            image = sample.image.decode(sample.key)
        except InputError:
            bad += 1
            continue
        found.append(_picture(sample.key, image, sample.faces))
    return found, bad + dataset.skipped


def _of_folder(path: Path, limit: int) -> tuple[list[Picture], int]:
    plan = sources.plan((str(path),))
    step = max(1, (plan.total or 0) // limit)
    found, skipped = list[Picture](), 0
    for item in itertools.islice(plan.items(), 0, None, step):
        if len(found) == limit:
            break
        try:
            found.append(_picture(item.name, item.load()))
        except InputError:
            skipped += 1
    return found, skipped


def _picture(name: str, image: Image, faces: Annotation | None = None) -> Picture:
    """The photograph no larger than is useful, with its annotated boxes."""
    boxes = None if faces is None or faces.boxes is None else np.asarray(faces.boxes, np.float32)
    factor = LONGEST / max(image.shape[:2])
    if factor < 1:
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        boxes = None if boxes is None else boxes * np.float32(factor)
    return Picture(name, image, boxes)
