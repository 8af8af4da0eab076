"""Walking an ONNX graph for an input of one size: what depends on the image becomes steps, the rest is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ModelError
from zoo.plugins import catalogue, resolve
from zoo_cpp.program import Output, Step
from zoo_cpp.reading.building import Builder
from zoo_cpp.reading.known import EVALUATORS, bound
from zoo_cpp.reading.operators import READERS
from zoo_cpp.reading.tensors import LARGEST, HalfMean, Length, Piece, Tensor, UnreadableError, axes, merged

FLAWS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, MemoryError)
"""What the operators raise for a node whose attributes or operands are not as the format says."""


MOST_NODES = 10_000


@dataclass(frozen=True)
class Input:
    """The graph's input: `images` at once, (width, height) where they are fixed, and whether channels come last."""

    name: str
    images: int
    channels: int
    width: int
    height: int
    last: bool


def load(path: Path, weights: bool = True) -> Any:
    """The model in the file, with its weights where they are asked for. Raises `ModelError`."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        files = resolve(catalogue().formats["onnx"].files)(path) if weights else [path]
        model = onnx.load(str(path), format="protobuf", load_external_data=len(files) > 1)
    except (DecodeError, OSError, *FLAWS) as error:
        raise ModelError(f"{path} is damaged or not an ONNX model: {error}.") from None
    if not model.graph.node:
        raise ModelError(f"{path} is damaged or not an ONNX model: it holds no network.")
    if len(model.graph.node) > MOST_NODES:
        raise ModelError(f"{path} has {len(model.graph.node):,} operators, more than any network here.")
    return model


def find_input(model: Any, last: bool) -> Input:
    """The input of images; `last` says whether channels come last where the file leaves that open. Raises
    `UnreadableError`."""
    held = {tensor.name for tensor in model.graph.initializer}
    given = [value for value in model.graph.input if value.name not in held]
    if len(given) != 1:
        raise UnreadableError(f"has {len(given)} inputs; one is wanted")
    sizes = [dim.dim_value for dim in given[0].type.tensor_type.shape.dim]
    if len(sizes) != 4 or min(sizes) < 0:
        raise UnreadableError(f"has an input of the shape {sizes}, which are no images")
    if (sizes[1] in (1, 3)) != (sizes[3] in (1, 3)):
        last = sizes[3] in (1, 3)
    images, channels, height, width = (sizes[i] for i in ((0, 3, 1, 2) if last else (0, 1, 2, 3)))
    return Input(given[0].name, images or 1, channels or 3, width, height, last)


def walk(model: Any, given: Input, width: int, height: int) -> tuple[list[Step], list[Output]]:
    """The steps for an input of `width` x `height`, about one for each operator, and the outputs. Raises
    `UnreadableError`."""
    from onnx import numpy_helper

    opset = max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=1)
    builder = Builder(opset, sizes={0: (height, width)})
    values: dict[str, Any] = {"": None}
    for tensor in model.graph.initializer:
        try:
            values[tensor.name] = numpy_helper.to_array(tensor)
        except FLAWS:
            raise UnreadableError(f"has a damaged array {tensor.name!r}") from None
    values[given.name] = _images(given, width, height)
    for node in _ordered(model.graph.node, values):
        _read(builder, node, values)
    return builder.steps, [_output(value.name, values) for value in model.graph.output]


def _ordered(nodes: Sequence[Any], known: Iterable[str]) -> list[Any]:
    """`nodes` with each after those that make its inputs: quantisers append theirs at the end. Those of a circle, or
    whose inputs nothing makes, come last, as they are."""
    waiting = [{name for name in node.input if name} for node in nodes]
    users: dict[str, list[int]] = {}
    for index, names in enumerate(waiting):
        for name in names:
            users.setdefault(name, []).append(index)
    ready, order = [*known], [index for index, names in enumerate(waiting) if not names]
    done, at = set(order), 0
    while ready or at < len(order):
        while ready:
            name = ready.pop()
            for index in users.pop(name, []):
                waiting[index].discard(name)
                if not waiting[index] and index not in done:
                    done.add(index)
                    order.append(index)
        if at < len(order):
            ready.extend(nodes[order[at]].output)
            at += 1
    return [nodes[index] for index in (*order, *(index for index in range(len(nodes)) if index not in done))]


def _images(given: Input, width: int, height: int) -> Tensor:
    if width * height * given.channels > LARGEST:
        raise UnreadableError(f"has an input of {width}x{height} pixels")
    images, channels = axes("N", given.images), axes("C", given.channels)
    down, across = axes("H", height), axes("W", width)
    order = (images, down, across, channels) if given.last else (images, channels, down, across)
    return Tensor((Piece(0, height, width, given.channels, order),))


def _read(builder: Builder, node: Any, values: dict[str, Any]) -> None:
    """Read one node and put what it makes into `values`."""
    builder.name = node.name or (node.output[0] if node.output else "")
    who = f"the node {builder.name!r} ({node.op_type})"
    missing = [name for name in node.input if name not in values]
    if missing:
        raise UnreadableError(f"is damaged: {who} needs {missing[0]!r}, which nothing before it makes")
    if any(name in values for name in node.output if name):
        raise UnreadableError(f"is damaged: {who} makes what is already there")
    if sum(bool(name) for name in node.output) > 1 and node.op_type not in ("Split", "Dropout", "BatchNormalization"):
        raise UnreadableError(f"cannot be read: {who} has several outputs")
    try:
        made = _apply(builder, node, [values[name] for name in node.input])
    except UnreadableError as error:
        raise UnreadableError(f"cannot be read: {who} {error}") from None
    except FLAWS as error:
        raise UnreadableError(
            f"is damaged or beyond what is supported: {who} has unfit attributes or operands"
        ) from error
    values.update(zip(node.output, made if isinstance(made, list) else [made], strict=False))
    values[""] = None


def _apply(builder: Builder, node: Any, inputs: Sequence[Any]) -> Any:
    attributes = _attributes(node)
    if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
        return np.asarray(next(iter(attributes.values())))
    mapped = any(isinstance(one, Tensor | Length | HalfMean) for one in inputs)
    if node.op_type == "Shape" and mapped:
        return np.array(inputs[0].shape[attributes.get("start", 0) : attributes.get("end")], np.int64)
    table = READERS if mapped else EVALUATORS
    if node.op_type not in table or node.domain not in ("", "ai.onnx"):
        raise UnreadableError(
            "is an operator that is not supported" + (" on what the network computes" if mapped else "")
        )
    if mapped:
        if node.op_type == "Split":
            attributes["outputs"] = len(node.output)
        if node.op_type == "Resize" and builder.opset < 11:
            return READERS["Upsample"](builder, inputs, attributes)
        return READERS[node.op_type](builder, inputs, attributes)
    made = bound(node.op_type, inputs)
    if made > LARGEST // 4:
        raise UnreadableError("makes an array larger than any network here has")
    builder.claim(made)
    return EVALUATORS[node.op_type](inputs, attributes)


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import TensorProto, helper, numpy_helper

    found = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    return {n: numpy_helper.to_array(v) if isinstance(v, TensorProto) else v for n, v in found.items()}


def _output(name: str, values: Mapping[str, Any]) -> Output:
    """The output called `name` as rows. Raises `UnreadableError` where it does not run over rows, columns and
    channels, in this order."""
    tensor = values.get(name)
    if not isinstance(tensor, Tensor):
        raise UnreadableError(f"is damaged: nothing makes its output {name!r} of the image")
    for piece in tensor.pieces:
        whole = merged([*axes("H", piece.height), *axes("W", piece.width), *axes("C", piece.channels)])
        several = [axis for dimension in piece.dimensions[1:] for axis in dimension if axis.kind == "N"]
        if piece.flat != whole or any(piece.pads) or several:
            raise UnreadableError(
                f"has an output {name!r} of the shape {tensor.shape} whose rows are not those of the maps"
            )
    shape, piece = tensor.shape, tensor.pieces[0]
    vector = len(tensor.pieces) == 1 and piece.height == piece.width == 1 and len(shape) == 4
    columns = piece.channels if vector else (shape[-1] if len(shape) > 1 else 1)
    return Output(name, tuple(one.value for one in tensor.pieces), columns)
