"""The library's data file, ``facedetectcnn-data.cpp``: written to the byte as its own tool writes it, and read back.

Numbers are texts of three significant digits. Batch-norm is folded into the convolution before it. Facts from
ShiqiYu/libfacedetection.train: ``tools/yunet2cpp.py``; ShiqiYu/libfacedetection: ``src/facedetectcnn.h``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ModelError
from zoo_libfacedetection.layers import DEPTHWISE, POINTWISE, STEM, STEM_INPUTS, STEM_ROW, Layer, conv_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

EPSILON = 1e-5
"""What PyTorch's batch-norm adds to variances."""

_HEADER = """\
// Auto generated data file
// Copyright (c) 2018-2023, Shiqi Yu, all rights reserved.
#include "facedetectcnn.h"

"""
_COLUMNS = "//(in_channels, out_channels, is_depthwise, is_pointwise, with_bn, weight_ptr, bias_ptr)"
_LARGEST = 1 << 28
"""Bytes of the largest file that is read: 600 times the largest that the library ships."""

_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{0,9})?(e[-+][0-9]{1,3})?f")
_ARRAY = re.compile(r"float (\w{1,200})\[[0-9* ]{1,60}\] = \{([^{}]*)\};")
_ROW = re.compile(r"\{(\d{1,5}), (\d{1,5}), (true|false), (true|false), (true|false), (\w{1,200}), (\w{1,200})\}")
_TABLE = re.compile(r"ConvInfoStruct param_pConvInfo\[(\d{1,5})\] = \{")


@dataclass(frozen=True)
class Row:
    """One convolution of a data file: its `conv`'s path in the network, what kind it is, and its folded numbers,
    `weight` (O, C, kernel, kernel) and `bias` (O) float32."""

    conv: str
    kind: str
    weight: NDArray[Any]
    bias: NDArray[Any]
    normalised: bool


