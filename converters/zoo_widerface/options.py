"""The options of the WIDER FACE formats. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.datasets.besideoptions import CopyImages, FindImages
from zoo.options import option


@dataclass(frozen=True)
class LabelReadOptions(FindImages):
    """Reading label files."""


@dataclass(frozen=True)
class MatReadOptions(FindImages):
    """Reading the MATLAB files."""

    setting: Literal["all", "easy", "medium", "hard"] | None = option(
        None, "Mark all faces but those of this setting as ignored; by default the setting of the file itself."
    )


@dataclass(frozen=True)
class PredictionReadOptions:
    """Reading detections, which come without images unless a folder is named."""

    images: str = option("none", "Folder that the images lie in, by event; none reads none.")


@dataclass(frozen=True)
class LabelWriteOptions(CopyImages):
    """Writing label files."""


@dataclass(frozen=True)
class WiderTextWriteOptions(LabelWriteOptions):
    """Writing WIDER FACE's text labels."""

    drop_attributes: bool = option(False, "Leave out attributes that WIDER FACE does not have, instead of refusing.")
