"""The options of writing ``annot.pkl``. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.datasets.cropoptions import Crop
from zoo.options import option


@dataclass(frozen=True)
class WriteOptions(Crop):
    """How images and their landmarks are written. With ``crop=affine`` the rest is as prepare_synthetics.py has it."""

    names: Literal["key", "number"] = option("key", "Names of the images: the samples' keys, or numbers of six digits.")
    take: Literal["all", "68"] = option(
        "all", "Of more than 68 landmarks: refuse the sample (all), or take the first 68, as of FaceSynthetics."
    )
    numpy: Literal["1", "2"] = option(
        "1", "Names of NumPy's modules in the pickle: those of NumPy 1, which NumPy 2 reads too, or those of NumPy 2."
    )
    crop_size: int = option(384, "Side of the written image in pixels; 0 keeps the scale.", least=0, most=8192)
    crop_format: Literal["jpeg", "png"] = option("jpeg", "Format in which what was cut out is written.")
