"""The options of the folder formats. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.datasets.cropoptions import Crop
from zoo.options import option

NAMES = "What files are called after: the sample's key, or its number in six digits."


@dataclass(frozen=True)
class IdentityReadOptions:
    """Reading folders of people."""

    identities: Literal["names", "numbers"] = option(
        "names", "Folders are names, numbered in their order, or numbers already (0, 1, ... or 0000, 0001, ...)."
    )


@dataclass(frozen=True)
class IdentityWriteOptions:
    """Writing folders of people."""

    names: Literal["key", "number"] = option("key", NAMES)
    digits: int = option(0, "Pad identities that are numbers with zeros to so many digits.", least=0, most=20)


@dataclass(frozen=True)
class SidecarWriteOptions(Crop):
    """Writing images with boxes and landmarks in text files. As the Lambda fork does it: crop=padded crop_size=512
    whole_boxes=true."""

    names: Literal["key", "number"] = option("key", NAMES)
    whole_boxes: bool = option(False, "Cut the coordinates of boxes off to whole pixels, which some readers need.")


@dataclass(frozen=True)
class FaceSyntheticsReadOptions:
    """Reading FaceSynthetics."""

    points: Literal["all", "68"] = option("all", "Take all points of a file, or the first 68 of 70 (without pupils).")
    masks: bool = option(True, "Read the segmentation masks, NAME_seg.png, where there are such.")


@dataclass(frozen=True)
class FaceSyntheticsWriteOptions(Crop):
    """Writing the layout of FaceSynthetics. Frames of the usual size: crop=padded crop_size=512."""

    names: Literal["key", "number"] = option("key", f"{NAMES} insightface's programs look for numbers.")
    layout: Literal["flat", "folders"] = option("flat", "All files in one folder, or in img, ldmks and so on.")
    corners: Literal["source", "box", "none"] = option(
        "source", "Corners of 256-pixel windows: those of the source, computed from the box, or none."
    )


@dataclass(frozen=True)
class PatchWriteOptions(Crop):
    """Writing landmark patches. With crop_rotation each face gets a second, turned patch NAME_r."""

    crop: Literal["none", "affine", "padded", "clipped"] = option(
        "clipped", "How faces are cut out; clipped is the original's way, none takes the images as they are."
    )
    crop_scale: float = option(1.1, "Side of the square, in longer sides of the box.", least=0.01, most=100)
    names: Literal["key", "number"] = option("key", NAMES)
    upright: bool = option(True, "Write the patch that is not turned, beside the turned one.")
    centre: Literal["original", "middle", "none"] = option(
        "original", "Centre of .cpts: the original's ((l + w) / 2, (t + h) / 2), the crop's middle, or no .cpts."
    )
