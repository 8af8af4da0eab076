"""The options of label files whose images lie beside them; `zoo.datasets.beside` does it. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.options import option


@dataclass(frozen=True)
class FindImages:
    """Where the images are that a label file names. Options of readers of label files derive from this class."""

    images: str = option(
        "",
        "Folder that the images' names are relative to; by default looked for beside the labels. none reads none.",
    )


@dataclass(frozen=True)
class CopyImages:
    """Whether a label file gets its images beside it. Options of writers of label files derive from this class."""

    copy_images: bool | None = option(
        None,
        "Make a folder with the labels and the images; by default images that lie in a folder of their own stay there,"
        " and for others this has to be said.",
    )
