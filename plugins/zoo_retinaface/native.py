"""How a RetinaFace's outputs are read in C++."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.errors import ModelError
from zoo.networks.native import Native, of_file, whole
from zoo.specs import ModelCard
from zoo_retinaface.decode import BOX, CHANNELS, CLASSES, KEYPOINTS


def native(card: ModelCard, columns: Sequence[int]) -> Native:
    """C++ for `card`, whose network's outputs have rows of `columns` numbers, by which they are told apart. Raises
    `ModelError` where the outputs are no RetinaFace's."""
    steps = whole(card, "steps", card.arguments.get("steps"))
    sizes, variances = card.arguments.get("min_sizes", ()), card.arguments.get("variances", ())
    if sorted(columns) != sorted(CHANNELS) or len(steps) != len(sizes) or not all(sizes) or len(variances) != 2:
        raise ModelError(f"The card {card.id!r} is that of a RetinaFace, and the network's outputs are not.")
    before = [sum(map(len, sizes[:level])) for level in range(len(sizes))]
    source = of_file(
        Path(__file__).with_name("decode.inc"),
        # For each level: pixels from cell to cell, anchors a cell, where their sizes begin.
        kLevels=[[step, len(level), begin] for step, level, begin in zip(steps, sizes, before, strict=True)],
        kSizes=[float(size) for level in sizes for size in level],
        kVariances=[float(value) for value in variances],
        kBoxes=list(columns).index(BOX),
        kClasses=list(columns).index(CLASSES),
        kPoints=list(columns).index(KEYPOINTS),
    )
    return Native(source, plus_one=True)
