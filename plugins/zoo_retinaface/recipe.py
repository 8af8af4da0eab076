"""How RetinaFace is trained. Facts from biubug6/Pytorch_Retinaface: ``data/config.py`` and ``train.py``."""

from __future__ import annotations

from zoo.errors import UsageError
from zoo.specs import ModelCard
from zoo.training.augment import INTERPOLATIONS, Flip, InnerCrop, PadSquare, Resize
from zoo.training.colours import ByteDistortion
from zoo.training.recipe import Optimiser, Recipe, Schedule
from zoo_retinaface.architectures import Light
from zoo_retinaface.light import LightFace
from zoo_retinaface.losses import Loss
from zoo_retinaface.network import RetinaFace, backbone_name

LARGE = "retinaface_r50"
"""The architecture that has numbers of its own."""


def recipe(card: ModelCard) -> Recipe:
    """The original's, with the anchors of the card: 32 images of 640 pixels a step in 250 epochs; the ResNet-50 24 of
    840 in 100. The rate does not warm up. The original begins with a backbone that ImageNet trained."""
    large = card.architecture == LARGE
    side, drops = (840, (70, 90)) if large else (640, (190, 220))
    steps, sizes, variances = (card.arguments[name] for name in ("steps", "min_sizes", "variances"))
    return Recipe(
        loss=Loss(tuple(steps), tuple(map(tuple, sizes)), tuple(variances)),
        augmentation=(
            InnerCrop(), ByteDistortion(), PadSquare(), Flip(), Resize(side, side, tuple(INTERPOLATIONS)),
        ),
        epochs=100 if large else 250,
        batch=24 if large else 32,
        side=side,
        optimiser=Optimiser(1e-3, 0.9, 5e-4),
        schedule=Schedule(drops=drops),
        rename=backbone_name,
    )  # fmt: skip


def variant(card: ModelCard, network: RetinaFace | LightFace) -> ModelCard:
    """`card`, with whose anchors `network` is read. Raises `UsageError` for a network of other numbers of anchors: of
    what sizes they are nothing tells."""
    config = network.config
    wanted = [*config.anchors] if isinstance(config, Light) else [config.anchors] * len(config.taps)
    given = [len(level) for level in card.arguments["min_sizes"]]
    if given != wanted:
        raise UsageError(
            f"The network has {wanted} anchors a cell on its levels, and the card of {card.id} sizes for {given}; a"
            " network of other anchors needs a card of its own that gives min_sizes."
        )
    return card