def folded(layer: Layer, tensors: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weight (O, C, kernel, kernel) and bias (O), float32, of `layer` with its normalisation multiplied into them.

    All of it is float32 arithmetic, in the order of the library's tool: its file depends on the rounding.
    """
    import numpy as np

    weight, bias = (tensors[f"{layer.conv}.{name}"] for name in ("weight", "bias"))
    if not layer.norm:
        return weight, bias
    scale, shift, mean, variance = (
        tensors[f"{layer.norm}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")
    )
    factor = scale / np.sqrt(variance + np.float32(EPSILON))
    return weight * factor[:, None, None, None], (bias - mean) * factor + shift


def dump(layers: Sequence[Layer], tensors: Mapping[str, NDArray[Any]]) -> str:
    """The text of the data file of a network of `layers` with `tensors`, float32 by name. Raises `ModelError` for
    weights that are no numbers."""
    lines = []
    for layer in layers:
        weight, bias = folded(layer, tensors)
        lines.append(f"float {layer.name}_weight[{_size(layer)}] = {{{_numbers(_laid_out(layer, weight), layer)}}};")
        lines.append(f"float {layer.name}_bias[{layer.outputs}] = {{{_numbers(bias, layer)}}};")
    rows = ",\n".join(_row(layer) for layer in layers)
    table = f"\n{_COLUMNS}\nConvInfoStruct param_pConvInfo[{len(layers)}] = {{\n{rows}\n}};"
    return _HEADER + "\n".join(lines) + "\n" + table


def _size(layer: Layer) -> str:
    if layer.kind == DEPTHWISE:
        return f"{layer.outputs}*1*3*3"
    return f"{layer.outputs}*{layer.row[0]}*1*1"


def _laid_out(layer: Layer, weight: NDArray[Any]) -> NDArray[Any]:
    """The numbers in the order in which the library reads them."""
    import numpy as np

    if layer.kind == STEM:
        flat = np.zeros((layer.outputs, STEM_ROW), np.float32)
        flat[:, :STEM_INPUTS] = weight.transpose(0, 2, 3, 1).reshape(layer.outputs, STEM_INPUTS)
        return flat
    rows = weight.reshape(layer.outputs, -1)
    return rows.T if layer.kind == DEPTHWISE else rows


def _numbers(array: NDArray[Any], layer: Layer) -> str:
    import numpy as np

    if not np.isfinite(array).all():
        raise ModelError(f"The convolution {layer.conv} has weights that are no numbers, which C++ has no words for.")
    return ",".join(map(_number, array.ravel().tolist()))


def _number(value: float) -> str:
    text = format(value, ".3g")
    return f"{text}f" if "." in text or "e" in text else f"{text}.f"


def _row(layer: Layer) -> str:
    inputs, outputs, *flags = layer.row
    said = ", ".join(str(flag).lower() for flag in flags)
    return f"\t{{{inputs}, {outputs}, {said}, {layer.name}_weight, {layer.name}_bias}}"


def load(path: Path) -> list[Row]:
    """The convolutions in the data file at `path`, in its order. Raises `ModelError` for a file that is damaged or no
    such file."""
    text = _text(path)
    table = _TABLE.search(text)
    found = list(_ROW.finditer(text, table.end())) if table else []
    if table is None or len(found) != int(table[1]) or not found:
        raise ModelError(f"{path} is cut off, damaged or no data file of libfacedetection: it has no whole table.")
    arrays = {match[1]: match[2] for match in _ARRAY.finditer(text, 0, table.start())}
    try:
        return list(_rows(found, arrays))
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path} is damaged: the array {error} is missing or is not what its row says.") from None


def _text(path: Path) -> str:
    try:
        if path.exists() and (not path.is_file() or path.stat().st_size > _LARGEST):
            raise ModelError(f"{path} is no file, or too large for a data file of libfacedetection.")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The model file {path} cannot be read: {getattr(error, 'strerror', error)}.") from None


def _rows(found: Sequence[re.Match[str]], arrays: Mapping[str, str]) -> Iterator[Row]:
    """The rows of the table with their numbers. Raises `KeyError` or `ValueError` with the name of an array."""
    for index, match in enumerate(found):
        name, bias = match.group(6, 7)
        depthwise, pointwise, normalised = (text == "true" for text in match.group(3, 4, 5))
        kind = DEPTHWISE if depthwise else POINTWISE if index else STEM
        inputs, outputs = int(match[1]), int(match[2])
        weight, numbers = _weight(kind, inputs, outputs, name, _parsed(name, arrays)), _parsed(bias, arrays)
        if depthwise == pointwise or len(numbers) != outputs:
            raise ValueError(bias)
        yield Row(conv_of(name.removesuffix("_weight"), kind), kind, weight, numbers, normalised)


def _parsed(name: str, arrays: Mapping[str, str]) -> NDArray[Any]:
    """The numbers of the array `name`, float32. Raises `KeyError` or `ValueError` with its name."""
    import numpy as np

    texts = arrays[name].split(",")
    if not all(map(_NUMBER.fullmatch, texts)):
        raise ValueError(name)
    with np.errstate(over="ignore"):
        values = np.array([float(text[:-1]) for text in texts], np.float64).astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(name)
    return values


def _weight(kind: str, inputs: int, outputs: int, name: str, flat: NDArray[Any]) -> NDArray[Any]:
    """The weight (O, C, kernel, kernel) of the numbers that the library reads. Raises `ValueError` with its `name`."""
    wanted = {STEM: outputs * STEM_ROW, DEPTHWISE: outputs * 9, POINTWISE: outputs * inputs}[kind]
    if len(flat) != wanted:
        raise ValueError(name)
    if kind == STEM:
        return flat.reshape(outputs, STEM_ROW)[:, :STEM_INPUTS].reshape(outputs, 3, 3, 3).transpose(0, 3, 1, 2)
    if kind == DEPTHWISE:
        return flat.reshape(9, outputs).T.reshape(outputs, 1, 3, 3)
    return flat.reshape(outputs, inputs, 1, 1)
