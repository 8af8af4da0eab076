"""The 56-pixel landmark network of gwanglee/face_landmarks: 68 points from a tiny TF-slim network (2018)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from zoo.hookspecs import hookimpl
from zoo.specs import EXPORT, INFER, MethodSpec

ZOO_API = 1


@hookimpl
def zoo_methods() -> Iterator[MethodSpec]:
    """The method ``slim56``."""
    yield MethodSpec(
        name="slim56",
        kind="landmarks",
        summary="56-pixel landmarks: a tiny TensorFlow network for 68 points.",
        load="zoo_slim56.landmarks:load",
        default="slim56",
        options="zoo.inference.options:FaceOptions",
        tasks={
            "infer": replace(INFER, summary="Find the landmarks of the faces in images, folders, videos or a camera."),
            "export": EXPORT,
        },
        architectures=("slim56",),
        network="zoo_slim56.network:build",
        recognise="zoo_slim56.network:recognise",
        native="zoo_slim56.native:native",
    )
