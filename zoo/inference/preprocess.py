"""From an image to the tensor that a network expects.

A `Preprocessor` carries out a card's `Preprocess`: resize, pad on the right and at the bottom, order the channels,
subtract the mean and scale. What it did to the coordinates is kept, so that faces can be carried back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import cv2
import numpy as np

from zoo.errors import UsageError
from zoo.specs import Preprocess
from zoo.types import Faces, Floats, Image

LARGEST_SIDE = 16384
"""Largest input side in pixels that may be asked for."""


@dataclass(frozen=True)
class Size:
    """How large the network sees an image.

    Both 0: as it is. Only `width`: the longest side becomes that long. Both: as large as fits into width x height,
    which is the tensor's size whatever the image's shape.
    """

    width: int = 0
    height: int = 0

    @property
    def letterbox(self) -> bool:
        """Whether the tensor has this very size."""
        return bool(self.width and self.height)


def parse_sizes(text: str) -> tuple[Size, ...]:
    """The sizes that an option names: ``original``, ``1280``, ``640x640``, several with commas between.

    Raises `UsageError` for anything else.
    """
    return tuple(_parse_size(part.strip().lower(), text) for part in text.split(","))


def _parse_size(part: str, text: str) -> Size:
    if part == "original":
        return Size()
    found = re.fullmatch(r"([0-9]{1,5})(?:x([0-9]{1,5}))?", part)
    sides = [int(side) for side in found.groups() if side is not None] if found else []
    if not sides or not all(1 <= side <= LARGEST_SIDE for side in sides):
        raise UsageError(
            f"The size {text!r} is not understood: write original, 1280 (longest side) or 640x640 (width x height),"
            f" sides from 1 to {LARGEST_SIDE}, several with commas between."
        )
    return Size(*sides)


@dataclass(frozen=True)
class Fitted:
    """An image as a network gets it: `tensor` (1, 3, H, W) float32, and how many of its pixels one pixel of the image
    became, across and down."""

    tensor: Floats
    scale_x: float
    scale_y: float

    @property
    def width(self) -> int:
        """Of the tensor, in pixels."""
        return int(self.tensor.shape[3])

    @property
    def height(self) -> int:
        """Of the tensor, in pixels."""
        return int(self.tensor.shape[2])

    def to_image(self, faces: Faces) -> Faces:
        """`faces` found in the tensor, in pixels of the image."""
        factors = np.array([1 / self.scale_x, 1 / self.scale_y], np.float32)
        keypoints = None if faces.keypoints is None else faces.keypoints * factors
        return replace(faces, boxes=faces.boxes * np.tile(factors, 2), keypoints=keypoints)


class Preprocessor:
    """Carries out `contract`. Safe to use from several threads."""

    def __init__(self, contract: Preprocess) -> None:
        means = np.asarray(contract.mean, np.float64)[:, None]
        values = np.append(np.arange(256.0), contract.pad)
        deviations = np.asarray(contract.std, np.float64)[:, None]
        table = ((values - means) * contract.scale / deviations).astype(np.float32)
        self._tables, self._pads = np.ascontiguousarray(table[:, :256]), table[:, 256]
        self._as_it_is = contract.scale == 1 and not any(contract.mean) and contract.std == (1, 1, 1)
        self._last = contract.layout == "nhwc"
        self._planes = (2, 1, 0) if contract.colour == "rgb" else (0, 1, 2)
        self._multiple = contract.multiple

    def fit(self, image: Image, size: Size) -> Fitted:
        """`image` (H, W, 3) uint8 BGR at `size`, padded so that both sides are multiples of the contract's."""
        height, width = image.shape[:2]
        inner_width, inner_height = _inner_size(width, height, size)
        if (inner_width, inner_height) != (width, height):
            image = cv2.resize(image, (inner_width, inner_height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        outer = (size.width, size.height) if size.letterbox else (inner_width, inner_height)
        tensor = self._tensor(image, *(-(-side // self._multiple) * self._multiple for side in outer))
        return Fitted(tensor, inner_width / width, inner_height / height)

    def tensor(self, image: Image) -> Floats:
        """`image` (H, W, 3) uint8 BGR at its own size: (1, 3, H, W) float32."""
        return self._tensor(image, image.shape[1], image.shape[0])

    def laid_out(self, tensor: Floats) -> Floats:
        """A tensor (N, 3, H, W) in the order of dimensions that the network takes."""
        return np.ascontiguousarray(tensor.transpose(0, 2, 3, 1)) if self._last else tensor

    def _tensor(self, image: Image, outer_width: int, outer_height: int) -> Floats:
        """A look-up a channel, written straight into its place: a quarter of the time of `cv2.dnn.blobFromImage`."""
        height, width = image.shape[:2]
        tensor = np.empty((1, 3, outer_height, outer_width), np.float32)
        for channel, source in enumerate(self._planes):
            plane = tensor[0, channel]
            if self._as_it_is:
                np.copyto(plane[:height, :width], image[:, :, source])
            else:
                cv2.LUT(cv2.extractChannel(image, source), self._tables[channel], dst=plane[:height, :width])
            plane[height:] = plane[:height, width:] = self._pads[channel]
        return tensor


def _inner_size(width: int, height: int, size: Size) -> tuple[int, int]:
    """What a `width` x `height` image is resized to: (width, height) in pixels, at least 1.

    The letterbox rounds down as InsightFace's ``scrfd.py`` does, from which the known values come.
    """
    if not size.width:
        return width, height
    if not size.height:
        factor = size.width / max(width, height)
        return max(1, round(width * factor)), max(1, round(height * factor))
    ratio = height / width
    if ratio > size.height / size.width:
        return max(1, int(size.height / ratio)), size.height
    return size.width, max(1, int(size.width * ratio))
