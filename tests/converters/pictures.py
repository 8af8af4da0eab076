"""Small images, and reading whole sets."""

from __future__ import annotations

import functools

import numpy as np

from zoo import images
from zoo.datasets.formats import Reader
from zoo.datasets.sample import Broken, EncodedImage, Sample


@functools.cache
def picture(width: int, height: int, seed: int = 0, suffix: str = ".jpg") -> EncodedImage:
    """Noise, as JPEG or PNG."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return EncodedImage(images.encode(pixels, suffix), {".jpg": "jpeg", ".png": "png"}[suffix])


def read_all(reader: Reader, unit: int = 7) -> list[Sample]:
    """All samples, read unit by unit; none may be broken."""
    found = [one for part in reader.units(unit) for one in reader.read(part)]
    broken = [one for one in found if isinstance(one, Broken)]
    assert not broken, broken[0]
    return [one for one in found if isinstance(one, Sample)]
