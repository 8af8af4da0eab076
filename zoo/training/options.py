"""The options of training. Light: help and the command line read them without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from zoo.options import mapping, option


@dataclass(frozen=True)
class TrainOptions:
    """What a run of training may say besides its recipe; what is not given stays as the recipe has it."""

    epochs: int | None = option(None, "How often the set is gone through. Default: the recipe's.", least=1)
    batch: int | None = option(None, "Images a step. Default: the recipe's.", least=1)
    side: int | None = option(
        None, "Side in pixels of the squares that are learnt from. Default: the recipe's.", least=32
    )
    lr: float | None = option(None, "Learning rate, before the schedule. Default: the recipe's.", least=0)
    warmup: int | None = option(None, "Steps in which the learning rate rises. Default: the recipe's.", least=0)
    drops: tuple[int, ...] = option((), "Epochs at which the learning rate drops. Default: the recipe's.")
    crops: tuple[float, ...] = option(
        (), "Sides of the squares cut out, as parts of the image's shorter side. Default: the recipe's."
    )
    ema: float | None = option(
        None, "Keep a moving average of the weights with this momentum; 0: none.", least=0, most=1
    )
    clip: float | None = option(None, "The greatest norm that gradients may have; 0: any.", least=0)
    precision: Literal["recipe", "float32", "bfloat16", "float16"] = option(
        "recipe", "Numbers that the network computes with; in float16 the loss is scaled."
    )
    seed: int = option(0, "Seed of first weights, order and augmentation.", least=0)
    upstream: str = option("", "Configuration (.py) of the original's to train by, as --config takes it, too.")
    ignore: tuple[str, ...] = option((), "Fields of that configuration that may go unheeded; all: any.")
    init: str = option(
        "",
        "Model or weight file to start from, a classifier's for the backbone alone, or random. Default: the file that"
        " is the model, else random.",
    )
    network: Mapping[str, Any] = mapping(
        "Fields of the network's configuration set anew, a network of one's own: network.NAME=VALUE."
    )
    name: str = option("", "What the trained model calls itself. Default: the model's id with _trained.")
    format: str = option("", "Format of the labelled set, where it is not recognised.")
    images: str = option("", "Folder of the images that the labels name. Default: looked for beside them.")
    val: str = option("", "Labelled set that the weights are judged by, as zoo run METHOD eval takes it.")
    val_every: int = option(1, "Judge after so many epochs, and after the last.", least=1)
    patience: int = option(0, "End after so many judgements in a row that were not the best; 0: do not.", least=0)
    resume: bool = option(False, "Go on with the run in the output folder.")
    save_every: int = option(0, "Save after so many steps too, and not only after each epoch; 0: do not.", least=0)
    log_every: int = option(20, "A line of log.jsonl stands for so many steps.", least=1)
    tensorboard: bool = option(False, "Write the log for TensorBoard, too, into the run's folder.")
    workers: int = option(0, "Batches prepared at once; 0 is one a core.", least=0)
