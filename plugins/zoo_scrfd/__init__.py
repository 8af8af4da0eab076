"""SCRFD: sample and computation redistribution for efficient face detection (Guo et al., ICLR 2022)."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import EVAL, EXPORT, INFER, TRAIN, MethodSpec

ZOO_API = 1


@hookimpl
def zoo_methods() -> Iterator[MethodSpec]:
    """The method ``scrfd``."""
    yield MethodSpec(
        name="scrfd",
        kind="detector",
        summary="SCRFD: accurate for its cost, from half a GFLOP to 34.",
        load="zoo_scrfd.detector:load",
        default="scrfd_2.5g_bnkps",
        tasks={"infer": INFER, "eval": EVAL, "export": EXPORT, "train": TRAIN},
        architectures=(
            "scrfd_500m",
            "scrfd_500m_bnkps",
            "scrfd_1g",
            "scrfd_2.5g",
            "scrfd_2.5g_bnkps",
            "scrfd_10g",
            "scrfd_10g_bnkps",
            "scrfd_34g",
        ),
        network="zoo_scrfd.network:build",
        recognise="zoo_scrfd.config:recognise",
        config="zoo_scrfd.upstream:read",
        native="zoo_scrfd.native:native",
        recipe="zoo_scrfd.recipe:recipe",
        objective="zoo_scrfd.objective:objective",
        variant="zoo_scrfd.recipe:variant",
    )
