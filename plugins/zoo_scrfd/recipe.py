"""How SCRFD is trained. Facts from deepinsight/insightface, detection/scrfd: ``configs/scrfd/scrfd_*.py``."""

from __future__ import annotations

from zoo.specs import ModelCard
from zoo.training.augment import Flip, Resize, SquareCrop
from zoo.training.colours import Photometric
from zoo.training.recipe import Optimiser, Recipe, Schedule
from zoo_scrfd.losses import Loss
from zoo_scrfd.network import initialise

CROPS = (0.3, 0.45, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0)
"""The sides of the squares, as parts of the image's shorter side: the sample redistribution of the paper."""

WHOLE = ("scrfd_2.5g", "scrfd_2.5g_bnkps", "scrfd_10g", "scrfd_10g_bnkps")
"""The architectures whose boxes are not cut off at the border of the square."""

RATES = {"scrfd_34g": 0.02}
BATCHES = {"scrfd_500m_bnkps": 64}
"""Where learning rate and images a step are others: four devices with 16 images there."""


def recipe(card: ModelCard) -> Recipe:
    """The original's: 32 images a step (four devices with 8), 640 epochs, colours changed."""
    name = card.architecture
    return Recipe(
        loss=Loss(),
        augmentation=(SquareCrop(CROPS, clip=name not in WHOLE), Resize(640, 640), Flip(), Photometric()),
        epochs=640,
        batch=BATCHES.get(name, 32),
        optimiser=Optimiser(RATES.get(name, 0.01), 0.9, 5e-4),
        schedule=Schedule(drops=(440, 544), warmup=1500),
        initialise=initialise,
    )
