"""RecordIO without MXNet: the ``.rec`` sets of insightface and of im2rec."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import FormatSpec

ZOO_API = 1


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The formats ``insightface-rec`` and ``im2rec``."""
    yield FormatSpec(
        name="insightface-rec",
        summary="insightface's training sets: train.rec, train.idx, property and train.lst in a folder.",
        kinds=("identities",),
        sniff="zoo_recordio.sniff:insightface",
        reader="zoo_recordio.reader:RecordReader",
        writer="zoo_recordio.insightface:InsightfaceWriter",
        read_options="zoo_recordio.options:ReadOptions",
        write_options="zoo_recordio.options:InsightfaceOptions",
        holds=("identity", "keys", "images"),
        folder=True,
    )
    yield FormatSpec(
        name="im2rec",
        summary="MXNet's im2rec: NAME.rec, NAME.idx and NAME.lst in a folder.",
        kinds=("identities",),
        sniff="zoo_recordio.sniff:im2rec",
        reader="zoo_recordio.reader:RecordReader",
        writer="zoo_recordio.im2rec:Im2recWriter",
        read_options="zoo_recordio.options:ReadOptions",
        write_options="zoo_recordio.options:Im2recOptions",
        holds=("identity", "keys", "images"),
        folder=True,
    )
