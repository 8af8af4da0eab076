"""The options of converting models. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.options import option

Open = Literal["auto", "none", "batch", "height", "width"]


@dataclass(frozen=True)
class PortOptions:
    """What is asked of a model's conversion, whatever the formats; an edge may have options of its own."""

    card: str = option("", "Model id that describes the source, where the file does not tell.")
    config: str = option("", "Upstream configuration file (mm .py) that describes the network of the source.")
    size: str = option("", "Input size, WIDTHxHEIGHT, at which the network is traced. Default: the model's own.")
    dynamic: tuple[Open, ...] = option(
        ("auto",),
        "Which sizes of the input stay open, where the target can: auto (batch, and height and width of models that"
        " take any size), none, or some of batch, height and width.",
    )
    tolerance: float = option(
        1e-4, "Largest difference of an output, relative to the output's largest value (at least 1).", least=0
    )
    samples: int = option(2, "Seeded random inputs on which both models are compared.", least=1, most=100)
    photo: str = option("sample:t1", "Photograph on which what both models find is compared; none to leave it out.")
    accept_drift: bool = option(False, "Keep a model that differs from the original; the receipt says so.")
    overwrite: bool = option(False, "Replace a target that exists.")
