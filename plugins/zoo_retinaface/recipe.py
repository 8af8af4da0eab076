"""How RetinaFace is trained. Facts from biubug6/Pytorch_Retinaface: ``data/config.py`` and ``train.py``."""

from __future__ import annotations

from zoo.specs import ModelCard
from zoo.training.augment import INTERPOLATIONS, Flip, InnerCrop, PadSquare, Resize
from zoo.training.colours import ByteDistortion
from zoo.training.recipe import Optimiser, Recipe, Schedule
from zoo_retinaface.losses import Loss

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
    )  # fmt: skip
