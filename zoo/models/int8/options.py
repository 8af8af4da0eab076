"""The options of making a network int8. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.options import option


@dataclass(frozen=True)
class Int8Options:
    """What a network is calibrated with, and how much it may lose."""

    calibrate: str = option(
        "",
        "Photographs from which the ranges of numbers are taken and on which loss is measured: a folder, a pattern, or"
        " a data set as PATH or FORMAT:PATH. Default: the zoo's sample photographs, which are few.",
    )
    calibration_images: int = option(64, "Use at most so many of them, spread over the whole set.", least=1)
    aim: float = option(
        0.5,
        "Keep layers in float until the loss on the calibration photographs is at most this part of what is allowed.",
        least=0,
        most=1,
    )
