"""TFLite in int8, by ai-edge-quantizer: weights with a scale a channel, activations with a scale a tensor, both int8 as
TFLite has it. What is no layer, such as the sigmoid of scores, stays float, and so do inputs and outputs."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zoo.errors import ModelError
from zoo.models.edges import Edge
from zoo.models.int8.quantise import quantise
from zoo.models.quiet import hushed
from zoo.specs import ModelCard
from zoo.types import Floats
from zoo_tflite.cards import without_card
from zoo_tflite.model import read

LAYERS = (
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "CONV_2D_TRANSPOSE",
    "FULLY_CONNECTED",
    "ADD",
    "MAX_POOL_2D",
    "AVERAGE_POOL_2D",
    "MEAN",
    "PAD",
    "CONCATENATION",
    "RESIZE_NEAREST_NEIGHBOR",
    "RESIZE_BILINEAR",
)
"""Operations that are computed in int8. The convolutions and products are what costs; the others pass bytes on, so that
these need not become float between them."""


def to_int8(edge: Edge) -> ModelCard:
    """A TFLite file in int8. Raises `ModelError` for one that cannot be quantised, and as
    `zoo.models.int8.quantise.quantise`."""

    def make(inputs: Iterable[Floats]) -> TfliteQuantiser:
        return TfliteQuantiser(edge.source, inputs)

    return quantise(edge, "tflite", make)


class TfliteQuantiser:
    """A `zoo.models.int8.choosing.Quantiser` of the file at `source`, calibrated with `inputs`. Raises `ModelError` for
    a file that cannot be quantised."""

    def __init__(self, source: Path, inputs: Iterable[Floats]) -> None:
        self._source, self._bytes = source, bytes(without_card(read(source)))
        with _quietly(source):
            self._scopes = dict(_scopes(self._bytes))
            if not self._scopes:
                raise ModelError(f"{source} has no layer that can be quantised.")
            self._ranges = _calibrated(self._bytes, inputs)

    @property
    def layers(self) -> tuple[str, ...]:
        """See `zoo.models.int8.choosing.Quantiser.layers`: the kind of each and its place among all operations."""
        return tuple(self._scopes)

    def write(self, path: Path, layers: frozenset[str]) -> None:
        """See `zoo.models.int8.choosing.Quantiser.write`."""
        with _quietly(self._source):
            made = self._quantizer(layers).quantize(self._ranges, enable_progress_report=False)
            path.write_bytes(_inside(bytes(made.quantized_model)))

    def _quantizer(self, layers: frozenset[str]) -> Any:
        from ai_edge_quantizer import quantizer

        asked = quantizer.Quantizer(self._bytes)
        for name in layers:
            operation, scope = self._scopes[name]
            asked.add_static_config(f"^{re.escape(scope)}$", operation, activation_num_bits=8, weight_num_bits=8)
        return asked


def _calibrated(data: bytes, inputs: Iterable[Floats]) -> dict[str, Any]:
    """The least and the largest value of each tensor that is computed over `inputs`, as ai-edge-quantizer takes them,
    which finds those of the weights by itself. Its own calibration averages, so that the first photographs are
    forgotten for the last, and refuses files without a signature."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils as flatbuffers

    model = flatbuffers.read_model(data)
    fixed = {
        tensor.name.decode() for tensor in model.subgraphs[0].tensors if model.buffers[tensor.buffer].data is not None
    }

    interpreter = Interpreter(
        model_content=data,
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    details = interpreter.get_tensor_details()
    tensors = [one for one in details if one["dtype"] is np.float32 and one["name"] and one["name"] not in fixed]
    found = dict[str, Any]()
    for images in inputs:
        interpreter.set_tensor(given["index"], images)
        interpreter.invoke()
        for tensor in tensors:
            values = interpreter.get_tensor(tensor["index"])
            if values.size:
                low, high = (np.full((1,) * values.ndim, extreme) for extreme in (values.min(), values.max()))
                known = found.get(tensor["name"], {"min": low, "max": high})
                found[tensor["name"]] = {"min": np.minimum(known["min"], low), "max": np.maximum(known["max"], high)}
    return found


def _scopes(data: bytes) -> Iterator[tuple[str, tuple[Any, str]]]:
    """The operations of the file that are layers: a name, and what ai-edge-quantizer knows each by."""
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils as flatbuffers

    model = flatbuffers.read_model(data)
    for number, operation in enumerate(model.subgraphs[0].operators):
        code = model.operatorCodes[operation.opcodeIndex].builtinCode
        kind = flatbuffers.TFL_OP_CODE_TO_NAME.get(code)
        if kind is None or kind.value not in LAYERS:
            continue
        yield f"{kind.value}_{number}", (kind, flatbuffers.get_op_scope(operation, model.subgraphs[0].tensors))


def _inside(data: bytes) -> bytes:
    """The file with all numbers in its structure. The library puts those of files above 256 kB behind it, where not
    every reader looks, and where a file cannot take a card."""
    from ai_edge_litert.tools import flatbuffer_utils
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils as flatbuffers

    return bytes(flatbuffer_utils.convert_object_to_bytearray(flatbuffers.read_model(data)))


@contextlib.contextmanager
def _quietly(source: Path) -> Iterator[None]:
    """Without the library's progress and report; what it raises, which has no base of its own, becomes `ModelError`."""
    try:
        with hushed("absl"), contextlib.redirect_stdout(io.StringIO()):
            yield
    except (ModelError, OSError):
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise ModelError(f"{source} cannot be quantised: {said}.") from error
