"""Pickled annotation: the landmarks that insightface's synthetics are trained on."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import FormatSpec

ZOO_API = 1


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The format ``annot-pkl``."""
    yield FormatSpec(
        name="annot-pkl",
        summary="insightface's synthetics: images with 68 landmarks each in annot.pkl.",
        kinds=("landmarks",),
        sniff="zoo_pickles.sniff:sniff",
        reader="zoo_pickles.reader:AnnotReader",
        writer="zoo_pickles.writer:AnnotWriter",
        write_options="zoo_pickles.options:WriteOptions",
        holds=("landmarks", "keys", "images"),
        folder=True,
    )
