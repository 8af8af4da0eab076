"""The options of the WIDER FACE formats. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.options import option

IMAGES = (
    "Folder that the names of the images are relative to; by default looked for beside the labels. none reads none."
)
COPY = (
    "Make a folder with the labels and the images; by default images that lie in a folder of their own stay there, and"
    " for others this has to be said."
)


@dataclass(frozen=True)
class LabelOptions:
    """Reading label files."""

    images: str = option("", IMAGES)


@dataclass(frozen=True)
class MatOptions:
    """Reading the MATLAB files."""

    images: str = option("", IMAGES)
    setting: Literal["all", "easy", "medium", "hard"] | None = option(
        None, "Mark all faces but those of this setting as ignored; by default the setting of the file itself."
    )


@dataclass(frozen=True)
class PredictionOptions:
    """Reading detections, which come without images unless a folder is named."""

    images: str = option("none", "Folder that the images lie in, by event; none reads none.")


@dataclass(frozen=True)
class WriteOptions:
    """Writing label files."""

    copy_images: bool | None = option(None, COPY)


@dataclass(frozen=True)
class WiderTextOptions(WriteOptions):
    """Writing WIDER FACE's text labels."""

    drop_attributes: bool = option(False, "Leave out attributes that WIDER FACE does not have, instead of refusing.")
