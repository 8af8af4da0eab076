"""The options of judging. Light: help and the command line read them without numpy."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.options import option


@dataclass(frozen=True)
class JudgeOptions:
    """How predictions are judged, wherever they come from."""

    protocol: str = option(
        "", "How to judge: see zoo list protocols. Default: the one that the data name, else the general one."
    )
    format: str = option("", "Format of the labelled set, where it is not recognised.")
    images: str = option("", "Folder of the images that the labels name. Default: looked for beside them.")
    bootstrap: int = option(1000, "Resampled sets that the intervals come from; 0 for no intervals.", least=0)
    seed: int = option(0, "Seed of the resampling.", least=0)
    worst: int = option(24, "Draw this many of the worst images into worst.jpg; 0 draws none.", least=0, most=200)


@dataclass(frozen=True)
class EvalOptions(JudgeOptions):
    """What the task ``eval`` does besides."""

    keep: bool = option(True, "Write the predictions too, a text file an image as WIDER FACE has them.")
    workers: int = option(0, "Images processed at once; 0 is one a core.", least=0)
