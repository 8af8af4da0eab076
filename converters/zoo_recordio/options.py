"""The options of reading and writing RecordIO sets. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.options import option


@dataclass(frozen=True)
class ReadOptions:
    """How a set is read."""

    index: Literal["auto", "trust", "scan"] = option(
        "auto", "Take the .idx when it fits the .rec, take it in any case, or do without and scan the .rec."
    )
    lst: bool = option(True, "Name the images after the .lst, where there is one with a line for each image.")


@dataclass(frozen=True)
class WriteOptions:
    """What the writers of both formats share."""

    encoding: Literal["jpeg", "png"] = option("jpeg", "How images are encoded that come as bare pixels.")
    quality: int = option(95, "JPEG quality of images that come as bare pixels.", least=1, most=100)


@dataclass(frozen=True)
class InsightfaceOptions(WriteOptions):
    """How an insightface set is laid out."""

    layout: Literal["recbuilder", "insightface", "package", "sequential"] = option(
        "recbuilder",
        "Where the header record is: last, as RecBuilder has it; before the identities, as face2rec2 has it; nowhere,"
        " with train.meta, as the Python package has it; nowhere. The last two need no grouping by identity.",
    )
    list: Literal["insightface", "im2rec", "none"] = option(
        "insightface", "Columns of train.lst: aligned, path, label; or key, label, path; or no such file."
    )


@dataclass(frozen=True)
class Im2recOptions(WriteOptions):
    """How an im2rec set is written."""

    name: str = option("train", "Name of the files: NAME.rec, NAME.idx, NAME.lst.")
    list: Literal["im2rec", "insightface", "none"] = option(
        "im2rec", "Columns of NAME.lst: key, label, path; or aligned, path, label; or no such file."
    )
