"""The options of cutting faces out of images; `zoo.datasets.cropping` does it. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.options import option


@dataclass(frozen=True)
class Crop:
    """How one face is cut out of each image. Options of a writer that can crop derive from this class, with defaults of
    their own.

    The three ways are those of the programs whose files are written: ``affine`` turns, scales and shifts in one step
    (insightface's synthetics: 384 pixels of a square 1.5 times the box), ``padded`` cuts a square of whole pixels,
    black outside the image (the Lambda fork: 512 pixels, 1.5 times), ``clipped`` cuts that square off at the image's
    border, so that it need not stay a square (the 56-pixel landmark patches: 1.1 times).
    """

    crop: Literal["none", "affine", "padded", "clipped"] = option(
        "none", "Cut the face out: affine (with sub-pixel precision), padded with black, or clipped at the border."
    )
    crop_around: Literal["face", "landmarks", "image"] = option(
        "face", "What is cut out: the face's box (its landmarks without one), its landmarks, or the whole image."
    )
    crop_scale: float = option(1.5, "Side of the square, in longer sides of the box.", least=0.01, most=100)
    crop_size: int = option(0, "Side of the written image in pixels; 0 keeps the scale.", least=0, most=8192)
    crop_rotation: float = option(
        0.0, "Turn each face by a random angle of up to so many degrees either way.", least=0, most=180
    )
    crop_seed: int = option(0, "Seed of the random angles; with the key of an image it decides its angle.")
    crop_faces: Literal["one", "largest"] = option(
        "one", "Images of several faces: refuse them (one), or take the largest face."
    )
    crop_format: Literal["jpeg", "png"] = option("png", "Format in which what was cut out is written.")
    crop_quality: int = option(95, "Quality of JPEG.", least=1, most=100)
