"""Labelled photographs and random faces for the tests of training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from zoo.training.targets import Targets  # noqa: E402

FIVE = (slice(36, 42), slice(42, 48), slice(30, 31), slice(48, 49), slice(54, 55))
"""Which of the 68 points of 300-W make the five: the eyes' means, the tip of the nose, the corners of the mouth."""


PAIR = ("2008_001322.jpg", "2008_001009.jpg")
"""Two photographs of dlib with three and two large faces."""


def labels(fixtures: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Boxes (N, 4) and keypoints (N, 5, 3) of dlib's photographs by file name."""
    found = {}
    for path in sorted((fixtures / "dlib").glob("*_with_face_landmarks.xml")):
        for image in ElementTree.parse(path).iter("image"):
            faces = list(image.iter("box"))
            corners = np.array(
                [[float(face.get(side, "")) for side in ("left", "top", "width", "height")] for face in faces]
            )
            corners[:, 2:] += corners[:, :2]
            points = np.array(
                [[[float(p.get("x", "")), float(p.get("y", ""))] for p in face.iter("part")] for face in faces]
            )
            five = np.stack([points[:, part].mean(axis=1) for part in FIVE], axis=1)
            found[image.get("file", "")] = corners, np.concatenate([five, np.ones((*five.shape[:2], 1))], axis=2)
    return found


def labelled(folder: Path, fixtures: Path, names: Sequence[str] = PAIR, side: int = 0) -> Path:
    """The photographs `names` as labelv2, boxes with their keypoints; with `side` as squares of so many pixels."""
    lines = []
    for name in names:
        image = cv2.imread(str(fixtures / "dlib" / name))
        assert image is not None
        height, width = (side, side) if side else image.shape[:2]
        boxes, points = labels(fixtures)[name]
        scale = np.array([width / image.shape[1], height / image.shape[0]])
        (folder / "images").mkdir(parents=True, exist_ok=True)
        resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / "images" / name), resized, [cv2.IMWRITE_JPEG_QUALITY, 95])
        lines.append(f"# {name} {width} {height}")
        for box, five in zip((boxes * np.tile(scale, 2)).round(), points * np.append(scale, 1), strict=True):
            lines.append(" ".join(f"{number:g}" for number in [*box, *five.ravel()]))
    (folder / "labelv2.txt").write_text("\n".join(lines) + "\n")
    return folder / "labelv2.txt"


def photographs(fixtures: Path, names: list[str], side: int) -> tuple[Any, Targets]:
    """The photographs `names` of dlib scaled to squares of `side`: (B, 3, side, side) float32 0..255 BGR, and faces."""
    images, boxes, keypoints = [], [], []
    for name in names:
        image = cv2.imread(str(fixtures / "dlib" / name))
        assert image is not None
        scale = np.array([side / image.shape[1], side / image.shape[0]])
        corners, points = labels(fixtures)[name]
        images.append(torch.from_numpy(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)))
        boxes.append(torch.from_numpy(corners * np.tile(scale, 2)).float())
        keypoints.append(torch.from_numpy(points * np.append(scale, 1)).float())
    return torch.stack(images).permute(0, 3, 1, 2).float(), Targets.stack(boxes, keypoints, (side, side))


def faces(counts: tuple[int, ...], size: tuple[int, int], seed: int, least: float = 6.0, most: float = 60.0) -> Targets:
    """Random faces, as many in each image as `counts` say; of some the keypoints are unknown."""
    draw = torch.Generator().manual_seed(seed)
    boxes, keypoints = [], []
    for count in counts:
        sides = least + torch.rand(count, 2, generator=draw) * (most - least)
        centres = torch.rand(count, 2, generator=draw) * torch.tensor([size[1], size[0]])
        boxes.append(torch.cat([centres - sides / 2, centres + sides / 2], 1))
        points = centres[:, None] + (torch.rand(count, 5, 2, generator=draw) - 0.5) * sides[:, None]
        known = (torch.rand(count, generator=draw) > 0.3).float()[:, None, None].expand(-1, 5, 1)
        keypoints.append(torch.cat([points * known, known], 2))
    return Targets.stack(boxes, keypoints, size)
