"""Training as one writes it without the zoo: a loop in plain PyTorch, and a `torch.utils.data.DataLoader` before it.

The network, the loss, the arithmetic of the input and what is done to an image are the zoo's own: what is compared is
what is around them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils import data

from zoo.datasets.sample import Annotation
from zoo.specs import Preprocess
from zoo.training.augment import Labelled, augmented
from zoo.training.recipe import Recipe
from zoo.training.targets import Targets, batch


class Loop:
    """Forward, loss, backward, step: nothing is logged, watched or kept."""

    def __init__(self, network: Any, recipe: Recipe, preprocess: Preprocess, device: torch.device) -> None:
        self.network, self.loss, self.device = network.to(device).train(), recipe.loss, device
        rates = recipe.optimiser
        self.optimiser = torch.optim.SGD(
            self.network.parameters(), rates.rate, momentum=rates.momentum, weight_decay=rates.decay
        )
        self.half = recipe.precision == "bfloat16"
        self.turned = preprocess.colour == "rgb"
        self.mean = torch.tensor(preprocess.mean, device=device).view(3, 1, 1)
        self.factor = preprocess.scale / torch.tensor(preprocess.std, device=device).view(3, 1, 1)

    def __call__(self, batches: Iterable[tuple[Tensor, Targets]]) -> None:
        """Learn from `batches`."""
        for images, targets in batches:
            images = images.to(self.device, non_blocking=True)
            images = images.flip(1) if self.turned else images
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
                outputs = self.network.raw((images.float() - self.mean) * self.factor)
            total = sum(self.loss(outputs, targets.to(self.device)).values())
            self.optimiser.zero_grad()
            total.backward()
            self.optimiser.step()


class Photographs(data.Dataset[Labelled]):
    """The images of a set, decoded and augmented one at a time when they are asked for; `known` are their files and
    labels, read beforehand."""

    def __init__(self, known: Sequence[tuple[Path, Annotation | None]], recipe: Recipe) -> None:
        self.known, self.steps = known, recipe.steps

    def __len__(self) -> int:
        return len(self.known)

    def __getitem__(self, index: int) -> Labelled:
        path, faces = self.known[index]
        image: Any = cv2.imread(str(path))
        seed = int(torch.randint(1 << 31, ()))
        return augmented(Labelled.of(image, faces), self.steps, np.random.default_rng(seed))


def loader(photographs: Photographs, size: int, workers: int, pinned: bool) -> data.DataLoader[Any]:
    """Batches of `size` images in a random order, by `workers` processes that stay from epoch to epoch."""
    return data.DataLoader(
        photographs,
        size,
        shuffle=True,
        num_workers=workers,
        collate_fn=batch,
        pin_memory=pinned,
        persistent_workers=workers > 0,
        worker_init_fn=_one_thread,
    )


def _one_thread(_worker: int) -> None:
    cv2.setNumThreads(1)
