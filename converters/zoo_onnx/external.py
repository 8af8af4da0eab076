"""Weights that an ONNX model keeps in files of their own: where they may lie, and which they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from zoo.errors import ModelError

_MARK = b"location"
"""The key under which a tensor names its file; a model without these bytes has no such tensor."""


def files(path: Path) -> list[Path]:
    """The files that make up the model at `path`: itself, then those with its weights. Raises `ModelError` for a file
    that is no ONNX model, or whose weights lie where they must not."""
    data = _read(path)
    if _MARK not in data:
        return [path]
    return [path, *_weights(_parsed(data, path), path)]


def whole(path: Path) -> bytes:
    """The model as bytes that hold all of its weights. Raises as `files`."""
    data = _read(path)
    if _MARK not in data:
        return data
    model = _parsed(data, path)
    if not list(_weights(model, path)):
        return data
    load_external_data_for_model(model, str(path.parent))
    return bytes(model.SerializeToString())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error.strerror or error}.") from None


def _parsed(data: bytes, path: Path) -> Any:
    try:
        return onnx.load_model_from_string(data)
    except DecodeError:
        raise ModelError(f"{path} is damaged or not an ONNX model.") from None


def _weights(model: Any, path: Path) -> Iterator[Path]:
    """The files named by tensors, each once and checked: beside the model or below, and no longer than they say."""
    seen = set()
    for tensor in _tensors(model.graph):
        if not uses_external_data(tensor):
            continue
        said = {entry.key: entry.value for entry in tensor.external_data}
        place = (path.parent / said.get("location", "")).resolve()
        if not place.is_relative_to(path.parent.resolve()) or Path(said.get("location", "")).is_absolute():
            raise ModelError(
                f"{path} wants to read its weights from {said.get('location')!r}, which is outside its folder: that is"
                " refused; if you trust it, put the file beside it."
            )
        if not place.is_file():
            raise ModelError(f"{path} keeps weights in {said.get('location')!r}, and there is no such file beside it.")
        _require_inside(said, place, path)
        if place not in seen:
            seen.add(place)
            yield place


def _require_inside(said: dict[str, str], place: Path, path: Path) -> None:
    offset, length = (said.get(name, "0") for name in ("offset", "length"))
    numbers = offset.isdecimal() and length.isdecimal()
    if not numbers or int(offset) + int(length) > place.stat().st_size:
        raise ModelError(f"{path} is damaged: weights at {offset} of length {length} go beyond {place.name}.")


def _tensors(graph: Any) -> Iterator[Any]:
    """The tensors of a graph and of those in its nodes' attributes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _tensors(inner)
