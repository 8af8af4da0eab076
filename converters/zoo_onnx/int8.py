"""ONNX in int8: weights with a scale a channel, activations with a scale a tensor, said by pairs of QuantizeLinear and
DequantizeLinear around operators that stay the standard's own.

Weights are symmetric int8. Activations are uint8 with a zero point: behind a ReLU the whole range is of use and 0 is
the zero point, and the processors' instructions multiply unsigned by signed bytes, so that ONNX Runtime would turn int8
activations into uint8 first. Biases are int32 with the scale of the product. What is no layer, such as the sigmoid of
scores, stays float, and so do inputs and outputs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from onnx import version_converter
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from zoo.errors import ModelError
from zoo.models.edges import Edge
from zoo.models.int8.quantise import quantise
from zoo.models.quiet import hushed
from zoo.specs import ModelCard
from zoo.types import Floats
from zoo_onnx.external import whole

OPSET = 13
"""The first in which a QuantizeLinear has a scale a channel."""

LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "MaxPool", "AveragePool", "GlobalAveragePool", "Resize")
"""Operators that are computed in int8. The convolutions and products are what costs; the others pass bytes on, so that
these need not become float between them."""

ABSORBED = ("Relu", "Clip")
"""Operators that the range of the tensor before them takes over, since it begins at 0 or ends where they clip."""


def to_int8(edge: Edge) -> ModelCard:
    """An ONNX file in int8, of opset 13 at least. Raises `ModelError` for one that ONNX Runtime cannot quantise, and as
    `zoo.models.int8.quantise.quantise`."""

    def make(inputs: Iterable[Floats]) -> OnnxQuantiser:
        return OnnxQuantiser(edge.source, edge.work, inputs, bool(edge.options and edge.options.reduce_range))

    return quantise(edge, "onnx", make)


class OnnxQuantiser:
    """A `zoo.models.int8.choosing.Quantiser` of the file at `source`, calibrated with `inputs`; `work` is an empty
    folder. Raises `ModelError` for a file that cannot be quantised."""

    def __init__(self, source: Path, work: Path, inputs: Iterable[Floats], reduce_range: bool = False) -> None:
        self._source, self._reduce_range = source, reduce_range
        with _quietly(source):
            self._model = _plain(source, work)
            self._ranges = _calibrated(self._model, work, inputs)
        ranged = set(self._ranges.keys())
        nodes = self._model.graph.node
        self._layers = tuple(node.name for node in nodes if node.op_type in LAYERS and node.output[0] in ranged)
        self._others = [node.name for node in nodes if node.op_type in LAYERS and node.output[0] not in ranged]
        if not self._layers:
            raise ModelError(f"{source} has no layer that can be quantised.")

    @property
    def layers(self) -> tuple[str, ...]:
        """See `zoo.models.int8.choosing.Quantiser.layers`: the nodes' names."""
        return self._layers

    def write(self, path: Path, layers: frozenset[str]) -> None:
        """See `zoo.models.int8.choosing.Quantiser.write`."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        left = [*self._others, *(name for name in self.layers if name not in layers)]
        with _quietly(self._source):
            quantiser = QDQQuantizer(
                model,
                per_channel=True,
                reduce_range=self._reduce_range,
                weight_qType=QuantType.QInt8,
                activation_qType=QuantType.QUInt8,
                tensors_range=self._ranges,
                nodes_to_quantize=[],
                nodes_to_exclude=left,
                op_types_to_quantize=[*LAYERS, *ABSORBED],
                extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
            )
            quantiser.quantize_model()
        made = quantiser.model.model
        _tidy(made)
        path.write_bytes(made.SerializeToString())


@contextlib.contextmanager
def _quietly(source: Path) -> Iterator[None]:
    """Without the library's warnings; what it raises, which has no base of its own, becomes `ModelError`."""
    try:
        with hushed("", "onnxruntime"):
            yield
    except (ModelError, OSError):
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise ModelError(f"{source} cannot be quantised: {said}.") from error


def _plain(source: Path, work: Path) -> Any:
    """The network with its batch norms folded and its constants computed, every node with a name."""
    model = onnx.load_model_from_string(whole(source))
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]  # weights that could be given from outside are folded into nothing
    model.graph.input.extend(inputs)
    if next(one.version for one in model.opset_import if not one.domain) < OPSET:
        model = version_converter.convert_version(model, OPSET)
    model.ir_version = max(model.ir_version, 8)
    before, after = work / "float.onnx", work / "folded.onnx"
    onnx.save(model, str(before))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(after)
    onnxruntime.InferenceSession(str(before), options, providers=["CPUExecutionProvider"])
    folded = onnx.load(str(after))
    _name(folded.graph.node)
    onnx.save(folded, str(after))
    return folded


def _name(nodes: Any) -> None:
    """Give every node a name of its own."""
    seen = set[str]()
    for number, node in enumerate(nodes):
        if not node.name or node.name in seen:
            node.name = f"{node.op_type}_{number}"
        seen.add(node.name)


def _calibrated(model: Any, work: Path, inputs: Iterable[Floats]) -> Any:
    """The least and the largest value of each tensor over `inputs`. They are run one after the other, since they may be
    of different sizes."""
    calibrator = create_calibrator(
        work / "folded.onnx",
        [*LAYERS, *ABSORBED],
        str(work / "calibrated.onnx"),
        calibrate_method=CalibrationMethod.MinMax,
        providers=["CPUExecutionProvider"],
    )
    calibrator.collect_data(_Feeds(model.graph.input[0].name, iter(inputs)))
    return calibrator.compute_data()


class _Feeds(CalibrationDataReader):  # type: ignore[misc]
    """Inputs as ONNX Runtime's calibration asks for them."""

    def __init__(self, name: str, inputs: Iterator[Floats]) -> None:
        self._name, self._inputs = name, inputs

    def get_next(self) -> Mapping[str, Floats] | None:
        images = next(self._inputs, None)
        return None if images is None else {self._name: images}


def _tidy(model: Any) -> None:
    """Leave no more than the domains that are in use, and no shapes of what was between the nodes before."""
    used = {node.domain for node in model.graph.node} | {""}
    kept = [one for one in model.opset_import if one.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    del model.graph.value_info[:]
