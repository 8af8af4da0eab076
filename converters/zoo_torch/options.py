"""The options of what goes from weights to other formats. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.options import option

OLDEST, NEWEST = 11, 21


@dataclass(frozen=True)
class OnnxOptions:
    """How an ONNX file is written."""

    opset: int = option(
        17,
        "Version of ONNX's operators: 11 for the oldest programs; 17 is read by ONNX Runtime since 1.12 and OpenCV 5.",
        least=OLDEST,
        most=NEWEST,
    )


@dataclass(frozen=True)
class TfliteOptions:
    """How a TFLite file is written."""

    layout: Literal["nhwc", "nchw"] = option(
        "nhwc", "Order of the input's dimensions: nhwc as TFLite's users expect, or nchw as the network has it."
    )
