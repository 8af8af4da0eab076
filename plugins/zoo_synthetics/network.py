"""The landmark networks, built without weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UsageError, suggestion
from zoo.networks.configs import configure
from zoo_synthetics.architectures import CONFIGS, DenseResNet, Slim, Timm
from zoo_synthetics.dense import DenseMobileNetV2, DenseResNet34
from zoo_synthetics.slim import SlimNetwork


class TimmLandmarks(nn.Module):
    """A timm backbone under ``backbone.``, as insightface's Lightning module has it."""

    def __init__(self, config: Timm) -> None:
        import timm

        super().__init__()
        if not timm.is_model(config.backbone):
            raise UsageError(
                f"timm has no backbone {config.backbone!r}.{suggestion(config.backbone, timm.list_models())}"
            )
        self.backbone = timm.create_model(config.backbone, num_classes=2 * config.points)

    def raw(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 2 K): x0, y0, x1, ... in -1..1 across the crop."""
        points: Tensor = self.backbone(images)
        return points

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """The one output, ``landmarks``: see `raw`."""
        return (self.raw(images),)


def build(architecture: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The network `architecture` with the fields of its configuration that `arguments` names set anew, for inference.

    It takes (N, 3, H, W) float32 of the card's size and gives ``(landmarks,)``. Names and shapes of its state dict are
    the original's. Raises `UsageError` for what is unknown or unfit.
    """
    config = configure(CONFIGS, architecture, arguments)
    with torch.random.fork_rng(devices=()):  # building draws random weights, which is nobody's business
        return _network(config).eval()


def _network(config: Any) -> nn.Module:
    if isinstance(config, Timm):
        return TimmLandmarks(config)
    if isinstance(config, Slim):
        return SlimNetwork(config)
    return DenseResNet34(config) if isinstance(config, DenseResNet) else DenseMobileNetV2(config)
