"""A small network as an ONNX file, for tests that need no real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from zoo.specs import ModelCard, Preprocess, Thresholds


def tiny_onnx(path: Path, factor: float = 1.0, batch: str | int = "batch") -> Path:
    """One 3x3 convolution of three channels into four, with open height and width; `factor` scales its weights."""
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32) * np.float32(factor)
    node = helper.make_node("Conv", ["images", "weights"], ["maps"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    graph = helper.make_graph(
        [node],
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, "height", "width"])],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, [batch, 4, "height", "width"])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return path


@pytest.fixture
def card() -> ModelCard:
    """What describes `tiny_onnx`."""
    return ModelCard(
        "tiny",
        "yunet",
        "A convolution.",
        preprocess=Preprocess(multiple=32),
        outputs=("maps",),
        thresholds={"photo": Thresholds(0.5, 0.5)},
    )
