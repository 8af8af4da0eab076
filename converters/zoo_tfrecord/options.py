"""The options of the TFRecord formats. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.datasets.cropoptions import Crop
from zoo.options import option


@dataclass(frozen=True)
class ReadOptions:
    """How TFRecord files are read."""

    verify: bool = option(True, "Check the checksum of each record; those of lengths are always checked.")


@dataclass(frozen=True)
class FileOptions:
    """Of what files a TFRecord set is made."""

    compression: Literal["none", "gzip", "zlib"] = option("none", "Compress each file as a whole.")
    shard: int = option(0, "Records a file; 0 writes one file, otherwise the target is a folder.", least=0)
    name: str = option("data", "How the names of the files in a folder begin: NAME-00000-of-00010.tfrecord.")


@dataclass(frozen=True)
class WriteOptions(FileOptions):
    """How Examples are written."""

    fractions: bool = option(
        False, "Write boxes as fractions of the image, too (image/object/bbox/...), for TensorFlow's own tools."
    )


@dataclass(frozen=True)
class Landmark56Options(Crop, FileOptions):
    """How 56-pixel faces are made and written."""

    crop_scale: float = option(1.1, "Side of the square, in longer sides of the box.", least=0.01, most=100)
    crop_size: int = option(56, "Side of the image that is cut out, in pixels.", least=1, most=8192)
    strings: Literal["many", "one"] = option(
        "many", "An image as 9,408 strings of one byte, which the original reads, or as one string."
    )
