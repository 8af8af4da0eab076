"""The options of the COCO format. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.options import option


@dataclass(frozen=True)
class CocoReadOptions:
    """Reading COCO."""

    images: str = option(
        "", "Folder that the names of images are relative to; by default looked for beside the labels. none reads none."
    )
    category: str = option("", "Take only annotations of this category, a name or a number; by default all are faces.")
    image_list: str = option(
        "", "File that says which images a list of detections is of; by default coco_images.json beside coco.json."
    )


@dataclass(frozen=True)
class CocoWriteOptions:
    """Writing COCO."""

    copy_images: bool | None = option(
        None,
        "Make a folder with the labels and the images; by default images that lie in a folder of their own stay there,"
        " and for others this has to be said.",
    )
    category: str = option("face", "Name of the one category.")
