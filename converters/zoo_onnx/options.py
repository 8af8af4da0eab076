"""The options of ONNX's edges. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.models.int8.options import Int8Options
from zoo.options import option


@dataclass(frozen=True)
class QuantiseOptions(Int8Options):
    """What is asked of a network in int8."""

    reduce_range: bool = option(
        False,
        "Weights of 7 bits, for processors with AVX2 and without VNNI (Intel before 2019, AMD before Zen 4), whose"
        " multiplication overflows with 8.",
    )
