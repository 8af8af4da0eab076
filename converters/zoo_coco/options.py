"""The options of the COCO format. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.datasets.besideoptions import CopyImages, FindImages
from zoo.options import option


@dataclass(frozen=True)
class CocoReadOptions(FindImages):
    """Reading COCO."""

    category: str = option("", "Take only annotations of this category, a name or a number; by default all are faces.")
    image_list: str = option(
        "", "File that says which images a list of detections is of; by default coco_images.json beside coco.json."
    )


@dataclass(frozen=True)
class CocoWriteOptions(CopyImages):
    """Writing COCO."""

    category: str = option("face", "Name of the one category.")
