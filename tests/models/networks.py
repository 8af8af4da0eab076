"""The networks of all methods with weights that were never trained, and yet give outputs worth comparing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from zoo import alignment
from zoo.inference.model import Model
from zoo.models.edges import network
from zoo.models.limits import LIMITS
from zoo.models.parity import probes
from zoo.models.plan import traced_size
from zoo.plugins import catalogue
from zoo.specs import ModelCard
from zoo.types import Faces, Image

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)

SMALL = "128x64"
"""A size for networks that take any: not square, and a multiple of every stride."""


def torch_cards() -> Iterator[ModelCard]:
    """Every card of a method whose networks are `torch.nn.Module`, which the smallest of them shows."""
    cards = [catalogue().cards[name] for name in catalogue().cards]
    for method in catalogue().methods:
        own = [card for card in cards if card.method == method and card.architecture]
        if own and catalogue().methods[method].network:
            smallest = min(own, key=lambda card: card.parameters or 1_000_000)
            if isinstance(network(smallest), nn.Module):
                yield from own


def by_method(cards: Iterable[ModelCard]) -> list[list[ModelCard]]:
    """The cards of each method."""
    found: dict[str, list[ModelCard]] = {}
    for card in cards:
        found.setdefault(card.method, []).append(card)
    return list(found.values())


def shapes(card: ModelCard) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors of the card's network."""
    with torch.device("meta"):
        built = network(card)
    return {name: tuple(tensor.shape) for name, tensor in built.state_dict().items()}


def trainable(card: ModelCard) -> int:
    """How many trainable numbers the card's network has."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in network(card).parameters())


def size_of(card: ModelCard) -> str:
    """WIDTHxHEIGHT at which the card's network is tried: its own where it takes no other."""
    return card.preprocess.size if card.preprocess.crop.kind else SMALL


def settled(card: ModelCard, seed: int = 0) -> nn.Module:
    """The card's network with seeded random weights, and batch-norm that has seen noise as `probes` gives it, so that
    numbers neither vanish nor explode on the way through.

    The branches of residual blocks end in a small gain, as in trained networks. With gains of 1 a rounding error grows
    a thousandfold on its way through SCRFD-34G, whatever executes it.
    """
    torch.manual_seed(seed)
    built: nn.Module = network(card)
    with torch.no_grad():
        for module in built.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        for parameter in built.parameters():
            if parameter.ndim < 2:  # gains, shifts, slopes: at their first values many mistakes do not show
                parameter.add_(torch.empty_like(parameter).uniform_(-0.2, 0.2))
        for module in built.modules():
            norms = [child for name, child in module.named_children() if isinstance(child, NORMS) and name[:2] == "bn"]
            if len(norms) > 1:
                norms[-1].weight.mul_(0.2)
        _see_noise(built, card)
    return built.eval()


def _see_noise(built: nn.Module, card: ModelCard) -> None:
    norms = [module for module in built.modules() if isinstance(module, NORMS)]
    for norm in norms:
        norm.train()
        norm.momentum = None  # the mean of all batches
    for probe in probes(card, [traced_size(card, size_of(card))], (4,), 2):
        built(torch.from_numpy(probe.images))


def saved(built: nn.Module, path: Path) -> Path:
    """Its state dict as `torch.save` writes it."""
    torch.save(built.state_dict(), path)
    return path


def assert_same_tensors(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Raise unless the file at `path` holds `state` under its names, to the last bit."""
    held = torch.load(path, weights_only=True)["state_dict"]
    assert held.keys() == state.keys()
    for name, tensor in state.items():
        assert held[name].dtype == tensor.dtype, name
        assert torch.equal(held[name], tensor), name


def picture(seed: int = 0) -> Image:
    """A colourful picture of no face, (120, 200, 3) uint8: noise of several sizes of blots."""
    rng, total = np.random.default_rng(seed), np.zeros((120, 200, 3))
    for cell in (1, 4, 10, 40):
        coarse = rng.uniform(-1, 1, (-(-120 // cell), -(-200 // cell), 3))
        total += coarse.repeat(cell, 0).repeat(cell, 1)[:120, :200]
    scaled: Image = ((total - total.min()) / np.ptp(total) * 255).astype(np.uint8)
    return scaled


def places() -> Faces:
    """Where two faces might be in `picture`, one of them partly outside."""
    corners = np.array([[30, 20], [130, 60]], np.float32)
    boxes = np.hstack([corners, corners + np.float32(80)])
    points = alignment.template() * np.float32(80 / alignment.SIZE) + corners[:, None]
    return Faces(boxes, np.array([0.9, 0.8], np.float32), points.astype(np.float32))


def a_threshold(model: Any) -> float:
    """A score that some of what an untrained detector takes for faces in `picture` has, in the widest gap between two,
    so that no rounding error moves one over it."""
    scores = np.sort(model(picture()).scores)[::-1][:60]
    gaps = scores[2:-1] - scores[3:]
    widest = 2 + int(gaps.argmax())
    return float(scores[widest] + scores[widest + 1]) / 2


def find(model: Model, card: ModelCard) -> Faces:
    """What a model finds in `picture`, or makes of `places`."""
    found: Faces = model(picture(), places() if card.preprocess.crop.kind else None)
    return found


def assert_same_faces(wanted: Faces, got: Faces) -> None:
    """Raise unless both are the same, in whatever order, as exactly as `zoo.models.decoded` asks.

    It pairs faces by their overlap, and boxes of untrained networks may be turned inside out, which overlap nothing.
    """
    assert len(wanted) == len(got)
    apart = np.abs(wanted.boxes[:, None] - got.boxes[None]).sum(axis=2)
    partner = apart.argmin(axis=1)
    assert sorted(partner) == list(range(len(wanted)))
    paired = got.select(partner)
    np.testing.assert_allclose(paired.scores, wanted.scores, rtol=0, atol=LIMITS["float32"].score)
    for name in ("boxes", "keypoints", "landmarks"):
        if (points := getattr(wanted, name)) is not None:
            np.testing.assert_allclose(
                getattr(paired, name), points, rtol=0, atol=LIMITS["float32"].pixels, err_msg=name
            )
    if wanted.embeddings is not None and paired.embeddings is not None:
        vectors = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (wanted.embeddings, paired.embeddings)]
        assert (vectors[0] * vectors[1]).sum(axis=1).min() >= LIMITS["float32"].cosine
