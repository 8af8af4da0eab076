"""From ONNX to C++."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.models.edges import Edge, Finding
from zoo.specs import ModelCard
from zoo_cpp.generate import generate
from zoo_cpp.options import CppOptions
from zoo_cpp.reader import unsupported

if TYPE_CHECKING:
    from zoo_cpp.numbers import Storage


def check(path: Path) -> str:
    """Why no C++ can be made of the ONNX file at `path`, as far as its operators tell; empty where they do not. Raises
    `ModelError` for a file that is no ONNX model."""
    names = unsupported(path)
    if not names:
        return ""
    kinds = "an operator" if len(names) == 1 else "operators"
    return f"{path} has {kinds} that the generated C++ cannot do: {', '.join(names)}."


def to_cpp(edge: Edge) -> ModelCard:
    """Write the folder with the weights as they are: float32, and whole numbers where the network was made int8. Raises
    `ModelError` for what C++ cannot be made of."""
    return _written(edge, "float32")


def to_cpp_float16(edge: Edge) -> ModelCard:
    """As `to_cpp`, with the weights of convolutions as float16, which are spread out to float32 on creation."""
    return _written(edge, "float16")


def to_cpp_weights8(edge: Edge) -> ModelCard:
    """As `to_cpp`, with the weights of convolutions as int8 and a scale a channel, which are spread out on creation:
    smaller by three quarters, without calibration, and as fast as float32."""
    return _written(edge, "int8")


def of_onnx(path: Path, folder: Path, card: ModelCard) -> None:
    """Write the program of the ONNX file at `path` into `folder`, to be compiled and run here: what compilers take long
    for is in a file. Raises `ModelError`."""
    generate(path, folder, card, CppOptions(data="binary"))


def _written(edge: Edge, storage: Storage) -> ModelCard:
    fixed = None if {"height", "width"} <= edge.dynamic or edge.card.preprocess.crop.kind else edge.size
    described = generate(edge.source, edge.target, edge.card, edge.options, storage, fixed)
    edge.record(Finding({"self-test": dict(described.golden)}))
    return replace(edge.card, outputs=tuple(name for name, _ in described.outputs))
