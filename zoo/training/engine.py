"""The loop that every recipe runs in, and the state from which a run goes on as if it had never stopped."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import ModelError, UsageError, ZooError
from zoo.files import replacing
from zoo.networks.state import load_state
from zoo.requests import Progress, Silent, Skip
from zoo.specs import Preprocess
from zoo.training.feed import Batch, Feed
from zoo.training.processes import Processes
from zoo.training.recipe import Recipe
from zoo.training.stopping import asked_to_stop

STATE = "state.pt"
"""The file of a run folder that a run goes on from."""

LOG = "log.jsonl"
"""The file of a run folder with a line for every so many steps."""


@dataclass
class Position:
    """Where a run is: `batch` batches of the epoch `epoch` are done, and `step` steps in all; `losses` is the sum of
    their losses in this epoch and `learnt` the number of these; `best` is the least mean loss of an epoch, `judged` the
    greatest figure that the network was judged by, and `worse` the number of judgements since; `log` is the length of
    the log in bytes."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    losses: float = 0.0
    learnt: int = 0
    best: float = float("inf")
    judged: float = float("-inf")
    worse: int = 0
    log: int = 0


@dataclass
class Outcome:
    """What came of a run: where it is, images learnt from in this go (each counted every time), what was skipped,
    seconds, the part of them that was spent waiting for data, and whether Ctrl-C or its `patience` stopped it."""

    position: Position
    images: int = 0
    skipped: dict[str, Skip] = field(default_factory=dict)
    seconds: float = 0.0
    waited: float = 0.0
    stopped: bool = False
    early: bool = False


@dataclass(frozen=True)
class Judgement:
    """How good the weights are that were written ``last``: `figure` says it, the greater the better, after `every` so
    many epochs and after the last one. After `patience` figures in a row that were not the greatest the run ends; with
    0 it does not."""

    figure: Callable[[], float]
    every: int = 1
    patience: int = 0


