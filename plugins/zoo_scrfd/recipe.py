"""How SCRFD is trained. Facts from deepinsight/insightface, detection/scrfd: ``configs/scrfd/scrfd_*.py``."""

from __future__ import annotations

from dataclasses import replace

from zoo.specs import ModelCard
from zoo.training.augment import Flip, Resize, SquareCrop
from zoo.training.colours import Photometric
from zoo.training.recipe import Optimiser, Recipe, Schedule
from zoo_scrfd.head import KEYPOINTS
from zoo_scrfd.losses import Loss
from zoo_scrfd.network import Scrfd, initialise

CROPS = (0.3, 0.45, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0)
"""The sides of the squares, as parts of the image's shorter side: the sample redistribution of the paper."""

WHOLE = ("scrfd_2.5g", "scrfd_2.5g_bnkps", "scrfd_10g", "scrfd_10g_bnkps")
"""The architectures whose boxes are not cut off at the border of the square."""

RATES = {"scrfd_34g": 0.02}
BATCHES = {"scrfd_500m_bnkps": 64}
"""Where learning rate and images a step are others: four devices with 16 images there."""


def recipe(card: ModelCard) -> Recipe:
    """The original's: 32 images a step (four devices with 8), 640 epochs, colours changed."""
    name, strides = card.architecture, tuple(card.arguments["strides"])
    return Recipe(
        loss=Loss(strides, sizes(len(strides), card.arguments["anchors"])),
        augmentation=(SquareCrop(CROPS, clip=name not in WHOLE), Resize(640, 640), Flip(), Photometric()),
        epochs=640,
        batch=BATCHES.get(name, 32),
        optimiser=Optimiser(RATES.get(name, 0.01), 0.9, 5e-4),
        schedule=Schedule(drops=(440, 544), warmup=1500),
        initialise=initialise,
    )


def sizes(levels: int, anchors: int) -> tuple[tuple[float, ...], ...]:
    """The sides in pixels of the `anchors` of a cell, for each level: from 16 pixels on, a fourfold a level, in even
    ratios. Two on three levels are the original's: 16 and 32, 64 and 128, 256 and 512."""
    return tuple(tuple(16 * 4 ** (level + number / anchors) for number in range(anchors)) for level in range(levels))


def variant(card: ModelCard, network: Scrfd) -> ModelCard:
    """`card` with the strides, anchors and keypoints of `network`."""
    config = network.config
    arguments = {**card.arguments, "strides": [*config.strides], "anchors": config.anchors}
    return replace(card, arguments=arguments, keypoints=KEYPOINTS if config.keypoints else 0)
