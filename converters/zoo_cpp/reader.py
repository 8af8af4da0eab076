"""ONNX to `Program`: any network whose operators are known, as steps on feature maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ModelError
from zoo.specs import ModelCard
from zoo_cpp.program import Activation, Output, Program, Quantised, Step
from zoo_cpp.reading.fusing import fuse
from zoo_cpp.reading.graph import Input, find_input, load, walk
from zoo_cpp.reading.operators import KNOWN
from zoo_cpp.reading.tensors import UnreadableError

TRIED = ((165, 101), (69, 229))
"""Widths and heights at which a network that takes any is read, rounded up to its multiple. They are odd, and so are
most of their halves, so that no map happens to be just twice as large as another."""

LARGEST_SIDE = 1 << 14
"""Pixels of the largest width and height that a file's input may have."""


def read(path: Path, card: ModelCard) -> Program:
    """The network in the ONNX file at `path`, which `card` describes.

    Its height and width stay open where the file leaves them open and the card's network sees whole images; it is then
    read at two sizes, and both must give the same steps. The program works on one image, whatever the file does.

    Raises `ModelError` that names the node and operator for what cannot be read, and for damaged files.
    """
    model = load(path)
    try:
        given = find_input(model, card.preprocess.layout == "nhwc")
        sizes, fixed = _sizes(given, card)
        steps, outputs = walk(model, given, *sizes[0])
        for size in sizes[1:]:
            _require_same((steps, outputs), walk(model, given, *size), sizes)
        fused = fuse(steps, outputs)
    except UnreadableError as error:
        raise ModelError(f"{path} {error}.") from None
    multiple = 1 if fixed else card.preprocess.multiple
    return Program(*fused, given.channels, fixed, multiple)


def unsupported(path: Path) -> tuple[str, ...]:
    """The operators in the ONNX file at `path` that `read` does not know, by name, sorted. Raises `ModelError` for a
    file that is no ONNX model."""
    nodes = load(path, weights=False).graph.node
    known = {(domain, name) for domain in ("", "ai.onnx") for name in KNOWN}
    return tuple(sorted({node.op_type for node in nodes if (node.domain, node.op_type) not in known}))


def _sizes(given: Input, card: ModelCard) -> tuple[list[tuple[int, int]], tuple[int, int] | None]:
    """The (width, height) to read the network at, and the only one that it takes if there is but one."""
    declared = (given.width, given.height)
    width, _, height = card.preprocess.size.partition("x")
    if card.preprocess.crop.kind and not all(declared) and width.isdecimal() and height.isdecimal():
        declared = (given.width or int(width), given.height or int(height))
    if all(declared):
        if max(declared) > LARGEST_SIDE:
            raise UnreadableError(f"has an input of {declared[0]}x{declared[1]} pixels")
        return [declared], declared
    if any(declared):
        raise UnreadableError("leaves either the height or the width open, and not both")
    multiple = card.preprocess.multiple
    return [(_up(width, multiple), _up(height, multiple)) for width, height in TRIED], None


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _require_same(one: Any, other: Any, sizes: list[tuple[int, int]]) -> None:
    """Raise `UnreadableError` unless both walks gave the same steps and outputs."""
    if len(one[0]) == len(other[0]) and one[1] == other[1]:
        different = next((a for a, b in zip(one[0], other[0], strict=True) if not _equal(a, b)), None)
        if different is None:
            return
        where = f" at {different.name!r}"
    else:
        where = ""
    first, second = ("x".join(map(str, size)) for size in sizes)
    raise UnreadableError(
        f"leaves its input's size open, but is another network at {first} than at {second}{where}; export it with a"
        " fixed size"
    )


def _equal(one: Any, other: Any) -> bool:
    """Whether two steps are the same, arrays number by number."""
    if isinstance(one, Step | Activation | Output | Quantised):
        return type(one) is type(other) and all(
            _equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and np.array_equal(one, other)
    return bool(one == other)
