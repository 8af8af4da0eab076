"""A network that learns: its optimiser, what averages its weights, and what scales its loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import UsageError
from zoo.networks.state import load_state
from zoo.specs import Preprocess
from zoo.training.processes import Processes
from zoo.training.recipe import Recipe
from zoo.training.targets import Targets

HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
"""Precisions in which a network computes with half of the bits; its weights and the loss keep them all."""


class Learner:
    """`network`, a `torch.nn.Module` with ``raw``, as it learns by a recipe from images of a card's `preprocess`.

    In float16 small gradients would vanish, so the loss is multiplied with a factor and gradients are divided by it; a
    step whose gradients overflow is left out, and the factor falls.
    """

    def __init__(self, network: Any, recipe: Recipe, preprocess: Preprocess, processes: Processes) -> None:
        self.processes, self.recipe, self.device = processes, recipe, processes.device
        self.network = network.to(self.device).train()
        rates = recipe.optimiser
        self.optimiser = torch.optim.SGD(
            network.parameters(), rates.rate, momentum=rates.momentum, weight_decay=rates.decay
        )
        average = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.ema) if recipe.ema else None
        self.average = (
            torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=average, use_buffers=True) if average else None
        )
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=recipe.precision == "float16")
        self.normalise = Normalise(preprocess).to(self.device)

    @property
    def rate(self) -> float:
        """The learning rate of the latest step."""
        return float(self.optimiser.param_groups[0]["lr"])

    @property
    def kept(self) -> Any:
        """The network whose weights are kept: the averaged one, or the one that is trained."""
        return self.network if self.average is None else self.average.module

    def step(self, images: Tensor, targets: Targets, multiplier: float, part: float = 1.0) -> dict[str, Tensor]:
        """Learn from images (B, 3, S, S) uint8 BGR at the recipe's rate times `multiplier`: the parts of the loss,
        scalars on the device, from before the step. Of the loss only this `part` is learnt."""
        recipe, half = self.recipe, HALVES.get(self.recipe.precision)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.optimiser.rate * multiplier
        self.processes.share_buffers(self.network)
        given = self.normalise(images.to(self.device, non_blocking=True))
        with torch.autocast(self.device.type, half or torch.bfloat16, enabled=half is not None):
            outputs = self._outputs(given)
        parts = recipe.loss(outputs, targets.to(self.device))
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(torch.stack([*parts.values()]).sum() * part).backward()
        self.processes.average_gradients(self.network)
        if recipe.clip:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return {name: part.detach() for name, part in parts.items()}

    def _outputs(self, images: Tensor) -> Any:
        try:
            return self.network.raw(images)
        except ValueError as error:  # torch's, of normalisations by batch
            if "more than 1 value per channel" not in str(error):
                raise
            count, side = len(images), images.shape[-1]
            raise UsageError(
                f"{count} image of {side}x{side} leaves one cell on the coarsest level, by which nothing can be"
                " normalised; give a greater side, or a batch that leaves no single image over."
            ) from None

    def join(self, multiplier: float) -> None:
        """Make a step of which other processes have all the images: with a blank one, from which nothing is learnt."""
        side = self.recipe.side
        blank = torch.zeros(1, 3, side, side, dtype=torch.uint8)
        none = Targets.stack([torch.zeros(0, 4)], [torch.zeros(0, 5, 3)], (side, side))
        self.network.eval()  # nor by the statistics of normalisations
        self.step(blank, none, multiplier, 0.0)
        self.network.train()

    def state(self) -> dict[str, Any]:
        """What `restore` takes, the random numbers included."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
        }

    def restore(self, state: dict[str, Any], path: Path) -> None:
        """Be as the `state` in the file `path` says. Raises `ModelError` for one of another network."""
        load_state(self.network, state["network"], str(path))
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"])
        if state["cuda"] and self.device.type == "cuda":
            torch.cuda.set_rng_state_all(state["cuda"])


class Normalise(nn.Module):
    """Images (B, 3, H, W) uint8 BGR to what the network sees, float32: the arithmetic of a card's `Preprocess`."""

    def __init__(self, preprocess: Preprocess) -> None:
        super().__init__()
        self.turned = preprocess.colour == "rgb"
        self.mean: Tensor
        self.factor: Tensor
        self.register_buffer("mean", torch.tensor(preprocess.mean).view(3, 1, 1))
        self.register_buffer("factor", preprocess.scale / torch.tensor(preprocess.std).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        images = images.flip(1) if self.turned else images
        return (images.float() - self.mean) * self.factor
