"""Float32 coordinates as the shortest decimal text that reads back as the same float32.

Label files are written by people and programs as ``449`` or ``488.906``; once in float32, a naive conversion back gives
``488.9060059``, and the extent of a box that was stored by its corners gives worse. What is found here is what stood
there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.types import Floats

FARTHEST = 2.0**24
"""Largest coordinate that is read or written, in pixels: beyond it float32 no longer has every whole number."""

_DIGITS = 8


def fewest(wanted: Floats, base: NDArray[np.float64] | float = 0.0) -> NDArray[np.float64]:
    """The numbers d with the fewest decimals for which ``float32(base + d) == wanted``, elementwise and of its shape.

    With the left edges as `base` and the right ones as `wanted` these are the widths. NaN stays NaN.
    """
    import numpy as np  # here, because sniffers come by this module, and every conversion by all sniffers

    exact = wanted.astype(np.float64) - base
    found = exact.copy()
    if not np.ndim(base):
        found[...] = np.array([float(str(number)) for number in wanted.ravel()]).reshape(wanted.shape)
    left = np.isfinite(exact)
    for digits in range(_DIGITS):
        if not left.any():
            break
        tried = np.round(exact, digits)
        fits = left & ((tried + base).astype(np.float32) == wanted)
        found[fits] = tried[fits]
        left &= ~fits
    return found


def text(number: float) -> str:
    """`number` without a decimal point when it is whole."""
    return str(int(number)) if number.is_integer() else repr(number)


def texts(numbers: NDArray[np.float64]) -> list[list[str]]:
    """The rows of an (N, K) array as `text`."""
    return [[text(number) for number in row] for row in numbers.tolist()]


def corners(extents: NDArray[np.float64]) -> Floats:
    """Boxes x y width height (N, 4) as x1 y1 x2 y2 in float32."""
    boxes = extents.copy()
    boxes[:, 2:] += boxes[:, :2]
    return boxes.astype("float32")


def extents(boxes: Floats) -> NDArray[np.float64]:
    """Boxes x1 y1 x2 y2 (N, 4) as x y width height with the fewest decimals; the inverse of `corners`."""
    import numpy as np

    origin = fewest(boxes[:, :2])
    return np.concatenate([origin, fewest(boxes[:, 2:], origin)], axis=1)


def in_reach(numbers: Iterable[float]) -> bool:
    """Whether all are finite and no farther than `FARTHEST`."""
    return all(-FARTHEST <= number <= FARTHEST for number in numbers)
