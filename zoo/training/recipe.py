"""How a network is trained, as data: a method names its numbers, and options of a run replace some of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from zoo.errors import UsageError
from zoo.training.augment import InnerCrop, Resize, SquareCrop, Step
from zoo.training.options import TrainOptions


@dataclass(frozen=True)
class Optimiser:
    """Stochastic gradient descent: learning rate, momentum, weight decay."""

    rate: float = 0.01
    momentum: float = 0.9
    decay: float = 5e-4


@dataclass(frozen=True)
class Schedule:
    """What the learning rate is multiplied with: by `factor` from each epoch of `drops` on (counted from 0), and during
    the first `warmup` steps by what rises evenly from `start` to 1."""

    drops: tuple[int, ...] = ()
    factor: float = 0.1
    warmup: int = 0
    start: float = 0.001

    def __call__(self, step: int, epoch: int) -> float:
        """The multiplier of the step number `step`, from 0 and over all epochs, in the epoch number `epoch`."""
        dropped = self.factor ** sum(epoch >= drop for drop in self.drops)
        if step >= self.warmup:
            return dropped
        return dropped * (1 - (1 - step / self.warmup) * (1 - self.start))


@dataclass(frozen=True)
class Recipe:
    """One way to train a detector.

    `loss` is called with what the network's ``raw`` gives and the `zoo.training.targets.Targets` of the batch, and
    returns weighted scalars by name. `augmentation` are steps of `zoo.training.augment`, the last of which makes
    squares of `side` pixels. `ema` is the momentum of the moving average of the weights, `clip` the greatest norm of
    the gradients; 0 is none. `precision` is what the network computes with, ``float32``, ``bfloat16`` or ``float16``;
    the loss and the weights stay float32. `initialise` gives a network the random weights to begin with; where it is
    None they are torch's own. `rename` is called with a network and the name that another program gives a tensor of its
    backbone, and returns the network's own name (see `zoo.training.beginning.begin`).
    """

    loss: Callable[..., dict[str, Any]]
    augmentation: tuple[Step, ...]
    epochs: int
    batch: int
    side: int = 640
    optimiser: Optimiser = field(default_factory=Optimiser)
    schedule: Schedule = field(default_factory=Schedule)
    ema: float = 0.0
    clip: float = 0.0
    precision: str = "float32"
    seed: int = 0
    initialise: Callable[[Any], None] | None = None
    rename: Callable[[Any, str], str] | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        """The `augmentation` to squares of `side`."""
        return tuple(
            replace(step, width=self.side, height=self.side) if isinstance(step, Resize) else step
            for step in self.augmentation
        )

    def document(self) -> dict[str, Any]:
        """All numbers as plain data."""
        steps = [{"step": type(step).__name__, **asdict(step)} for step in self.steps]  # type: ignore[call-overload]
        loss = asdict(self.loss)  # type: ignore[call-overload]
        numbers = {name: value for name, value in asdict(self).items() if name not in ("initialise", "rename")}
        return {**numbers, "loss": loss, "augmentation": steps}


def adjusted(recipe: Recipe, options: TrainOptions, multiple: int = 1) -> Recipe:
    """`recipe` with what the options of a run say instead. Raises `UsageError` for a side that is no multiple of
    `multiple`, for crops that are no sizes, or where the recipe has none."""
    plain = {name: getattr(options, name) for name in ("epochs", "batch", "side", "ema", "clip")}
    plain["precision"] = None if options.precision == "recipe" else options.precision
    schedule = _given(warmup=options.warmup, drops=options.drops or None)
    made = replace(
        recipe,
        **_given(**plain),
        seed=options.seed,
        optimiser=replace(recipe.optimiser, **_given(rate=options.lr)),
        schedule=replace(recipe.schedule, **schedule),
    )
    if made.side % multiple:
        raise UsageError(f"The side of its images is a multiple of {multiple}, not {made.side}; give another side.")
    return made if not options.crops else replace(made, augmentation=_cropped(recipe, options.crops))


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _cropped(recipe: Recipe, scales: tuple[float, ...]) -> tuple[Step, ...]:
    steps = [step for step in recipe.augmentation if isinstance(step, SquareCrop | InnerCrop)]
    if min(scales) <= 0 or not steps:
        raise UsageError("crops are one or several sizes above 0, for a recipe that crops.")
    if max(scales) > 1 and any(isinstance(step, InnerCrop) for step in steps):
        raise UsageError(f"The crops of this recipe lie inside the image: sizes of at most 1, not {max(scales):g}.")
    return tuple(replace(step, scales=scales) if step in steps else step for step in recipe.augmentation)
