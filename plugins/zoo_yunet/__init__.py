"""YuNet: a face detector of 76 thousand parameters (Wu, Peng and Yu, Machine Intelligence Research 2023)."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import EVAL, EXPORT, INFER, TRAIN, MethodSpec

ZOO_API = 1


@hookimpl
def zoo_methods() -> Iterator[MethodSpec]:
    """The method ``yunet``."""
    yield MethodSpec(
        name="yunet",
        kind="detector",
        summary="YuNet: tiny and fast, with five keypoints.",
        load="zoo_yunet.detector:load",
        default="yunet_n",
        options="zoo_yunet.options:YunetOptions",
        tasks={"infer": INFER, "eval": EVAL, "export": EXPORT, "train": TRAIN},
        architectures=("yunet_n", "yunet_s"),
        network="zoo_yunet.network:build",
        recognise="zoo_yunet.config:recognise",
        config="zoo_yunet.config:read",
        native="zoo_yunet.native:native",
        recipe="zoo_yunet.recipe:recipe",
        objective="zoo_yunet.objective:objective",
        variant="zoo_yunet.recipe:variant",
    )
