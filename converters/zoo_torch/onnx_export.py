"""Weights to ONNX.

By the exporter that traces the network to TorchScript: it takes a twentieth of the time of the newer one, which goes
through `torch.export`, and writes any opset, where the newer writes 18 and later and translates back at best. torch
calls it deprecated and keeps it; the names and order of outputs, the opset and what stays open are asked for here, and
tests hold them, so that the other can take its place in this one module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import onnx
import torch

from zoo.errors import ModelError
from zoo.models.edges import Edge
from zoo.models.quiet import hushed
from zoo.specs import ModelCard
from zoo_torch.networks import tried

_AXES = {"batch": 0, "height": 2, "width": 3}
_MAPS = 4
"""The dimensions of outputs that are maps of the image."""


def to_onnx(edge: Edge) -> ModelCard:
    """Write the card's network with the source's weights, batch-norm folded into the convolutions.

    The input has the card's name, the outputs have the card's names in order; of the input (N, 3, H, W), what
    `edge.dynamic` names stays open.
    """
    network, shapes = tried(edge)
    outputs = tuple(shapes)
    width, height = edge.size
    _trace(network, torch.zeros(1, 3, height, width), edge, outputs)
    model = onnx.load(edge.target)
    _tidy(model, edge.dynamic, shapes)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"torch exported {edge.source} to ONNX that is not valid: {reason}.") from None
    onnx.save(model, edge.target)
    return replace(edge.card, outputs=outputs)


def _trace(network: Any, images: torch.Tensor, edge: Edge, outputs: Sequence[str]) -> None:
    axes = {_AXES[name]: name for name in sorted(edge.dynamic)}
    try:
        with hushed("torch.onnx"):  # that it is deprecated, and what its shape inference does not know
            torch.onnx.export(
                network,
                (images,),
                str(edge.target),
                dynamo=False,
                opset_version=edge.options.opset,
                input_names=[edge.card.input],
                output_names=list(outputs),
                dynamic_axes={edge.card.input: axes} if axes else None,
            )
    except (RuntimeError, ValueError, TypeError, torch.onnx.errors.OnnxExporterError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"torch cannot export {edge.source} to ONNX of opset {edge.options.opset}: {reason}."
        ) from None


def _tidy(model: Any, dynamic: frozenset[str], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Say who wrote it and no more, and call the outputs' open sizes what they are: the last is never one but of maps,
    whatever the exporter could tell, since it counts what there is of each anchor or face."""
    model.doc_string = ""
    for output in model.graph.output:
        sizes = output.type.tensor_type.shape.dim
        if len(sizes) < _MAPS:
            sizes[-1].dim_value = shapes[output.name][-1]
        for axis, size in enumerate(sizes):
            if size.dim_param and size.dim_param not in _AXES:
                size.Clear()
                if axis == 0 and "batch" in dynamic:
                    size.dim_param = "batch"
