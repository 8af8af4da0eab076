"""The options of what is written as C++. Light: help reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from zoo.options import option


@dataclass(frozen=True)
class CppOptions:
    """How a model is written as C++. `dynamic` says whether its size is fixed, `precision` how its weights are kept."""

    data: Literal["auto", "source", "binary"] = option(
        "auto",
        "Where the weights are: source, as arrays in the C++; binary, in a file beside it that the program hands in;"
        " auto, binary above a million of them, which compilers take long for.",
    )
    name: str = option("", "What the C++ names begin with. Default: the model's id, with _ for what no name may have.")
