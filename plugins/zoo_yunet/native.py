"""How a YuNet's outputs are read in C++."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.errors import ModelError
from zoo.networks.native import Native, of_file, whole
from zoo.specs import ModelCard
from zoo_yunet.decode import Decode


def native(card: ModelCard, columns: Sequence[int]) -> Native:
    """C++ for `card`, whose network's outputs have rows of `columns` numbers. The score is the geometric one, to which
    the card's ``photo`` thresholds apply. Raises `ModelError` where the outputs are no YuNet's."""
    strides = whole(card, "strides", card.arguments.get("strides"))
    if list(columns) != Decode(strides).channels:
        raise ModelError(f"The card {card.id!r} is that of a YuNet, and the network's outputs are not.")
    source = of_file(Path(__file__).with_name("decode.inc"), kStrides=strides, kGeometric=True)
    return Native(source)
