"""A card's network with the weights of a file in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.models.edges import network
from zoo.networks.state import load_state
from zoo.specs import ModelCard
from zoo_torch.checkpoint import read


def load(path: Path, card: ModelCard) -> Any:
    """The network of `card`, a `torch.nn.Module` in inference mode, with the tensors in `path`: all of them and no
    others. Raises `ModelError`."""
    built = network(card)
    load_state(built, read(path).state, str(path))
    return built.eval()


def names(card: ModelCard, built: Any, count: int) -> Sequence[str]:
    """The names of the network's `count` outputs: the card's, else those that the network itself has as ``outputs``,
    else numbered ones."""
    known = card.outputs or tuple(getattr(built, "outputs", ()))
    return known if len(known) == count else tuple(f"output{index}" for index in range(count))
