"""WIDER FACE and the label files that descend from it: which faces are where in which image."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import FormatSpec, ProtocolSpec

ZOO_API = 1

_LABELS = "zoo_widerface.options:LabelReadOptions"
_WRITES = "zoo_widerface.options:LabelWriteOptions"


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The formats ``wider-txt``, ``wider-mat``, ``labelv2``, ``retinaface-txt`` and ``wider-predictions``."""
    yield FormatSpec(
        name="wider-txt",
        summary="WIDER FACE's own labels as text: boxes with blur, pose and other attributes.",
        kinds=("detection",),
        suffixes=(".txt",),
        sniff="zoo_widerface.sniff:wider_txt",
        reader="zoo_widerface.widertxt:WiderTextReader",
        writer="zoo_widerface.widertxt:WiderTextWriter",
        read_options=_LABELS,
        write_options="zoo_widerface.options:WiderTextWriteOptions",
        holds=("boxes", "ignored", "attributes", "keys", "images"),
    )
    yield FormatSpec(
        name="wider-mat",
        summary="WIDER FACE's own labels as MATLAB files, with the faces of its easy, medium and hard settings.",
        kinds=("detection",),
        suffixes=(".mat",),
        sniff="zoo_widerface.sniff:wider_mat",
        reader="zoo_widerface.mat:WiderMatReader",
        read_options="zoo_widerface.options:MatReadOptions",
        holds=("boxes", "ignored", "attributes", "keys", "images"),
    )
    yield FormatSpec(
        name="labelv2",
        summary="The labels that SCRFD and YuNet train on: boxes, five keypoints, and boxes to be ignored.",
        kinds=("detection",),
        suffixes=(".txt",),
        sniff="zoo_widerface.sniff:labelv2",
        reader="zoo_widerface.labelv2:LabelV2Reader",
        writer="zoo_widerface.labelv2:LabelV2Writer",
        read_options=_LABELS,
        write_options=_WRITES,
        holds=("boxes", "keypoints", "flags", "ignored", "scores", "keys", "images"),
    )
    yield FormatSpec(
        name="retinaface-txt",
        summary="RetinaFace's label.txt: boxes, five keypoints and a quality.",
        kinds=("detection",),
        suffixes=(".txt",),
        sniff="zoo_widerface.sniff:retinaface_txt",
        reader="zoo_widerface.retinaface:RetinaFaceReader",
        writer="zoo_widerface.retinaface:RetinaFaceWriter",
        read_options=_LABELS,
        write_options=_WRITES,
        holds=("boxes", "keypoints", "flags", "scores", "keys", "images"),
    )
    yield FormatSpec(
        name="wider-predictions",
        summary="Detections as WIDER FACE's evaluation reads them: a folder an event, a text file an image.",
        kinds=("detection",),
        sniff="zoo_widerface.sniff:wider_predictions",
        reader="zoo_widerface.predictions:PredictionReader",
        writer="zoo_widerface.predictions:PredictionWriter",
        read_options="zoo_widerface.options:PredictionReadOptions",
        holds=("boxes", "scores", "keys"),
        folder=True,
    )


@hookimpl
def zoo_protocols() -> Iterator[ProtocolSpec]:
    """The protocol ``widerface``."""
    yield ProtocolSpec(
        name="widerface",
        summary="WIDER FACE's own: average precision of its easy, medium and hard faces.",
        run="zoo_widerface.protocol:judge",
        truth="zoo_widerface.protocol:truth",
    )
