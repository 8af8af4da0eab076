"""Labelled photographs to learn from: dlib's among the fixtures, or drawings where there are none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from itertools import product
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.photographs import FIXTURES
from zoo.datasets.dataset import open_dataset
from zoo.training.augment import Labelled
from zoo.training.feed import label
from zoo.types import Image

DLIB = FIXTURES / "dlib"
FILES = ("training_with_face_landmarks.xml", "testing_with_face_landmarks.xml")
LONGEST = 1024
"""The longer side of what `many` writes, in pixels: as of most images of WIDER FACE, so that decoding costs as much."""
DRAWN = 9
"""How many different drawings there are."""


def known() -> tuple[str, ...]:
    """The names of dlib's photographs, none where they are not on this machine."""
    trees = (ElementTree.parse(DLIB / file) for file in FILES if (DLIB / file).is_file())
    return tuple(sorted(image.get("file", "") for tree in trees for image in tree.iter("image")))


def photographs(folder: Path, names: Collection[str] = (), copies: int = 1) -> Path:
    """Those of dlib's photographs that are called `names`, all by default, in `folder` as one labelled set: boxes as
    its XML has them, and 68 landmarks, of which training makes five keypoints. Each is there under so many names as
    `copies` says, so that an epoch shows it as often, each time augmented in another way."""
    folder.mkdir(parents=True)
    root = ElementTree.Element("dataset")
    images = ElementTree.SubElement(root, "images")
    for file, copy in product(FILES, range(copies)):
        for image in ElementTree.parse(DLIB / file).iter("image"):
            name = image.get("file", "")
            if not names or name in names:
                image.set("file", f"{copy}_{name}")
                images.append(image)
                shutil.copy(DLIB / name, folder / f"{copy}_{name}")
    path = folder / "faces.xml"
    ElementTree.ElementTree(root).write(path)
    return path


def many(folder: Path, count: int) -> Path:
    """`count` labelled JPEGs in `folder` as labelv2: dlib's photographs, or drawings, `LONGEST` pixels long, each under
    several names (hard links)."""
    (folder / "images").mkdir(parents=True)
    lines, written = list[str](), list[tuple[Path, Labelled]]()
    for number, picture in enumerate(_pictures()):
        path = folder / "images" / f"{number:05d}.jpg"
        cv2.imwrite(str(path), picture.image, [cv2.IMWRITE_JPEG_QUALITY, 90])
        written.append((path, picture))
    for number in range(count):
        path, picture = written[number % len(written)]
        name = f"{number:05d}.jpg"
        if number >= len(written):
            os.link(path, folder / "images" / name)
        lines.append(f"# {name} {picture.image.shape[1]} {picture.image.shape[0]}")
        rows = np.column_stack([picture.boxes, picture.keypoints.reshape(-1, 15)])
        lines += (" ".join(f"{value:.2f}" for value in row) for row in rows)
    (folder / "labelv2.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "labelv2.txt"


def _pictures() -> Iterator[Labelled]:
    if not known():
        yield from map(drawing, range(DRAWN))
        return
    with tempfile.TemporaryDirectory() as folder:
        for sample in open_dataset(photographs(Path(folder) / "set")):
            small = label(sample)
            scale = LONGEST / max(small.image.shape[:2])
            image: Any = cv2.resize(small.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            yield small.moved(image, (scale, scale))


def drawing(seed: int) -> Labelled:
    """A drawing with up to ten faces: a coarse noise, and ovals with two eyes, a nose and a mouth."""
    dice = np.random.default_rng(seed)
    coarse = dice.integers(0, 256, (48, 64, 3), np.uint8)
    image: Any = cv2.resize(coarse, (LONGEST, LONGEST * 3 // 4), interpolation=cv2.INTER_CUBIC)
    sides = dice.uniform(40, 200, dice.integers(1, 11))
    corners = dice.random((len(sides), 2)) * (np.array(image.shape[1::-1]) - sides[:, None])
    inside = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.75], [0.65, 0.75]])
    points = corners[:, None] + inside * sides[:, None, None]
    for corner, side, five in zip(corners, sides, points, strict=True):
        _face(image, corner, float(side), five)
    boxes = np.column_stack([corners, corners + sides[:, None]]).astype(np.float32)
    keypoints = np.concatenate([points, np.ones((len(sides), 5, 1))], 2).astype(np.float32)
    return Labelled(image, boxes, keypoints, np.zeros(len(sides), np.bool_))


def _face(image: Image, corner: NDArray[np.float64], side: float, five: NDArray[np.float64]) -> None:
    middle, half = (corner + side / 2).astype(int).tolist(), int(side / 2)
    cv2.ellipse(image, middle, (int(half * 0.8), half), 0, 0, 360, (150, 180, 220), -1)
    for point in five[:3].astype(int).tolist():
        cv2.circle(image, point, max(2, half // 8), (40, 30, 20), -1)
    left, right = five[3:].astype(int).tolist()
    cv2.line(image, left, right, (60, 60, 180), max(2, half // 8))
