"""A whole MXNet model: the network with its weights as they take part in inference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ModelError
from zoo_mxnet import params, symbol
from zoo_mxnet.files import pair
from zoo_mxnet.symbol import NULL, Graph, Node

Arrays = Mapping[str, NDArray[Any]]

LOSSES = {
    *("SoftmaxOutput", "Softmax", "LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput"),
}
"""Operators that have a label as their second input, which inference does not need."""

_ALIASES = {
    **dict.fromkeys(("_plus", "_Plus", "_add", "_grad_add", "broadcast_add", "broadcast_plus"), "elemwise_add"),
    **dict.fromkeys(("_minus", "_Minus", "_sub", "broadcast_sub", "broadcast_minus"), "elemwise_sub"),
    **dict.fromkeys(("_mul", "_Mul", "broadcast_mul"), "elemwise_mul"),
    **dict.fromkeys(("_div", "_Div", "broadcast_div"), "elemwise_div"),
    **dict.fromkeys(("ElementWiseSum", "_sum"), "add_n"),
    **dict.fromkeys(("_copy", "BlockGrad", "stop_gradient", "make_loss", "MakeLoss"), "identity"),
    **{f"_{name}Scalar": f"_{name.lower()}_scalar" for name in ("Plus", "Minus", "RMinus", "Mul", "Div", "RDiv")},
    **{f"_{name}Scalar": f"_{name.lower()}_scalar" for name in ("Maximum", "Minimum", "Power")},
    "flatten": "Flatten",
    "concat": "Concat",
    "reshape": "Reshape",
    "Softmax": "SoftmaxOutput",
}


def operator(node: Node) -> str:
    """The operator of a node under one of its names."""
    return "BatchNorm" if symbol.is_norm(node) else _ALIASES.get(node.op, node.op)


@dataclass(frozen=True)
class Network:
    """A network that can be executed or converted.

    `arrays` are float32 by the names of the null nodes, without ``arg:`` and ``aux:``; a gamma that the network holds
    fixed is 1, whatever was stored. `data` is the number of the input's node.
    """

    graph: Graph
    arrays: Arrays
    data: int

    @property
    def channels(self) -> int:
        """Of the input: what the first convolution takes, else 3."""
        for number in self.graph.needed():
            node = self.graph.nodes[number]
            if operator(node) == "Convolution":
                weight = self.arrays[self.graph.nodes[node.inputs[1][0]].name]
                return int(weight.shape[1]) * groups(node)
        return 3

    @property
    def normalises(self) -> bool:
        """Whether the first thing that happens to the input is that a number is subtracted or multiplied with it."""
        same = {self.data}
        for number in self.graph.needed():
            node = self.graph.nodes[number]
            if node.inputs and node.inputs[0][0] in same:
                if operator(node) != "identity":
                    return operator(node) in ("_minus_scalar", "_mul_scalar", "_plus_scalar", "_div_scalar")
                same.add(number)
        return False

    @property
    def outputs(self) -> tuple[str, ...]:
        """What MXNet calls the outputs."""
        return tuple(f"{self.graph.nodes[number].name}_output" for number, _ in self.graph.heads)


def load(path: Path, output: str = "") -> Network:
    """The model at `path` (see `zoo_mxnet.files.pair`) as far as the layer `output`, all of it where that is empty.

    Raises `ModelError` for files that are damaged or do not fit each other, `UsageError` for a layer that is not there.
    """
    symbol_path, params_path = pair(path).both()
    graph = _without_labels(symbol.read(symbol_path).upto(output))
    _require_first_outputs(graph)
    stored = {name.removeprefix("arg:").removeprefix("aux:"): array for name, array in params.read(params_path).items()}
    nulls = {graph.nodes[number].name: number for number in graph.needed() if graph.nodes[number].op == NULL}
    inputs = [name for name in nulls if name not in stored]
    if not inputs:
        raise ModelError(f"The network in {symbol_path} has no input: its whole answer stands in {params_path.name}.")
    data = "data" if "data" in inputs else inputs[0]
    if lacking := [name for name in inputs if name != data]:
        raise ModelError(f"{params_path} lacks the array {lacking[0]} of the network in {symbol_path.name}.")
    arrays = {name: _float32(stored[name]) for name in nulls if name in stored}
    return Network(graph, _fixed(graph, arrays), nulls[data])


def groups(node: Node) -> int:
    """The groups of a convolution. Raises `ModelError` for a number of them that there cannot be."""
    found = node.numbers("num_group", (1,))[0]
    if found < 1:
        raise node.unfit("num_group")
    return found


def epsilon(node: Node) -> float:
    """What a batch-norm adds to variances."""
    return node.number("eps", 1e-3)


def _require_first_outputs(graph: Graph) -> None:
    for number in graph.needed():
        node = graph.nodes[number]
        if any(output for _, output in node.inputs) or any(output for _, output in graph.heads):
            raise ModelError(f"The layer {node.name} takes another output of a layer than its first.")


def _without_labels(graph: Graph) -> Graph:
    nodes = (replace(node, inputs=node.inputs[:1]) if node.op in LOSSES else node for node in graph.nodes)
    return replace(graph, nodes=tuple(nodes))


def _fixed(graph: Graph, arrays: Arrays) -> Arrays:
    """`arrays` with the gammas that batch-norms hold fixed at 1."""
    ones = {}
    for number in graph.needed():
        node = graph.nodes[number]
        if symbol.is_norm(node) and node.flag("fix_gamma", True):
            gamma = graph.nodes[node.inputs[1][0]].name if len(node.inputs) == 5 else ""
            if gamma not in arrays:
                raise ModelError(f"The batch-norm {node.name} has {len(node.inputs)} inputs and no gamma among them.")
            ones[gamma] = np.ones_like(arrays[gamma])
    return {**arrays, **ones}


def _float32(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, np.float32)
