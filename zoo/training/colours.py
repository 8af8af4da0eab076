"""Augmentation of colours alone, as steps of `zoo.training.augment`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zoo.training.augment import Labelled
from zoo.types import Image

LEVELS = np.arange(256, dtype=np.float64)

STRIP = 32
"""Rows of an image that are worked on in one go in floating point: they stay in the cache, which halves the time."""


@dataclass(frozen=True)
class Photometric:
    """SCRFD's PhotoMetricDistortion, each part with probability one half.

    Added are up to `brightness` grey levels; multiplied, before or after the change of colours, by a `contrast`; in
    HSV the saturation is multiplied and up to `hue` degrees of 360 are added; then the channels change places. All of
    that in floating point; in the end numbers are rounded to bytes (the original hands out of range ones on).
    """

    brightness: float = 32
    contrast: tuple[float, float] = (0.5, 1.5)
    saturation: tuple[float, float] = (0.5, 1.5)
    hue: float = 18

    def __call__(self, sample: Labelled, dice: np.random.Generator) -> Labelled:
        """See the class."""
        shift = dice.uniform(-self.brightness, self.brightness) if dice.integers(2) else 0.0
        contrast = dice.uniform(*self.contrast) if dice.integers(2) else 1.0
        early = bool(dice.integers(2))
        saturation = dice.uniform(*self.saturation) if dice.integers(2) else 1.0
        turn = dice.uniform(-self.hue, self.hue) if dice.integers(2) else 0.0
        order = dice.permutation(3) if dice.integers(2) else np.arange(3)
        if saturation == 1 and turn == 0:
            image = _looked_up(sample.image, np.clip(np.rint((LEVELS + shift) * contrast), 0, 255).astype(np.uint8))
        else:
            table = ((LEVELS + shift) * (contrast if early else 1)).astype(np.float32)
            image = np.empty_like(sample.image)
            for top in range(0, len(image), STRIP):
                colours = cv2.LUT(sample.image[top : top + STRIP], table)
                image[top : top + STRIP] = _turned(colours, saturation, turn, 1 if early else contrast)
        return replace(sample, image=image if (order == np.arange(3)).all() else _reordered(image, order))


@dataclass(frozen=True)
class ByteDistortion:
    """RetinaFace's distortion, each part with probability one half, in bytes that are cut off after each part.

    Added are up to `brightness` grey levels; multiplied, before or after the change of colours, by a `contrast`; in
    HSV the saturation is multiplied and up to `hue` steps of two degrees are added.
    """

    brightness: float = 32
    contrast: tuple[float, float] = (0.5, 1.5)
    saturation: tuple[float, float] = (0.5, 1.5)
    hue: int = 18

    def __call__(self, sample: Labelled, dice: np.random.Generator) -> Labelled:
        """See the class."""
        early = bool(dice.integers(2))
        table = _bytes(LEVELS + dice.uniform(-self.brightness, self.brightness)) if dice.integers(2) else _bytes(LEVELS)
        contrast = _bytes(LEVELS * dice.uniform(*self.contrast)) if dice.integers(2) else _bytes(LEVELS)
        colours: Any = cv2.cvtColor(_looked_up(sample.image, contrast[table] if early else table), cv2.COLOR_BGR2HSV)
        hues, saturations = LEVELS, _bytes(LEVELS)
        if dice.integers(2):
            saturations = _bytes(LEVELS * dice.uniform(*self.saturation))
        if dice.integers(2):
            hues = (LEVELS + dice.integers(-self.hue, self.hue, endpoint=True)) % 180
        tables = np.stack([_bytes(hues), saturations, _bytes(LEVELS)], axis=1)[None]
        image: Any = cv2.cvtColor(cv2.LUT(colours, tables), cv2.COLOR_HSV2BGR)
        return replace(sample, image=image if early else _looked_up(image, contrast))


def _turned(colours: Any, saturation: float, turn: float, contrast: float) -> Image:
    """Float32 colours (H, W, 3) with another saturation and hue, times `contrast`, rounded and cut off to bytes."""
    turned: Any = cv2.cvtColor(colours, cv2.COLOR_BGR2HSV)
    turned = cv2.transform(turned, np.array([[1, 0, 0, turn], [0, saturation, 0, 0], [0, 0, 1, 0]]))
    if turn:  # hues are angles, and OpenCV takes them from 0 to 360 alone
        hues: Any = cv2.extractChannel(turned, 0)
        hues -= np.float32(360) * ((hues > 360).astype(np.float32) - (hues < 0).astype(np.float32))
        cv2.insertChannel(hues, turned, 0)
    factor: Any = (contrast,) * 4
    return np.asarray(cv2.multiply(cv2.cvtColor(turned, cv2.COLOR_HSV2BGR), factor, dtype=cv2.CV_8U), np.uint8)


def _looked_up(image: Image, table: NDArray[np.uint8]) -> Image:
    return np.asarray(cv2.LUT(image, table), np.uint8)


def _reordered(image: Image, order: NDArray[np.int64]) -> Image:
    result = np.empty_like(image)
    cv2.mixChannels([image], [result], np.stack([order, np.arange(3)], axis=1).ravel().tolist())
    return result


def _bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Cut off at 0 and 255, fractions dropped."""
    return np.clip(values, 0, 255).astype(np.uint8)
