"""The options of converting models. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.options import option

Open = Literal["auto", "none", "batch", "height", "width"]


@dataclass(frozen=True)
class ProofOptions:
    """What stays open in a converted model, and how it is compared with its original."""

    dynamic: tuple[Open, ...] = option(
        ("auto",),
        "Which sizes of the input stay open, where the target can: auto (batch, and height and width of models that"
        " take any size), none, or some of batch, height and width.",
    )
    precision: Literal["float32", "float16", "int8", "weights8"] = option(
        "float32",
        "What the network is kept in: float32 leaves it as it is; int8 rounds weights and what is between the layers,"
        " by photographs; float16 and weights8 keep the weights alone in fewer bits.",
    )
    tolerance: float | None = option(
        None,
        "Largest difference of an output, relative to the output's largest value (at least 1). Default: what the"
        " precision allows, 1e-4 for float32.",
        least=0,
    )
    samples: int = option(2, "Seeded random inputs on which both models are compared.", least=1, most=100)
    photo: str = option("sample:t1", "Photograph on which what both models find is compared; none to leave it out.")
    accept_drift: bool = option(False, "Keep a model that differs from the original; the receipt says so.")
    overwrite: bool = option(False, "Replace a target that exists.")


@dataclass(frozen=True)
class PortOptions(ProofOptions):
    """What is asked of a model's conversion, whatever the formats; an edge may have options of its own."""

    card: str = option("", "Model id that describes the source, where the file does not tell.")
    config: str = option("", "Upstream configuration file (mm .py) that describes the network of the source.")
    size: str = option("", "Input size, WIDTHxHEIGHT, at which the network is traced. Default: the model's own.")


@dataclass(frozen=True)
class ExportOptions(ProofOptions):
    """What the task ``export`` understands; the size at which the network is traced is the model's own option."""

    format: tuple[str, ...] = option(("onnx",), "Formats to write, with commas between: zoo list formats.")
    convert: tuple[str, ...] = option((), "Options of the converters, as NAME=VALUE with commas between: opset=13.")
    allow_loss: bool = option(False, "Go a way that loses something.")
