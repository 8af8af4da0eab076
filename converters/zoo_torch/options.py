"""The options of what goes from weights to other formats. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.options import option

OLDEST, NEWEST = 11, 20
"""Of ONNX's opsets: that of the originals' files, and the last that torch's tracing exporter knows."""


@dataclass(frozen=True)
class OnnxOptions:
    """How an ONNX file is written."""

    opset: int = option(
        17,
        "Version of ONNX's operators: 11 for old programs; 17 is read by OpenCV 5 and ONNX Runtime since 1.12.",
        least=OLDEST,
        most=NEWEST,
    )


@dataclass(frozen=True)
class TfliteOptions:
    """How a TFLite file is written."""

    layout: Literal["nhwc", "nchw"] = option(
        "nhwc", "Order of the input's dimensions: nhwc as TFLite's users expect, or nchw as the network has it."
    )
