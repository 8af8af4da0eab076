"""The options of the landmark formats. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.datasets.besideoptions import CopyImages, FindImages
from zoo.datasets.cropoptions import Crop
from zoo.options import option

ORIGIN = (
    "What the files call the first pixel: 0 takes the coordinates as they stand, 1 is MATLAB's counting, which menpo"
    " assumes."
)


@dataclass(frozen=True)
class PtsReadOptions:
    """Reading .pts files."""

    origin: int = option(0, ORIGIN, least=0, most=1)


@dataclass(frozen=True)
class PtsWriteOptions(Crop):
    """Writing .pts files."""

    names: Literal["key", "number"] = option(
        "key", "What files are called after: the sample's key, or its number in six digits."
    )
    origin: int = option(0, ORIGIN, least=0, most=1)
    decimals: int = option(6, "Decimals of coordinates: 6 as in 300W, 3 as menpo writes.", least=0, most=9)


@dataclass(frozen=True)
class DlibReadOptions(FindImages):
    """Reading dlib's XML."""

    each_face: bool = option(False, "Make each face a sample of its own, KEY-0, KEY-1 and so on.")


@dataclass(frozen=True)
class DlibWriteOptions(CopyImages):
    """Writing dlib's XML."""

    decimals: int = option(0, "Decimals of coordinates; dlib itself reads whole numbers only.", least=0, most=6)
    boxes: Literal["source", "landmarks"] = option(
        "source", "Take the source's boxes, or those around the landmarks, for a source that has none."
    )
