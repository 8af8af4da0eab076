"""From MXNet to PyTorch, for the networks that an installed method knows: its own network with MXNet's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from zoo.errors import ModelError
from zoo.models.edges import Edge, network
from zoo.networks.state import load_state
from zoo.plugins import catalogue, resolve
from zoo.specs import ModelCard
from zoo_mxnet import symbol
from zoo_mxnet.network import Network, epsilon, load
from zoo_mxnet.toonnx import require_raw_pixels


def to_torch(edge: Edge) -> ModelCard:
    """Write the network's numbers as a state dict of the method's own network. The card says which that is.

    Raises `ModelError` for damaged files, and networks that no method knows.
    """
    import torch

    source = load(edge.source, edge.options.output)
    require_raw_pixels(source, edge)
    architecture, arguments, arrays = _translated(edge, source)
    card = replace(edge.card, architecture=architecture, network=dict(arguments))
    made = network(card)
    load_state(made, _adjusted(source, made, arrays), str(edge.source))
    torch.save(made.state_dict(), edge.target)
    return card


def _translated(edge: Edge, source: Network) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    method = catalogue().methods[edge.card.method]
    found = resolve(method.translate["mxnet"])(source.arrays) if "mxnet" in method.translate else None
    if found is None:
        raise ModelError(
            f"The network of {edge.source} is none that {edge.card.method} knows in PyTorch; it can become ONNX."
        )
    translated: tuple[str, Mapping[str, Any], Mapping[str, Any]] = found
    return translated


def _adjusted(source: Network, made: Any, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """`arrays` with the variances raised by as much as the network in the file adds more to them than ours does: a
    trainer may have asked for another number than the published networks have."""
    names = {id(array): name for name, array in arrays.items()}
    modules = dict(made.named_modules())
    adjusted = dict(arrays)
    for number in source.graph.needed():
        node = source.graph.nodes[number]
        if symbol.is_norm(node):
            variance = source.arrays[source.graph.nodes[node.inputs[4][0]].name]
            name = names.get(id(variance), "")
            module = modules.get(name.rpartition(".")[0])
            if module is not None and epsilon(node) != module.eps:
                adjusted[name] = variance + (epsilon(node) - module.eps)
    return adjusted
