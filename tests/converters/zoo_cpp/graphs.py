"""Small ONNX graphs, and what ONNX Runtime makes of an image in comparison with a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from zoo_cpp.program import Program
from zoo_cpp.reader import read
from zoo_cpp.reference import evaluate

from zoo.plugins import catalogue
from zoo.specs import ModelCard
from zoo.types import Floats

CLOSE = 4e-5
"""The largest difference from ONNX Runtime, as a part of an output's largest number. On random weights ONNX Runtime
itself is 1.7e-5 away from the same network in double precision, on the networks of the zoo."""

LEAST = 1e-2
"""What counts as an output's largest number where that is less: ONNX Runtime's sigmoid is not exact to more than
6e-8, however small it is."""


def node(kind: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """A node; operands and results are names with spaces between, ``-`` an operand that is left out."""
    names = [name.replace("-", "") for name in inputs.split()]
    return helper.make_node(kind, names, outputs.split(), name=f"the_{outputs.split()[0]}", **attributes)


def graph(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    arrays: Mapping[str, Any],
    shape: Sequence[Any] = (1, 3, "h", "w"),
    outputs: str = "y",
    opset: int = 17,
) -> Path:
    """Write a graph from ``x``, of `shape`, to `outputs`."""
    held = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    images = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.split()]
    body = helper.make_graph(list(nodes), "net", [images], made, held)
    version = helper.make_opsetid("", opset)
    onnx.save(helper.make_model(body, opset_imports=[version], ir_version=8), path)
    return path


def card(name: str = "retinaface_mnet025", **preprocess: Any) -> ModelCard:
    """A card of the registry; RetinaFace's takes whole images of any size. `preprocess` changes what it says."""
    found = catalogue().cards[name]
    return replace(found, preprocess=replace(found.preprocess, **preprocess))


def image(width: int, height: int, seed: int = 0, channels: int = 3) -> Floats:
    """Noise, (height, width, channels) float32, about as large as what networks are given."""
    return np.random.default_rng(seed).normal(0, 1, (height, width, channels)).astype(np.float32)


def answers(path: Path, pixels: Floats) -> list[Floats]:
    """What ONNX Runtime gives for one image, or for as many copies as the file wants, of which the first counts."""
    onnxruntime.set_default_logger_severity(4)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    images = given.shape[0] if isinstance(given.shape[0], int) else 1
    batch = np.repeat(pixels[None], images, axis=0)
    if given.shape[3] != pixels.shape[2]:
        batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
    results = session.run(None, {given.name: batch})
    return [result[: len(result) // images] for result in results]


def assert_same(path: Path, program: Program, pixels: Floats, close: float = CLOSE) -> None:
    """Raise unless the program gives what ONNX Runtime gives, output by output, with the same number of columns."""
    wanted, got = answers(path, pixels), evaluate(program, pixels)
    assert len(wanted) == len(got)
    for one, other, output in zip(wanted, got, program.outputs, strict=True):
        assert one.size == other.size, output.name
        if one.ndim in (2, 3):
            assert one.shape[-1] == other.shape[-1] == output.columns, output.name
        limit = close * max(LEAST, float(np.abs(one).max()))
        np.testing.assert_allclose(other.ravel(), one.ravel(), rtol=0, atol=limit, err_msg=output.name)


def assert_read(path: Path, sizes: Sequence[tuple[int, int]] = ((17, 12), (40, 31)), **preprocess: Any) -> Program:
    """Read the graph and compare it with ONNX Runtime at several (width, height)."""
    program = read(path, card(**preprocess))
    for width, height in [program.fixed] if program.fixed else sizes:
        assert_same(path, program, image(width, height, channels=program.channels), 1e-5)
    return program


def kinds(program: Program) -> list[str]:
    """The kinds of a program's steps, with the activation behind each: ``conv+relu``."""
    return [
        step.kind + (f"+{step.activation.kind}" if step.activation.kind != "none" else "") for step in program.steps
    ]
