"""WebDataset: data sets as tar archives, which are read from beginning to end."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import FormatSpec

ZOO_API = 1


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The format ``webdataset``."""
    yield FormatSpec(
        name="webdataset",
        summary="Tar archives in which the files of a sample share a name: image, label (.cls), annotation (.json).",
        kinds=("detection", "landmarks", "identities", "verification"),
        suffixes=(".tar",),
        sniff="zoo_webdataset.sniff:sniff",
        reader="zoo_webdataset.reader:ShardReader",
        writer="zoo_webdataset.writer:ShardWriter",
        write_options="zoo_webdataset.options:WriteOptions",
        holds=(
            "identity", "pairs", "boxes", "keypoints", "flags", "landmarks", "ignored", "scores", "attributes", "keys",
            "images",
        ),
        folder=True,
    )  # fmt: skip
