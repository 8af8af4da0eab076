"""A small real detector for tests that need no weights: it finds red rectangles. And pictures that have some."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from zoo.inference.model import Model
from zoo.types import Faces, Image

RED = (0, 0, 255)


def picture(width: int = 64, height: int = 48, *boxes: tuple[int, int, int, int]) -> Image:
    """Grey, with red rectangles at `boxes` (x1, y1, x2, y2)."""
    image = np.full((height, width, 3), 90, np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = RED
    return image


def save(path: Path, *boxes: tuple[int, int, int, int]) -> Path:
    """Write a picture with `boxes` in the format that the suffix of `path` names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture(64, 48, *(boxes or ((8, 8, 24, 24),))))
    return path


def find_red(image: Image, faces: Faces | None = None) -> Faces:
    """The red rectangles of `image`, from left to right, each with the score 1 and five keypoints."""
    blue, _, red = (image[..., channel].astype(int) for channel in range(3))
    mask = ((red > 180) & (blue < 90)).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    found = sorted((x, y, x + w, y + h) for x, y, w, h, area in stats[1:].tolist() if area > 20)
    boxes = np.array(found, np.float32).reshape(-1, 4)
    points = np.linspace(boxes[:, :2], boxes[:, 2:], 7, axis=1)[:, 1:6]
    return Faces(boxes, np.ones(len(boxes)), points)


class RedDetector(Model):
    """`find_red` as a loaded model, which counts how many images it was given at once."""

    runtime, device = "numpy", "cpu"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def detect(self, pictures: Sequence[Image], known: Sequence[Faces] | None = None) -> list[Faces]:
        self.batches.append(len(pictures))
        return [find_red(picture) for picture in pictures]
