"""A card's network with the weights of a file in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.errors import ModelError
from zoo.models.edges import Edge, network
from zoo.networks.state import load_state
from zoo.specs import ModelCard
from zoo_torch.checkpoint import read


def load(path: Path, card: ModelCard) -> Any:
    """The network of `card`, a `torch.nn.Module` in inference mode, with the tensors in `path`: all of them and no
    others. Raises `ModelError`."""
    built = network(card)
    load_state(built, read(path).state, str(path))
    return built.eval()


def tried(edge: Edge) -> tuple[Any, dict[str, tuple[int, ...]]]:
    """The network that `edge` exports, and its outputs' shapes by name, in order, found by running it once on one image
    of the edge's size. Raises `ModelError` for weights that do not fit it and for a size that it does not take."""
    import torch

    built = load(edge.source, edge.card)
    width, height = edge.size
    try:
        with torch.inference_mode():
            shapes = [tuple(output.shape) for output in built(torch.zeros(1, 3, height, width))]
    except RuntimeError as error:
        reason = " ".join(str(error).split()).rstrip(".")[:200]
        raise ModelError(f"{edge.card.id} cannot process an input of {width}x{height}: {reason}.") from None
    return built, dict(zip(names(edge.card, built, len(shapes)), shapes, strict=True))


def names(card: ModelCard, built: Any, count: int) -> Sequence[str]:
    """The names of the network's `count` outputs: the card's, else those that the network itself has as ``outputs``,
    else numbered ones."""
    known = card.outputs or tuple(getattr(built, "outputs", ()))
    return known if len(known) == count else tuple(f"output{index}" for index in range(count))
