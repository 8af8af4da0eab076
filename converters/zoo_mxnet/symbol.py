"""MXNet's networks (``-symbol.json``), read without MXNet.

A network is a list of nodes, each of which names earlier ones as its inputs; a node ``null`` is an array of the
``.params`` or an input. Attributes are texts: the oldest files call those of an operator ``param``, later ones
``attr``, the last ones ``attrs``. Before NNVM (2016) batch-norm does not list its running statistics.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.errors import ModelError, UsageError, suggestion

LARGEST = 64 << 20
"""Bytes of a symbol file; a network of a thousand layers has one megabyte."""

NULL = "null"
_NORMS = ("BatchNorm", "BatchNorm_v1", "CuDNNBatchNorm", "SyncBatchNorm", "_contrib_SyncBatchNorm")


@dataclass(frozen=True)
class Node:
    """A node: its operator, name, attributes, and for each input which node's which output it is."""

    op: str
    name: str
    attributes: Mapping[str, str]
    inputs: tuple[tuple[int, int], ...]

    def text(self, name: str, default: str = "") -> str:
        """An attribute, as it stands; ``None`` counts as not given."""
        value = self.attributes.get(name, default)
        return default if value == "None" else value

    def number(self, name: str, default: float) -> float:
        """An attribute that is a number. Raises `ModelError`."""
        text = self.text(name)
        try:
            return float(text) if text else default
        except ValueError:
            raise self.unfit(name) from None

    def flag(self, name: str, default: bool = False) -> bool:
        """An attribute that is true or false. Raises `ModelError`."""
        text = self.text(name, str(default)).lower()
        if text not in ("true", "1", "false", "0"):
            raise self.unfit(name)
        return text in ("true", "1")

    def numbers(self, name: str, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """An attribute that is whole numbers: ``(3, 3)``, ``[3,3]``, ``3``. Raises `ModelError`."""
        parts = [part.strip().removesuffix("L") for part in self.text(name).strip(" ()[]").split(",")]
        try:
            return tuple(int(part) for part in parts if part) or default
        except ValueError:
            raise self.unfit(name) from None

    def unfit(self, name: str) -> ModelError:
        """That the attribute has no value that this can be done with."""
        return ModelError(
            f"The layer {self.name} ({self.op}) has {name}={self.attributes.get(name, '')!s:.60}, which the zoo does"
            " not convert."
        )


@dataclass(frozen=True)
class Graph:
    """A network: its nodes in an order in which each comes after its inputs, and which outputs are its own."""

    nodes: tuple[Node, ...]
    heads: tuple[tuple[int, int], ...]

    def upto(self, layer: str) -> Graph:
        """The part that ends with `layer`, or all of it where that is empty.

        Raises `UsageError` for a layer that there is not.
        """
        heads = self.heads
        if layer:
            found = {node.name: number for number, node in enumerate(self.nodes) if node.op != NULL}
            wanted = layer.removesuffix("_output")
            if wanted not in found:
                raise UsageError(f"The network has no layer {layer!r}.{suggestion(wanted, found)}")
            heads = ((found[wanted], 0),)
        return replace(self, heads=heads)

    def needed(self) -> list[int]:
        """Numbers of the nodes that the heads need, in order."""
        needed = {number for number, _ in self.heads}
        for number in range(len(self.nodes) - 1, -1, -1):
            if number in needed:
                needed.update(source for source, _ in self.nodes[number].inputs)
        return sorted(needed)


def read(path: Path) -> Graph:
    """The network of a symbol file. Raises `ModelError` for what is none."""
    try:
        if path.stat().st_size > LARGEST:
            raise ModelError(f"{path} is larger than a network can be: {path.stat().st_size} bytes.")
        return parse(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is no network of MXNet's: {str(error)[:200].rstrip('.')}.") from None


def parse(document: Any) -> Graph:
    """The network that a JSON document describes. Raises `ValueError` for what is none."""
    if not isinstance(document, dict) or not isinstance(document.get("nodes"), list):
        raise ValueError("it has no list of nodes")
    nodes: list[Node] = []
    renumbered: list[int] = []
    for number, described in enumerate(document["nodes"]):
        node = _node(described, number)
        inputs = [(renumbered[source], output) for source, output in node.inputs]
        if node.op in _NORMS and len(inputs) == 3:
            for name in ("moving_mean", "moving_var"):
                nodes.append(Node(NULL, f"{node.name}_{name}", {}, ()))
                inputs.append((len(nodes) - 1, 0))
        renumbered.append(len(nodes))
        nodes.append(replace(node, inputs=tuple(inputs)))
    heads = _references(document.get("heads"), len(renumbered), "heads")
    if not heads:
        raise ValueError("it has no outputs")
    return Graph(tuple(nodes), tuple((renumbered[source], output) for source, output in heads))


def _node(described: Any, number: int) -> Node:
    if not isinstance(described, dict):
        raise ValueError(f"node {number} is no mapping")
    op, name = described.get("op"), described.get("name")
    if not isinstance(op, str) or not isinstance(name, str):
        raise ValueError(f"node {number} has no operator and name")
    attributes: dict[str, str] = {}
    for key in ("attr", "param", "attrs"):
        given = described.get(key) or {}
        if not isinstance(given, dict):
            raise ValueError(f"the attributes of {name!r:.60} are no mapping")
        attributes.update({str(name): str(value) for name, value in given.items()})
    inputs = _references(described.get("inputs"), number, f"the inputs of {name!r:.60}")
    return Node(op, name, attributes, inputs)


def _references(given: Any, below: int, what: str) -> tuple[tuple[int, int], ...]:
    """Pairs of a node's number, which is lower than `below`, and of its output's."""
    if not isinstance(given, list):
        raise ValueError(f"{what} are no list")
    found = []
    for entry in given:
        numbers = entry[:2] if isinstance(entry, list) else ()
        if len(numbers) != 2 or not all(isinstance(value, int) and value >= 0 for value in numbers):
            raise ValueError(f"{what} are not pairs of numbers")
        if numbers[0] >= below:
            raise ValueError(f"{what} name the node {numbers[0]}, which does not come before")
        found.append((numbers[0], numbers[1]))
    return tuple(found)


def is_norm(node: Node) -> bool:
    """Whether the node is a batch-norm, under any of its names."""
    return node.op in _NORMS
