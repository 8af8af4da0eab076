"""RetinaFace: single-shot multi-level face localisation (Deng et al., CVPR 2020), in the PyTorch family of biubug6."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import EVAL, EXPORT, INFER, TRAIN, MethodSpec

ZOO_API = 1


@hookimpl
def zoo_methods() -> Iterator[MethodSpec]:
    """The method ``retinaface``."""
    yield MethodSpec(
        name="retinaface",
        kind="detector",
        summary="RetinaFace: anchors on three levels, on MobileNets and ResNets.",
        load="zoo_retinaface.detector:load",
        default="retinaface_mnet025",
        tasks={"infer": INFER, "eval": EVAL, "export": EXPORT, "train": TRAIN},
        architectures=(
            "retinaface_mnet025",
            "retinaface_mnet050",
            "retinaface_mnetv1",
            "retinaface_mnetv2",
            "retinaface_r18",
            "retinaface_r34",
            "retinaface_r50",
            "retinaface_1mb_slim",
            "retinaface_1mb_rfb",
        ),
        network="zoo_retinaface.network:build",
        recognise="zoo_retinaface.architectures:recognise",
        native="zoo_retinaface.native:native",
        recipe="zoo_retinaface.recipe:recipe",
        variant="zoo_retinaface.recipe:variant",
    )
