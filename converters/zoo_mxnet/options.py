"""The options of the ways from MXNet. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.options import option


@dataclass(frozen=True)
class SymbolOptions:
    """Which part of the network is wanted."""

    output: str = option("", "Layer whose output is wanted, such as fc1 of a network with its training loss.")


@dataclass(frozen=True)
class OnnxOptions(SymbolOptions):
    """The same, and how new the ONNX may be."""

    opset: int = option(13, "Version of ONNX's operators.", least=13, most=21)
