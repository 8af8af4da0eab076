"""The options of a conversion of data sets. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.options import option


@dataclass(frozen=True)
class ConvertOptions:
    """What happens to samples on their way, whatever the formats."""

    workers: int = option(0, "Processes that read and write units of samples; 0 is one a core.", least=0)
    on_error: Literal["fail", "quarantine"] = option(
        "fail", "A sample that cannot be read or written: end the run, or put it aside with its reason and go on."
    )
    limit: int = option(0, "Take only the first so many samples of the source; 0 takes all.", least=0)
    filter: str = option("", "Keep samples that fit, for example faces>0,width>=112,identity=amy,key=val/*.")
    split: str = option("", "Keep one part of a split by key: train:0.9 keeps nine tenths, val:0.9 keeps the others.")
    seed: int = option(0, "Seed of the split and of the shuffle.", least=0)
    shuffle: bool = option(False, "Write units, and the samples in each, in a random order that the seed fixes.")
    allow_loss: bool = option(False, "Convert although the target cannot hold all of the annotation.")
    resume: bool = option(False, "Continue a conversion to the same target that was killed.")
    overwrite: bool = option(False, "Replace a target that exists.")
