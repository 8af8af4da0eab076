"""SCRFD's network in PyTorch, with the names and shapes of the original's checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from zoo.networks.configs import configure
from zoo_scrfd import backbones, head, neck
from zoo_scrfd.config import CONFIGS, Config


class Scrfd(nn.Module):
    """The detector."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        backbone = backbones.MobileNet if config.family == "mobilenet" else backbones.ResNet
        self.backbone = backbone(config)
        self.neck = neck.Neck(config)
        self.bbox_head = head.Head(config)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what `forward` returns, as in files exported by the original since it has dynamic batches."""
        kinds = ("score", "bbox", "kps") if self.config.keypoints else ("score", "bbox")
        return tuple(f"{kind}_{stride}" for kind in kinds for stride in self.config.strides)

    def raw(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps (N, anchors * C, H/stride, W/stride) of (N, 3, H, W) float32 images: logits of the scores (C = 1).

        Then distances to a box's edges (C = 4) and, in networks that have them, keypoints (C = 10), both in cells; each
        for all strides. Sides that the stride does not divide are rounded up.
        """
        return self.bbox_head(self.neck(self.backbone(images)))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """What `raw` gives as rows (N, cells * anchors, C), the anchors of a cell together, scores as probabilities."""
        levels = self.config.levels
        channels = [width for width in (1, 4, 2 * head.KEYPOINTS) for _ in range(levels)]
        rows = [
            one.permute(0, 2, 3, 1).reshape(one.shape[0], -1, width)
            for one, width in zip(self.raw(images), channels, strict=False)
        ]
        return (*(one.sigmoid() for one in rows[:levels]), *rows[levels:])


def build(architecture: str, arguments: Mapping[str, Any]) -> Scrfd:
    """The SCRFD called `architecture` of `CONFIGS`, with the fields of `Config` in `arguments` set anew; no weights.

    Raises `UsageError` for names or values that do not exist or fit.
    """
    return Scrfd(configure(CONFIGS, architecture, arguments)).eval()


def initialise(network: Scrfd) -> None:
    """Give `network` the random numbers from which the original's training starts (``init_weights`` of its parts).

    `torch.manual_seed` before it makes it repeatable.
    """
    backbones.initialise(network.backbone)
    neck.initialise(network.neck)
    head.initialise(network.bbox_head)
