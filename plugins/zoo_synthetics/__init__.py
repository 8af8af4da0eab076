"""Landmarks learned from synthetic faces: insightface's 68 points on any timm backbone, and the dense networks of 70
points with a variance each (FaceSynthetics: Wood et al., ICCV 2021); and others that regress points of a face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from zoo.hookspecs import hookimpl
from zoo.specs import EXPORT, INFER, MethodSpec

ZOO_API = 1


@hookimpl
def zoo_methods() -> Iterator[MethodSpec]:
    """The method ``synthetics``."""
    yield MethodSpec(
        name="synthetics",
        kind="landmarks",
        summary="Synthetics: 68 or 70 landmarks a face, with their uncertainty where the network gives it.",
        load="zoo_synthetics.landmarks:load",
        default="peppa_slim160",
        options="zoo.inference.options:FaceOptions",
        tasks={
            "infer": replace(INFER, summary="Find the landmarks of the faces in images, folders, videos or a camera."),
            "export": EXPORT,
        },
        architectures=("synthetics_timm", "synthetics3d_resnet34", "synthetics3d_mobilenetv2", "slim160"),
        network="zoo_synthetics.network:build",
        recognise="zoo_synthetics.names:recognise",
        config="zoo_synthetics.names:configured",
        native="zoo_synthetics.native:native",
    )
