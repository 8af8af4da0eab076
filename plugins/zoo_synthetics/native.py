"""How a landmark network's output is read in C++."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.errors import ModelError
from zoo.networks.native import Native, of_file
from zoo.specs import ModelCard

SHIFTS = {"signed": (1.0, 0.5), "unit": (0.0, 1.0), "pixels": (0.0, 1.0)}
"""What is added to a number and what it is then multiplied by, for each of `zoo_synthetics.landmarks.RANGES`."""


def native(card: ModelCard, columns: Sequence[int]) -> Native:
    """C++ for `card`, whose network has one output, a row of `columns[0]` numbers. Raises `ModelError` for another."""
    said, count, more = card.arguments.get("range"), card.landmarks, int(card.arguments.get("more", 0))
    if said not in SHIFTS or len(columns) != 1 or columns[0] not in (2 * count + more, 3 * count) or count < 1:
        raise ModelError(f"The network does not give the points that the card {card.id!r} says.")
    shift, factor = SHIFTS[str(said)]
    numbers = 3 if columns[0] == 3 * count else 2
    source = of_file(
        Path(__file__).with_name("points.inc"),
        kPointCount=count,
        kNumbers=numbers,
        kPixels=said == "pixels",
        kShift=shift,
        kFactor=factor,
    )
    return Native(source, variances=numbers == 3)
