"""The recognition networks, built without weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.networks.configs import configure
from zoo_arcface.architectures import CONFIGS, Foamliu, IResNet, Mbf
from zoo_arcface.embedder import Embedder
from zoo_arcface.foamliu import FoamliuEncoder
from zoo_arcface.iresnet import IResNetEncoder
from zoo_arcface.mbf import MbfEncoder
from zoo_arcface.mobile import MobileEncoder


def build(architecture: str, arguments: Mapping[str, Any]) -> Embedder:
    """The network `architecture` with the fields of its configuration that `arguments` names set anew, for inference.

    It takes (N, 3, H, W) float32 of the card's size and gives ``(embedding,)``, (N, D) float32 that is not of unit
    length. Names and shapes of its state dict are the original's. Raises `UsageError` for what is unknown or unfit.
    """
    return _network(configure(CONFIGS, architecture, arguments)).eval()


def _network(config: Any) -> Embedder:
    if isinstance(config, IResNet):
        return IResNetEncoder(config)
    if isinstance(config, Mbf):
        return MbfEncoder(config)
    return FoamliuEncoder(config) if isinstance(config, Foamliu) else MobileEncoder(config)
