"""Weights to TFLite, by litert-torch."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from dataclasses import replace
from typing import Any

import torch

from zoo.errors import ModelError
from zoo.models.edges import Edge
from zoo.specs import ModelCard
from zoo_torch.networks import load, names


def to_tflite(edge: Edge) -> ModelCard:
    """Write the card's network with the source's weights for one image of `edge.size`, in float32.

    With the layout ``nhwc`` the input is (1, H, W, 3), and the card says so; outputs stay as the network has them. A
    TFLite file cannot keep the size of the input open: what `edge.dynamic` asks for is told to be fixed.
    """
    network = load(edge.source, edge.card)
    width, height = edge.size
    shape = (1, height, width, 3) if edge.options.layout == "nhwc" else (1, 3, height, width)
    images = torch.zeros(shape)
    with torch.inference_mode():
        count = len(network(torch.zeros(1, 3, height, width)))
    if edge.dynamic:
        edge.note(f"TFLite fixes the size: one image of {width}x{height}")
    _convert(network, images, edge)
    preprocess = replace(edge.card.preprocess, layout=edge.options.layout)
    return replace(edge.card, preprocess=preprocess, outputs=tuple(names(edge.card, network, count)))


def _convert(network: Any, images: torch.Tensor, edge: Edge) -> None:
    """litert-torch tells its progress on the terminal, which is kept out of the way."""
    import litert_torch

    if edge.options.layout == "nhwc":
        network = litert_torch.to_channel_last_io(network, args=[0])
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            litert_torch.convert(network.eval(), (images,)).export(str(edge.target))
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"litert-torch cannot convert {edge.source} to TFLite: {reason}.") from None
    finally:
        logging.disable(before)
