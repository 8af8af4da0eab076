"""How the 56-pixel network's output is read in C++."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.errors import ModelError
from zoo.networks.native import Native, of_file
from zoo.specs import ModelCard


def native(card: ModelCard, columns: Sequence[int]) -> Native:
    """C++ for `card`, whose network has one output, a row of `columns[0]` numbers. Raises `ModelError` for another."""
    if list(columns) != [2 * card.landmarks] or card.landmarks < 1:
        raise ModelError(f"The network does not give the points that the card {card.id!r} says.")
    return Native(of_file(Path(__file__).with_name("points.inc"), kPointCount=card.landmarks))
