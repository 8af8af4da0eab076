"""The options of TensorFlow's edges. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.options import option


@dataclass(frozen=True)
class OnnxOptions:
    """What is asked of a conversion to ONNX."""

    opset: int = option(17, "Version of ONNX's operators; older runtimes want lower ones.", least=11, most=18)
