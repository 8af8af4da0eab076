"""How YuNet is trained. Facts from ShiqiYu/libfacedetection.train: ``configs/yunet_n.py``, ``configs/yunet_s.py``."""

from __future__ import annotations

from dataclasses import replace

from zoo.specs import ModelCard
from zoo.training.augment import Flip, Resize, SquareCrop
from zoo.training.recipe import Optimiser, Recipe, Schedule
from zoo_yunet.losses import Loss
from zoo_yunet.network import YuNet, initialise

CROPS = {"yunet_n": (0.5, 0.7, 0.9, 1.1, 1.3, 1.5), "yunet_s": (0.3, 0.45, 0.6, 0.8, 1.0)}
"""The sides of the squares that each is trained on, as parts of the image's shorter side."""


def recipe(card: ModelCard) -> Recipe:
    """The original's: 32 images a step (two devices with 16), 640 epochs, no change of colours."""
    crops = CROPS.get(card.architecture, CROPS["yunet_n"])
    return Recipe(
        loss=Loss(tuple(card.arguments["strides"])),
        augmentation=(SquareCrop(crops), Resize(640, 640), Flip()),
        epochs=640,
        batch=32,
        optimiser=Optimiser(0.01, 0.9, 5e-4),
        schedule=Schedule(drops=(400, 544), warmup=1500),
        initialise=initialise,
    )


def variant(card: ModelCard, network: YuNet) -> ModelCard:
    """`card` with the strides of `network`, which its outputs are called after, and of which an image's sides are
    multiples."""
    strides = network.config.strides
    contract = replace(card.preprocess, multiple=strides[-1])
    return replace(
        card, outputs=network.outputs, arguments={**card.arguments, "strides": [*strides]}, preprocess=contract
    )
