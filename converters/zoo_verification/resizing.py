"""Images of any size to squares."""

from __future__ import annotations

import cv2
import numpy as np

from zoo.types import Image


def square(image: Image, size: int) -> Image:
    """`image` scaled so that its shorter side has `size` pixels, and the middle of it: (size, size, 3)."""
    height, width = image.shape[:2]
    scale = size / min(height, width)
    across, down = max(size, round(width * scale)), max(size, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = np.asarray(cv2.resize(image, (across, down), interpolation=method), np.uint8)
    left, top = (across - size) // 2, (down - size) // 2
    return np.ascontiguousarray(scaled[top : top + size, left : left + size])
