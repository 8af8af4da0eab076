"""How an SCRFD's outputs are read in C++."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.errors import ModelError
from zoo.networks.native import Native, of_file, whole
from zoo.specs import ModelCard
from zoo_scrfd.decode import Decode


def native(card: ModelCard, columns: Sequence[int]) -> Native:
    """C++ for `card`, whose network's outputs have rows of `columns` numbers. Raises `ModelError` where the outputs are
    no SCRFD's."""
    strides = whole(card, "strides", card.arguments.get("strides"))
    (anchors,) = whole(card, "anchors", [card.arguments.get("anchors")])
    decode = Decode(strides, anchors, card.keypoints)
    if list(columns) != decode.channels or card.keypoints not in (0, 5):
        raise ModelError(f"The card {card.id!r} is that of an SCRFD, and the network's outputs are not.")
    path = Path(__file__).with_name("decode.inc")
    source = of_file(path, kStrides=strides, kAnchors=anchors, kPoints=card.keypoints == 5)
    return Native(source, plus_one=True)
