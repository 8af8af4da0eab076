"""ArcFace: additive angular margin loss for face recognition (Deng et al., CVPR 2019), and its networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from zoo.hookspecs import hookimpl
from zoo.specs import EXPORT, INFER, MethodSpec

ZOO_API = 1


@hookimpl
def zoo_methods() -> Iterator[MethodSpec]:
    """The method ``arcface``."""
    yield MethodSpec(
        name="arcface",
        kind="encoder",
        summary="ArcFace: faces as vectors whose angle says how alike two people are.",
        load="zoo_arcface.encoder:load",
        default="mobilefacenet_foamliu",
        options="zoo.inference.options:FaceOptions",
        tasks={
            "infer": replace(INFER, summary="Find the faces in images, folders, videos or a camera, and embed each."),
            "export": EXPORT,
        },
        architectures=(
            *("arcface_r18", "arcface_r34", "arcface_r50", "arcface_r100", "arcface_r200"),
            *("arcface_mbf", "arcface_mbf_large"),
            *("arcface_lresnet34e_ir", "arcface_lresnet50e_ir", "arcface_lresnet100e_ir"),
            *("arcface_m1", "arcface_y1", "mobilefacenet_foamliu"),
        ),
        network="zoo_arcface.network:build",
        recognise="zoo_arcface.names:recognise",
        translate={"mxnet": "zoo_arcface.names:translate"},
        alike={f"arcface_lresnet{depth}e_ir": f"arcface_r{depth}" for depth in (34, 50, 100)},
    )
