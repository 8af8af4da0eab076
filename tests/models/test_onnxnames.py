"""Names that tf2onnx numbers as it comes to them."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from zoo.models.onnxnames import renumber


def clipped(first: str, kept: str, last: str) -> onnx.GraphProto:
    """Two layers that are limited by the same two constants, whose names are those of either layer."""
    low, high = f"{kept}_min__{kept[-1]}1", f"{kept}_max__{kept[-1]}2"
    nodes = [
        helper.make_node("Clip", ["images", low, high], [f"{first}:0"], name=first),
        helper.make_node("Clip", [f"{first}:0", low, high], ["scores"], name=last),
    ]
    images, scores = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("images", "scores"))
    weights = [numpy_helper.from_array(np.float32(value), name) for name, value in ((low, 0), (high, 6))]
    return helper.make_graph(nodes, "limits", [images], [scores], weights[:: 1 if kept[-1] == "4" else -1])


def test_one_model_has_the_same_bytes_whatever_its_names_were() -> None:
    graphs = clipped("Relu6__4", "Relu6__4", "Relu6__7"), clipped("Relu6__9", "Relu6__3", "Relu6__3")
    assert graphs[0] != graphs[1]
    for graph in graphs:
        renumber(graph)
        onnx.checker.check_graph(graph)
    assert graphs[0] == graphs[1]
    assert [node.name for node in graphs[0].node] == ["Relu6__0", "Relu6__4"]
    assert [one.name for one in graphs[0].initializer] == ["Relu6_max__2", "Relu6_min__1"]


def test_names_without_numbers_stay() -> None:
    graph = clipped("first", "Relu6__4", "conv_2")
    renumber(graph)
    assert [node.name for node in graph.node] == ["first", "conv_2"]
    assert (graph.input[0].name, graph.output[0].name) == ("images", "scores")
