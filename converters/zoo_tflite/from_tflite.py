"""From TFLite to ONNX, by tf2onnx in this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from zoo.errors import ModelError
from zoo.models import onnxnames
from zoo.models.edges import Edge
from zoo.models.quiet import before_tensorflow, hushed
from zoo.specs import ModelCard
from zoo_tflite import corrections
from zoo_tflite.model import describe
from zoo_tflite.options import OnnxOptions

_CAREFUL = "TF2ONNX_CATCH_ERRORS"
_IMAGE = {"nhwc": ("batch", "height", "width", "channels"), "nchw": ("batch", "channels", "height", "width")}


def to_onnx(edge: Edge) -> ModelCard:
    """A TFLite file as ONNX, with the input's layout and sizes as they are: those that it has fixed stay fixed.

    Inputs and outputs keep the names of the file's signature, or else of its tensors, in its order. Raises `ModelError`
    for a damaged file and for operations that tf2onnx does not know.
    """
    described = describe(edge.source)  # tf2onnx shows the file to an interpreter, which does not look so closely
    options = edge.options or OnnxOptions()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with hushed("tensorflow", "tf2onnx", "absl"):
        before_tensorflow()
        import onnx
        import tf2onnx

        corrections.register()
        try:
            model = _converted(tf2onnx.convert.from_tflite, str(edge.source), options.opset)
            onnx.checker.check_model(model)
        except Exception as error:  # tf2onnx raises whatever its handlers of operations raise
            reason = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
            raise ModelError(f"{edge.source.name} cannot become ONNX: {reason}.") from None
    graph = model.graph
    wanted = [tensor.name for tensor in (*described.inputs, *described.outputs)]
    names = dict(zip((value.name for value in (*graph.input, *graph.output)), wanted, strict=True))
    onnxnames.rename(graph, lambda name: names[name])
    onnxnames.renumber(graph)
    onnxnames.name_sizes(graph, _IMAGE[edge.card.preprocess.layout])
    graph.name, model.producer_version = edge.card.id, ""
    edge.target.write_bytes(model.SerializeToString(deterministic=True))
    return edge.card


def _converted(convert: Callable[..., Any], source: str, opset: int) -> Any:
    """What tf2onnx's `convert` makes of a file, without the copies of the whole graph that it makes before each of its
    optimisers, to go back where one fails: for 174 MB of weights they take 10 GB and half of the time. Where one does
    fail, they are made after all."""
    before = os.environ.get(_CAREFUL)
    os.environ[_CAREFUL] = "false"  # that it is set is enough, whatever to
    try:
        return convert(source, opset=opset)[0]
    except Exception:  # tf2onnx raises whatever its optimisers raise
        del os.environ[_CAREFUL]
        return convert(source, opset=opset)[0]
    finally:
        os.environ.pop(_CAREFUL, None)
        if before is not None:
            os.environ[_CAREFUL] = before
