"""What a TFLite file says of itself, read and checked before anything else sees it.

Field numbers are those of ``tensorflow/compiler/mlir/lite/schema/schema.fbs``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from zoo.errors import ModelError
from zoo_tflite.flat import Table, root
from zoo_tflite.sniff import IDENTIFIER

FLOAT32 = 0
RANK = 32
"""Dimensions of a tensor at most; LiteRT's operations know 8."""

_WIDTHS = {128: (11,), 64: (4, 8, 10, 12), 32: (0, 2, 15), 16: (1, 7, 16, 18), 8: (3, 6, 9), 4: (17,), 2: (19,)}
_BITS = {kind: bits for bits, kinds in _WIDTHS.items() for kind in kinds}
"""Bits of one number by type (``TensorType``); texts, resources and variants are no numbers."""

_NAMES = ("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8", "float64")
_CUSTOM = 32
"""``BuiltinOperator.CUSTOM``: an operation that the file names itself."""


@dataclass(frozen=True)
class Tensor:
    """One tensor: its name, its type's number, and its shape, in which None is a size that is open."""

    name: str
    type: int
    shape: tuple[int | None, ...]

    @property
    def kind(self) -> str:
        """The type's name, as NumPy has it."""
        return _NAMES[self.type] if self.type < len(_NAMES) else f"type {self.type}"


@dataclass(frozen=True)
class Description:
    """The inputs and outputs of the file's network, in order, named by its signature where it has one."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    metadata: Mapping[str, memoryview]


def describe(path: Path) -> Description:
    """Read the file at `path`. Raises `ModelError` for one that is damaged, is no TFLite, or has operations that it
    names itself."""
    return parse(read(path), str(path))


def read(path: Path) -> memoryview:
    """The bytes of a file. Raises `ModelError` when it cannot be read."""
    try:
        return memoryview(path.read_bytes())
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error.strerror or error}.") from None


def parse(data: memoryview, where: str) -> Description:
    """The same of a file's bytes; `where` names it."""
    try:
        return _parsed(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{where} is damaged or no TFLite file: {error}.") from None


def _parsed(data: memoryview) -> Description:
    model = root(data, IDENTIFIER)
    buffers = [_buffer(table, len(data)) for table in model.tables(4)]
    codes = [_code(table) for table in model.tables(1)]
    graphs = list(model.tables(2))
    if not graphs:
        raise ValueError("it has no network")
    tensors = [[_tensor(table, buffers) for table in graph.tables(0)] for graph in graphs]
    for graph, known in zip(graphs, tensors, strict=True):
        _check_operators(graph, len(known), len(codes))
    metadata = {
        table.text(0): buffers[_below(table.number(1, "<I"), len(buffers), "buffer")] for table in model.tables(6)
    }
    inputs, outputs = ([tensors[0][index] for index in graphs[0].integers(field)] for field in (1, 2))
    named = _signature(model)
    return Description(
        tuple(_renamed(inputs, graphs[0].integers(1), named[0])),
        tuple(_renamed(outputs, graphs[0].integers(2), named[1])),
        metadata,
    )


def _buffer(table: Table, size: int) -> memoryview:
    """The bytes of a buffer; files beyond 2 GB hold them outside the structure."""
    offset, length = table.number(1, "<Q"), table.number(2, "<Q")
    if offset > 1:
        if offset + length > size:
            raise ValueError("a buffer lies past the end")
        return table.data[offset : offset + length]
    return table.bytes(0)


def _code(table: Table) -> int:
    """The number of an operation."""
    old, new = table.number(0, "<b"), table.number(3)
    code = max(old, new)
    if code == _CUSTOM or table.field(1):
        raise ValueError(f"it has the operation {table.text(1)[:80]!r} of its own, which nothing here can run")
    if code < 0:
        raise ValueError(f"it has the unknown operation {code}")
    return code


def _tensor(table: Table, buffers: list[memoryview]) -> Tensor:
    shape, signature = table.integers(0).tolist(), table.integers(7).tolist()
    kind = table.number(1, "<b")
    held = buffers[_below(table.number(2, "<I"), len(buffers), "buffer")]
    if len(shape) > RANK or any(size < 0 for size in shape) or (signature and len(signature) != len(shape)):
        raise ValueError(f"the tensor {table.text(3)[:80]!r} has an impossible shape")
    if table.field(6):
        raise ValueError("it has sparse tensors, which are not read")
    if len(held) and kind in _BITS and len(held) != (math.prod(shape) * _BITS[kind] + 7) // 8:
        raise ValueError(f"the tensor {table.text(3)[:80]!r} has {len(held)} bytes, which do not fill its shape")
    quantization = table.table(4)
    if quantization:
        _check_quantization(quantization)
    open_shape = tuple(None if size < 0 else size for size in signature or shape)
    return Tensor(table.text(3), kind, open_shape)


def _check_quantization(table: Table) -> None:
    for field in range(3):
        table.integers(field)
    if table.count(3, 8) not in (0, len(table.integers(2))):
        raise ValueError("a tensor's scales and zero points differ in number")


def _check_operators(graph: Table, tensors: int, codes: int) -> None:
    for field in (1, 2):
        _all_below(graph.integers(field), tensors)
    for operator in graph.tables(3):
        _below(operator.number(0, "<I"), codes, "operation")
        for field in (1, 2, 8):
            found = operator.integers(field)
            _all_below(found[found != -1], tensors)  # -1 is an input that is left out
        for field in (4, 12):
            options = operator.table(field)
            if options:
                options.field(0)


def _all_below(indices: NDArray[Any], count: int) -> None:
    for index in (indices.min(), indices.max()) if indices.size else ():
        _below(int(index), count, "tensor")


def _below(index: int, count: int, what: str) -> int:
    if not 0 <= index < count:
        raise ValueError(f"there is no {what} {index}")
    return index


def _signature(model: Table) -> tuple[dict[int, str], dict[int, str]]:
    """The names of inputs and outputs by the tensors' numbers, where the file has one signature."""
    signatures = list(model.tables(7))
    if len(signatures) != 1 or signatures[0].number(4, "<I"):
        return {}, {}
    inputs, outputs = (
        {table.number(1, "<I"): table.text(0) for table in signatures[0].tables(field)} for field in (0, 1)
    )
    return inputs, outputs


def _renamed(tensors: list[Tensor], numbers: Iterable[int], names: Mapping[int, str]) -> Iterator[Tensor]:
    for tensor, number in zip(tensors, numbers, strict=True):
        yield Tensor(names.get(int(number), tensor.name), tensor.type, tensor.shape)
