"""Landmarks as the landmark community writes them: 300W and Menpo .pts files, and dlib's XML."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import FormatSpec

ZOO_API = 1


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The formats ``pts`` and ``dlib-xml``."""
    yield FormatSpec(
        name="pts",
        summary="Images, each with its landmarks in NAME.pts, as 300W and Menpo have them.",
        kinds=("landmarks",),
        sniff="zoo_landmarkfiles.sniff:pts",
        reader="zoo_landmarkfiles.pts:PtsReader",
        writer="zoo_landmarkfiles.pts:PtsWriter",
        read_options="zoo_landmarkfiles.options:PtsReadOptions",
        write_options="zoo_landmarkfiles.options:PtsWriteOptions",
        holds=("landmarks", "keys", "images"),
        folder=True,
    )
    yield FormatSpec(
        name="dlib-xml",
        summary="dlib's imglab XML: boxes, some to be ignored, with named landmarks.",
        kinds=("detection", "landmarks"),
        suffixes=(".xml",),
        sniff="zoo_landmarkfiles.sniff:dlib_xml",
        reader="zoo_landmarkfiles.dlibxml:DlibReader",
        writer="zoo_landmarkfiles.dlibwriter:DlibWriter",
        read_options="zoo_landmarkfiles.options:DlibReadOptions",
        write_options="zoo_landmarkfiles.options:DlibWriteOptions",
        holds=("boxes", "landmarks", "ignored", "scores", "other", "keys", "images"),
    )
