"""The options of reading and writing verification sets. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.datasets.alignoptions import Align
from zoo.options import option


@dataclass(frozen=True)
class BinOptions:
    """How a ``.bin`` file is written."""

    elements: Literal["bytes", "ndarray"] = option(
        "bytes", "What each encoded image is: bytes, or a NumPy array (N, 1) as build_eval_pack.py has it."
    )
    protocol: Literal["2", "3", "4"] = option(
        "3", "Protocol of the pickle: 2 holds strings of Python 2, as the original lfw.bin does."
    )
    resize: int = option(
        0, "Scale and cut images of other sizes to squares of so many pixels; 0 leaves them.", least=0, most=4096
    )
    quality: int = option(95, "Quality of JPEG, for images that are encoded anew.", least=1, most=100)


@dataclass(frozen=True)
class ReadPairsOptions(Align):
    """Where pairs come from."""

    list: str = option("", "The list of pairs, relative to the folder; pairs.txt or pairs_label.txt by itself.")
    style: Literal["auto", "lfw", "label"] = option(
        "auto", "Lines of the list: lfw has names and numbers, label has two paths and 0 or 1."
    )
    make: bool = option(False, "Make pairs out of a folder with one folder a person, without a list.")
    make_pairs: int = option(
        0, "How many pairs are made, half of them of one person; 0: all of one person, and as many others.", least=0
    )
    make_seed: int = option(0, "Seed of the pairs that are made.", least=0)


@dataclass(frozen=True)
class WritePairsOptions:
    """How a folder with a list of pairs is written."""

    style: Literal["label", "lfw"] = option(
        "label", "pairs_label.txt with two paths and 0 or 1 a line, or pairs.txt with names and numbers."
    )
