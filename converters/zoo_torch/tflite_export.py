"""Weights to TFLite, by litert-torch."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from zoo.errors import ModelError
from zoo.models.edges import Edge
from zoo.models.quiet import hushed
from zoo.specs import ModelCard
from zoo_torch.networks import tried


def to_tflite(edge: Edge) -> ModelCard:
    """Write the card's network with the source's weights for one image of `edge.size`, in float32.

    With the layout ``nhwc`` the input is (1, H, W, 3), and the card says so; outputs stay as the network has them,
    under the card's names. The input has the card's name where Python could call a variable so; else it is ``input``,
    and the card says so. A TFLite file cannot keep the size of the input open: what `edge.dynamic` asks for is told
    to be fixed.
    """
    network, shapes = tried(edge)
    outputs = tuple(shapes)
    width, height = edge.size
    if edge.dynamic:
        edge.note(f"TFLite fixes the size: one image of {width}x{height}")
    shape = (1, height, width, 3) if edge.options.layout == "nhwc" else (1, 3, height, width)
    card = replace(edge.card, input=edge.card.input if edge.card.input.isidentifier() else "input")
    _convert(network, card.input, outputs, torch.zeros(shape), edge)
    preprocess = replace(card.preprocess, layout=edge.options.layout)
    return replace(card, preprocess=preprocess, outputs=outputs)


class _Named(torch.nn.Module):
    """The network with names for its input and outputs, which become those of the file's signature."""

    def __init__(self, network: torch.nn.Module, outputs: Sequence[str]) -> None:
        super().__init__()
        self.network, self.outputs = network, outputs

    def forward(self, **given: torch.Tensor) -> dict[str, torch.Tensor]:
        (images,) = given.values()
        return dict(zip(self.outputs, self.network(images), strict=True))


def _convert(network: Any, name: str, outputs: Sequence[str], images: torch.Tensor, edge: Edge) -> None:
    """litert-torch tells its progress on the terminal, which is kept out of the way."""
    try:
        with hushed("torch"), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            import litert_torch

            if edge.options.layout == "nhwc":
                network = litert_torch.to_channel_last_io(network, args=[0])
            named = _Named(network, outputs).eval()
            made: bytes = litert_torch.convert(named, sample_kwargs={name: images}).model_content()
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"litert-torch cannot convert {edge.source} to TFLite: {reason}.") from None
    edge.target.write_bytes(made)  # its own writing ends the whole process when the disk is full
