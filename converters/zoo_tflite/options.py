"""The options of TFLite's edges. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.models.int8.options import Int8Options
from zoo.options import option


@dataclass(frozen=True)
class OnnxOptions:
    """What is asked of a conversion to ONNX."""

    opset: int = option(17, "Version of ONNX's operators; older runtimes want lower ones.", least=11, most=18)


@dataclass(frozen=True)
class Onnx2tfOptions:
    """What is asked of a conversion from ONNX, which a program of its own environment does."""

    build_environment: bool = option(
        False,
        "Build the environment of onnx2tf where it is not there: some 700 MB from the package index, kept in the"
        " zoo's cache.",
    )
    python: str = option(
        "python3.12", "Python 3.12, which onnx2tf needs: a command or a path; used for building alone."
    )


@dataclass(frozen=True)
class QuantiseOptions(Int8Options):
    """What is asked of a network in int8."""
