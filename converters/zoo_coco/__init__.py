"""COCO: images, annotations and categories in one JSON document, and lists of detections."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import FormatSpec, ProtocolSpec

ZOO_API = 1


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The format ``coco``."""
    yield FormatSpec(
        name="coco",
        summary="COCO's JSON: boxes, keypoints and crowds, or the detections that zoo run writes.",
        kinds=("detection",),
        suffixes=(".json",),
        sniff="zoo_coco.sniff:sniff",
        reader="zoo_coco.reader:CocoReader",
        writer="zoo_coco.writer:CocoWriter",
        read_options="zoo_coco.options:CocoReadOptions",
        write_options="zoo_coco.options:CocoWriteOptions",
        holds=("boxes", "keypoints", "flags", "ignored", "scores", "attributes", "keys", "images"),
    )


@hookimpl
def zoo_protocols() -> Iterator[ProtocolSpec]:
    """The protocol ``coco``."""
    yield ProtocolSpec(
        name="coco",
        summary="COCO's: average precision over ten overlaps, at 0.50 and 0.75, and of small, medium and large faces.",
        run="zoo_coco.protocol:judge",
        preference=1,
    )
