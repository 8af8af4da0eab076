"""From weights to the library's sources, and from its data file back to weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from zoo.models.edges import Edge
from zoo.networks.state import load_state
from zoo.plugins import catalogue, resolve
from zoo.specs import ModelCard
from zoo_libfacedetection import data, folder, network
from zoo_libfacedetection.layers import layers


def to_libfacedetection(edge: Edge) -> ModelCard:
    """Write the folder: the data file, the source of the network that belongs to it, and how to use them.

    Raises `ModelError` for weights that do not fit the card's network.
    """
    built = edge.network()
    load_state(built, _tensors(edge.source), str(edge.source))
    tensors = {name: tensor.float().numpy() for name, tensor in built.state_dict().items()}
    edge.target.mkdir()
    _write(edge.target / folder.DATA, data.dump(layers(built.config), tensors))
    _write(edge.target / folder.NETWORK, network.source(built.config, edge.card.id))
    _write(edge.target / folder.README, network.readme(built.config, edge.card.id))
    return replace(edge.card, outputs=built.outputs)


def to_torch(edge: Edge) -> ModelCard:
    """Write the numbers of a data file as weights of the method's own network."""
    built = edge.network()
    load_state(built, folder.state(edge.source), str(edge.source))
    with edge.target.open("wb") as file:  # given a path, torch would write the file's name into it
        torch.save({"state_dict": built.state_dict(), "meta": {}}, file)
    return edge.card


def _tensors(path: Path) -> Mapping[str, Any]:
    """The tensors of a file of torch, by the package that reads the format."""
    found: Mapping[str, Any] = resolve(catalogue().formats["torch"].state)(path)
    return found


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())  # line ends stay as they are on every system
