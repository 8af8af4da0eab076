"""From weight file to weight file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from zoo.models.edges import Edge
from zoo.specs import ModelCard
from zoo_torch import safetensors
from zoo_torch.checkpoint import Checkpoint, read

if TYPE_CHECKING:
    import torch


def to_torch(edge: Edge) -> ModelCard:
    """Write ``{"state_dict": tensors, "meta": what else the source says}`` with `torch.save`, as mmcv and timm do."""
    import torch

    source = _read(edge)
    state = {name: tensor.clone() for name, tensor in source.state.items()}
    with edge.target.open("wb") as file:  # given a path, torch would write the file's name into it
        torch.save({"state_dict": state, "meta": dict(source.meta)}, file)
    return edge.card


def to_safetensors(edge: Edge) -> ModelCard:
    """Write the tensors, those that share their numbers each with its own."""
    source = _read(edge)
    if shared := _shared(source.state):
        edge.note(f"{shared} share their numbers in {edge.source.name}; in safetensors each has its own")
    safetensors.save(edge.target, source.state)
    return edge.card


def _read(edge: Edge) -> Checkpoint:
    source = read(edge.source)
    if source.left:
        edge.note(f"left out, because only training needs it: {', '.join(source.left)}")
    return source


def _shared(state: Mapping[str, torch.Tensor]) -> str:
    """The names of the first tensors that share numbers, as a phrase; empty where none do."""
    owners: dict[int, str] = {}
    for name, tensor in state.items():
        if tensor.numel() and (first := owners.setdefault(tensor.untyped_storage().data_ptr(), name)) != name:
            return f"{first} and {name}"
    return ""