class Engine:
    """Trains `network`, a `torch.nn.Module` with ``raw``, by a recipe.

    `write` is called with ``last`` or ``best`` and the network whose weights are to be kept, the averaged one where the
    recipe averages. `folder` holds the state and the log. `judgement` tells how good the weights are that were written
    last; without one the best weights are those after the epoch of the least mean loss. Of several `processes` the
    first one alone writes and judges; the losses that it logs are its own.
    """

    def __init__(
        self,
        network: Any,
        recipe: Recipe,
        preprocess: Preprocess,
        folder: Path,
        write: Callable[[str, nn.Module], None],
        processes: Processes | None = None,
        progress: Progress | None = None,
        save_every: int = 0,
        log_every: int = 20,
        judgement: Judgement | None = None,
    ) -> None:
        self.processes = processes or Processes()
        self.device = self.processes.device
        self.network, self.recipe, self.folder, self.write = network.to(self.device).train(), recipe, folder, write
        self.progress, self.save_every, self.log_every = progress or Silent(), save_every, log_every
        self.judgement = judgement
        rates = recipe.optimiser
        self.optimiser = torch.optim.SGD(
            network.parameters(), rates.rate, momentum=rates.momentum, weight_decay=rates.decay
        )
        average = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.ema) if recipe.ema else None
        self.average = (
            torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=average, use_buffers=True) if average else None
        )
        self.normalise = Normalise(preprocess).to(self.device)
        self.position = Position()
        self._pending: list[tuple[dict[str, Tensor], Tensor, Batch]] = []

    def run(self, feed: Feed) -> Outcome:
        """Train to the recipe's last epoch, or until Ctrl-C, after which everything is saved.

        Raises `ZooError` when the loss is no number, and leaves what was saved before as it was; `InputError` where no
        image of the set can be used.
        """
        outcome, started = Outcome(self.position), time.perf_counter()
        with asked_to_stop() as stop:
            while self.position.epoch < self.recipe.epochs and not outcome.stopped and not outcome.early:
                self._epoch(feed, outcome, stop)
        outcome.seconds = time.perf_counter() - started
        outcome.images = sum(self.processes.gathered(outcome.images))
        for one in self.processes.gathered(outcome.skipped):
            outcome.skipped |= one
        return outcome

    def _epoch(self, feed: Feed, outcome: Outcome, stop: threading.Event) -> None:
        at = self.position
        waiting = time.perf_counter()
        for given in feed.epoch(at.epoch, at.batch):
            outcome.waited += time.perf_counter() - waiting
            outcome.skipped |= {skip.where: skip for skip in given.skipped}
            at.batch += 1
            if given.images is None and not self.processes.alone:
                raise ZooError(
                    f"None of the images of a step can be used, which several processes need: {given.skipped}."
                )
            if given.images is not None:
                self._step(given)
                outcome.images += len(given.keys)
                self.progress.advance()
            if len(self._pending) >= self.log_every:
                self._flush()
            if self._stops(stop):
                outcome.stopped = True
                return self.save()
            if self.save_every and at.step % self.save_every == 0:
                self.save()
            waiting = time.perf_counter()
        for broken in feed.dataset.broken:
            outcome.skipped.setdefault(broken.key, Skip(broken.key, broken.why))
        return self._end_epoch(outcome)

    def _stops(self, stop: threading.Event) -> bool:
        """Whether to stop now: all processes at the same batch, of which they agree every so often."""
        if self.processes.alone:
            return stop.is_set()
        return self.position.batch % self.log_every == 0 and self.processes.any(stop.is_set())

    def _end_epoch(self, outcome: Outcome) -> None:
        self._flush()
        at = self.position
        if not at.learnt:
            why = next((f" ({skip.where}: {skip.why})" for skip in outcome.skipped.values()), "")
            raise ZooError(f"There is no image to learn from in the whole set{why}; give another set or images=FOLDER.")
        mean = at.losses / at.learnt
        self.progress.note(f"epoch {at.epoch + 1} of {self.recipe.epochs}: loss {mean:.4f}, rate {self._rate():.3g}")
        self._log({"epoch": at.epoch, "step": at.step, "mean": mean})
        better = self._judge(outcome) if self.judgement is not None else mean < at.best
        if better:
            self._write("best")
        at.epoch, at.batch, at.losses, at.learnt = at.epoch + 1, 0, 0.0, 0
        at.best = min(mean, at.best)
        self.save()

    def _judge(self, outcome: Outcome) -> bool:
        """Judge the weights as they are now, where their time has come: whether they are the best so far.

        All that is done before the state is saved, so that a run that is killed in between does it again.
        """
        at, judgement = self.position, self.judgement
        assert judgement is not None
        if (at.epoch + 1) % judgement.every and at.epoch + 1 < self.recipe.epochs:
            return False
        self._write("last")
        with torch.random.fork_rng([]):  # the network that is judged is built anew, with random weights at first
            figure = self.processes.agreed(judgement.figure() if self.processes.first else 0.0)
        self.progress.note(f"epoch {at.epoch + 1} of {self.recipe.epochs}: judged {figure:.4f}")
        self._log({"epoch": at.epoch, "step": at.step, "judged": figure})
        better = figure > at.judged
        at.judged, at.worse = max(figure, at.judged), 0 if better else at.worse + 1
        outcome.early = bool(judgement.patience) and at.worse >= judgement.patience
        return better

    def _step(self, given: Batch) -> None:
        assert given.images is not None and given.targets is not None
        recipe, at = self.recipe, self.position
        rate = recipe.optimiser.rate * recipe.schedule(at.step, at.epoch)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.processes.share_buffers(self.network)
        images = self.normalise(given.images.to(self.device, non_blocking=True))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            outputs = self.network.raw(images)
        parts = recipe.loss(outputs, given.targets.to(self.device))
        total = torch.stack([*parts.values()]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        self.processes.average_gradients(self.network)
        if recipe.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        at.step += 1
        kept = {name: part.detach() for name, part in parts.items()}
        self._pending.append((kept, total.detach(), Batch(None, None, given.keys)))

    def _flush(self) -> None:
        """Look at the losses since the last look, all at once, because that waits for the device, and log them.

        Raises `ZooError` when one is no number.
        """
        if not self._pending:
            return
        at, pending = self.position, self._pending
        self._pending = []
        totals = torch.stack([total for _, total, _ in pending]).tolist()
        for total, (parts, _, given) in zip(totals, pending, strict=True):
            if not abs(total) < float("inf"):
                self._refuse(parts, given)
            at.losses, at.learnt = at.losses + total, at.learnt + 1
        names = pending[0][0]
        means = {name: torch.stack([parts[name] for parts, _, _ in pending]).mean().item() for name in names}
        mean = sum(totals) / len(totals)
        self._log({"epoch": at.epoch, "step": at.step, "rate": self._rate(), "loss": mean, **means})

    def _refuse(self, parts: dict[str, Tensor], given: Batch) -> None:
        told = ", ".join(f"{name} {part.item():g}" for name, part in parts.items())
        raise ZooError(
            f"The loss is no number ({told}) in a step of epoch {self.position.epoch + 1}, with the images"
            f" {', '.join(given.keys)}; look at their labels, or lower the learning rate, and go on with resume=true."
        )

    def _rate(self) -> float:
        return float(self.optimiser.param_groups[0]["lr"])

    def _log(self, record: dict[str, Any]) -> None:
        if not self.processes.first:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    @property
    def kept(self) -> Any:
        """The network whose weights are kept: the averaged one, or the one that is trained."""
        return self.network if self.average is None else self.average.module

    def _write(self, name: str) -> None:
        if self.processes.first:
            self.write(name, self.kept)

    def save(self) -> None:
        """Write the state, from which `restore` goes on, and the weights."""
        self._flush()
        if not self.processes.first:
            return
        log = self.folder / LOG
        self.position.log = log.stat().st_size if log.exists() else 0
        state = {
            "recipe": json.dumps(self.recipe.document()),
            "position": dict(vars(self.position)),
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "random": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
        }
        with replacing(self.folder / STATE) as temporary:
            torch.save(state, temporary)
        self._write("last")

    def restore(self) -> None:
        """Go on from the state in the folder: the log is cut back to it. Raises `ModelError` for a state that does not
        load or is of another network, `UsageError` for one of another recipe."""
        path = self.folder / STATE
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            told, position = json.loads(state["recipe"]), Position(**state["position"])
        except Exception as error:  # whatever a damaged file makes torch raise
            raise ModelError(f"The run in {self.folder} cannot go on, {STATE} does not load: {error}.") from None
        require_same(told, json.loads(json.dumps(self.recipe.document())), self.folder)
        load_state(self.network, state["network"], str(path))
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        torch.set_rng_state(state["random"])
        if state["cuda"] and self.device.type == "cuda":
            torch.cuda.set_rng_state_all(state["cuda"])
        self.position = position
        if self.processes.first and (self.folder / LOG).exists():
            with (self.folder / LOG).open("r+b") as file:
                file.truncate(position.log)


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


def require_same(told: dict[str, Any], recipe: dict[str, Any], folder: Path) -> None:
    """Raise `UsageError` unless the recipe of the run in `folder` is `recipe`; only the number of epochs may differ."""
    for name in told:
        if name != "epochs" and told[name] != recipe.get(name):
            raise UsageError(
                f"The run in {folder} was begun with another {name} ({told[name]}, now {recipe.get(name)}); give the"
                " same options, or another folder."
            )
