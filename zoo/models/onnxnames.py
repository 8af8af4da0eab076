"""Names in an ONNX model that converters number as they come to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

_NUMBER = re.compile(r"__\d+")


def renumber(graph: Any) -> None:
    """Number the names of a ``GraphProto`` anew in the order of its nodes, and sort its weights by name.

    tf2onnx counts with one counter for the process, and in the order of Python's sets, so that the names of one model
    differ from run to run: their numbers, and of several equal constants, whose name the one that is kept has. After
    this the same model has the same bytes.
    """
    fresh: dict[str, str] = {}

    def renamed(name: str) -> str:
        if name not in fresh and _NUMBER.search(name):
            fresh[name] = f"{_NUMBER.sub('', name)}__{len(fresh)}"
        return fresh.get(name, name)

    for node in graph.node:
        node.name = renamed(node.name)
        node.input[:] = map(renamed, node.input)
        node.output[:] = map(renamed, node.output)
    for value in _named(graph):
        value.name = renamed(value.name)
    graph.initializer.sort(key=lambda tensor: str(tensor.name))
    graph.value_info.sort(key=lambda value: str(value.name))


def rename(graph: Any, names: Callable[[str], str]) -> None:
    """Give the inputs and outputs of a ``GraphProto`` the names that `names` says for their old ones."""
    new = {value.name: names(value.name) for value in (*graph.input, *graph.output)}
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
    for value in _named(graph):
        value.name = new.get(value.name, value.name)


def name_sizes(graph: Any, image: Sequence[str]) -> None:
    """Call the open sizes of a ``GraphProto``'s inputs what they are: `image` are the names of an image's four. Of an
    output the first is the number of images, and the others stay nameless."""
    for value in graph.input:
        sizes = value.type.tensor_type.shape.dim
        _name(sizes, image if len(sizes) == len(image) else ["batch"])
    for value in graph.output:
        _name(value.type.tensor_type.shape.dim, ["batch"])


def _name(sizes: Any, names: Sequence[str]) -> None:
    for index, size in enumerate(sizes):
        if not size.HasField("dim_value"):
            size.Clear()
            if index < len(names):
                size.dim_param = names[index]


def _named(graph: Any) -> Iterator[Any]:
    yield from graph.input
    yield from graph.output
    yield from graph.initializer
    yield from graph.value_info
