"""From ONNX to TFLite, by onnx2tf in an environment of its own.

onnx2tf takes images as channels-first and makes them channels-last. What it made is looked at: the layout of the input
goes into the card, and outputs must have come out in the same order, shape and, for random numbers, with the same
values, since a transposed output can have the shape of the right one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from zoo.errors import ModelError
from zoo.models.edges import Edge
from zoo.runtimes import Session, open_session
from zoo.specs import ModelCard
from zoo_tflite import environment
from zoo_tflite.options import Onnx2tfOptions
from zoo_tflite.session import TFLiteSession

_TOLERANCE = 1e-2
"""Relative to an output's largest number. Only for telling a transposed output; how well the models agree is measured
elsewhere."""

_LAST = (0, 2, 3, 1)


def from_onnx(edge: Edge) -> ModelCard:
    """An ONNX file as TFLite with float32 numbers; the card says the layout of its input.

    Raises `ModelError` where onnx2tf is not there, cannot convert the model, or changed its outputs.
    """
    options = edge.options or Onnx2tfOptions()
    python = environment.require(options.build_environment, options.python, edge.note)
    source = edge.work / "fixed.onnx"
    keep = _prepared(edge, source)
    # With the sizes fixed, what computes with sizes becomes constants. onnx2tf does this itself where it finds the
    # program onnxsim on the PATH, and without it makes files that cannot be run.
    environment.run(python, ["-m", "onnxsim", source.name, "model.onnx"], edge.work)
    said = ["-i", "model.onnx", "-o", "out", "-coion", "-nuo", "-n", "-v", "error"]
    if keep:
        said += ["-kat", *keep]
    environment.run(python, ["-m", "onnx2tf", *said], edge.work)
    made = edge.work / "out" / "model_float32.tflite"
    if not made.is_file():
        raise ModelError(f"onnx2tf made no TFLite file of {edge.source.name}.")
    made.replace(edge.target)
    return replace(edge.card, preprocess=replace(edge.card.preprocess, layout=_layout(source, edge)))


def _prepared(edge: Edge, path: Path) -> list[str]:
    """Write the model to `path` with the sizes of its input that are not to stay open fixed. Returns the inputs whose
    layout is to be kept, because it is channels-last already."""
    try:
        model = onnx.load(str(edge.source), load_external_data=False)
    except Exception as error:  # protobuf's error has no public class that all of its implementations share
        raise ModelError(f"{edge.source} is damaged or not an ONNX model: {error}.") from None
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ModelError(f"{edge.source} keeps its numbers in other files: convert one that holds them itself.")
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    for value in inputs:
        _fix(value.type.tensor_type.shape.dim, edge)
    del model.graph.value_info[:]
    onnx.save(model, str(path))
    return [value.name for value in inputs] if edge.card.preprocess.layout == "nhwc" else []


def _fix(sizes: Any, edge: Edge) -> None:
    nchw = edge.card.preprocess.layout == "nchw"
    names = ("batch", "channels", "height", "width") if nchw else ("batch", "height", "width", "channels")
    fixed = {"batch": 1, "channels": 3, "width": edge.size[0], "height": edge.size[1]}
    if len(sizes) != len(names):
        return
    for size, name in zip(sizes, names, strict=True):
        if not size.HasField("dim_value") and name not in edge.dynamic:
            size.dim_value = fixed[name]


def _layout(source: Path, edge: Edge) -> str:
    """The layout of what was made, after comparing it with what it was made from."""
    before, after = open_session(source, "onnx"), TFLiteSession(edge.target)
    old, new = before.inputs[0], after.inputs[0]
    shape = tuple(size or wanted for size, wanted in zip(old.shape, _traced(edge), strict=True))
    values = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    layout, last = edge.card.preprocess.layout, values.transpose(_LAST)
    if _fits(new.shape, values):
        given = values
    elif layout == "nchw" and _fits(new.shape, last):
        layout, given = "nhwc", last
    else:
        raise ModelError(f"onnx2tf made a model that takes {_text(new.shape)} of one that takes {_text(old.shape)}.")
    _require_same(before, before.run({old.name: values}), after, after.run({new.name: np.ascontiguousarray(given)}))
    return layout


def _traced(edge: Edge) -> tuple[int, int, int, int]:
    width, height = edge.size
    return (1, 3, height, width) if edge.card.preprocess.layout == "nchw" else (1, height, width, 3)


def _require_same(before: Session, wanted: list[NDArray[Any]], after: Session, got: list[NDArray[Any]]) -> None:
    names = [info.name for info in before.outputs]
    if names != [info.name for info in after.outputs]:
        found = ", ".join(info.name for info in after.outputs)
        raise ModelError(f"onnx2tf made a model whose outputs are {found}, not {', '.join(names)}.")
    for name, old, new in zip(names, wanted, got, strict=True):
        if old.shape != new.shape:
            raise ModelError(
                f"onnx2tf changed the layout of the output {name} from {_text(old.shape)} to {_text(new.shape)}."
            )
        largest = max(1.0, float(np.abs(old).max(initial=0)))
        if float(np.abs(old - new).max(initial=0)) > _TOLERANCE * largest:
            raise ModelError(f"onnx2tf made a model whose output {name} is another one.")


def _fits(shape: tuple[int | None, ...], values: NDArray[Any]) -> bool:
    pairs = zip(shape, values.shape, strict=False)
    return len(shape) == values.ndim and all(size in (None, actual) for size, actual in pairs)


def _text(shape: tuple[int | None, ...]) -> str:
    return "x".join("?" if size is None else str(size) for size in shape)
