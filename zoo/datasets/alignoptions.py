"""The options of bringing faces upright; `zoo.datasets.aligning` does it. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.options import option


@dataclass(frozen=True)
class Align:
    """Where the five keypoints come from by which each face is aligned to ArcFace's template. Without any of the two,
    images go as they are. Options of a reader that can align derive from this class."""

    keypoints: str = option(
        "", "Align by the keypoints in this file: lines of a path, a box or none, and x1 y1 to x5 y5."
    )
    detector: str = option("", "Align by the keypoints that this model finds, yunet_n for example.")
    align_size: int = option(112, "Side of the aligned images, a multiple of 112 or 128.", least=112, most=8192)
    align_format: Literal["jpeg", "png"] = option("jpeg", "Format in which aligned images are written.")
    align_quality: int = option(95, "Quality of JPEG.", least=1, most=100)
