"""The loop that every recipe runs in, and the state from which a run goes on as if it had never stopped."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zoo.errors import ModelError, UsageError, ZooError
from zoo.files import replacing
from zoo.requests import Progress, Silent, Skip
from zoo.training.feed import Batch, Feed
from zoo.training.learner import Learner
from zoo.training.log import Log
from zoo.training.stopping import asked_to_stop

STATE = "state.pt"
"""The file of a run folder that a run goes on from."""


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
    """What came of a run: where it is, images learnt from in this go (each counted every time), what was skipped, of
    which images how many faces were `faulty`, seconds, the part of them that was spent waiting for data, and whether
    Ctrl-C or its `patience` stopped it."""

    position: Position
    images: int = 0
    skipped: dict[str, Skip] = field(default_factory=dict)
    faulty: dict[str, int] = field(default_factory=dict)
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
    """Lets a `learner` go through a set, epoch by epoch.

    `write` is called with ``last`` or ``best`` and the network whose weights are to be kept, the averaged one where the
    recipe averages. `folder` holds the state and the log. `judgement` tells how good the weights are that were written
    last; without one the best weights are those after the epoch of the least mean loss. `identity` is plain data of
    what a run that goes on must have in common with the one that stopped. Of several processes the first one alone
    writes and judges; the losses that it logs are its own.
    """

    def __init__(
        self,
        learner: Learner,
        folder: Path,
        write: Callable[[str, nn.Module], None],
        log: Log | None = None,
        progress: Progress | None = None,
        save_every: int = 0,
        log_every: int = 20,
        judgement: Judgement | None = None,
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        self.learner, self.folder, self.write = learner, folder, write
        self.recipe, self.processes = learner.recipe, learner.processes
        self.log = log or Log(folder, silent=not learner.processes.first)
        self.progress, self.save_every, self.log_every = progress or Silent(), save_every, log_every
        self.judgement, self.identity = judgement, dict(identity or {})
        self.position = Position()
        self._pending: list[tuple[dict[str, Tensor], tuple[str, ...]]] = []

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
        for skipped, faulty in self.processes.gathered((outcome.skipped, outcome.faulty)):
            outcome.skipped |= skipped
            outcome.faulty |= faulty
        return outcome

    def _epoch(self, feed: Feed, outcome: Outcome, stop: threading.Event) -> None:
        at = self.position
        waiting = time.perf_counter()
        for given in feed.epoch(at.epoch, at.batch):
            outcome.waited += time.perf_counter() - waiting
            outcome.skipped |= {skip.where: skip for skip in given.skipped}
            outcome.faulty |= given.faulty
            at.batch += 1
            outcome.images += len(given.keys)
            self._step(given)
            self.progress.advance()
            if len(self._pending) >= self.log_every:
                self._flush()
            if self._stops(stop):
                outcome.stopped = True
                return self.save()
            if self.save_every and at.step % self.save_every == 0:
                self.save()
            waiting = time.perf_counter()
        return self._end_epoch(outcome)

    def _stops(self, stop: threading.Event) -> bool:
        """Whether to stop now: all processes at the same batch, of which they agree every so often."""
        if self.processes.alone:
            return stop.is_set()
        return self.position.batch % self.log_every == 0 and self.processes.any(stop.is_set())

    def _end_epoch(self, outcome: Outcome) -> None:
        self._flush()
        at = self.position
        losses, learnt = self._sums()
        if not learnt:
            why = next((f" ({skip.where}: {skip.why})" for skip in outcome.skipped.values()), "")
            raise ZooError(f"There is no image to learn from in the whole set{why}; give another set or images=FOLDER.")
        mean = losses / learnt
        rate = self.learner.rate
        self.progress.note(f"epoch {at.epoch + 1} of {self.recipe.epochs}: loss {mean:.4f}, rate {rate:.3g}")
        self.log.add({"epoch": at.epoch, "step": at.step, "mean": mean})
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
        self.log.add({"epoch": at.epoch, "step": at.step, "judged": figure})
        better = figure > at.judged
        at.judged, at.worse = max(figure, at.judged), 0 if better else at.worse + 1
        outcome.early = bool(judgement.patience) and at.worse >= judgement.patience
        return better

    def _step(self, given: Batch) -> None:
        """Learn from a batch. Of one without images nothing is learnt, but others may have some of the same step."""
        at, multiplier = self.position, self.recipe.schedule(self.position.step, self.position.epoch)
        if given.images is not None and given.targets is not None:
            self._pending.append((self.learner.step(given.images, given.targets, multiplier), given.keys))
        elif self.processes.alone:
            return
        else:
            self.learner.join(multiplier)
        at.step += 1

    def _flush(self) -> None:
        """Look at the losses since the last look, all at once, because that waits for the device, and log them.

        Raises `ZooError` when one is no number.
        """
        if not self._pending:
            return
        at, pending = self.position, self._pending
        self._pending = []
        names = [*pending[0][0]]
        rows = torch.stack([torch.stack([parts[name] for name in names]) for parts, _ in pending]).double().tolist()
        for row, (_, keys) in zip(rows, pending, strict=True):
            if not abs(sum(row)) < float("inf"):
                self._refuse(dict(zip(names, row, strict=True)), keys)
            at.losses, at.learnt = at.losses + sum(row), at.learnt + 1
        means = {name: sum(column) / len(rows) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
        loss = sum(means.values())
        self.log.add({"epoch": at.epoch, "step": at.step, "rate": self.learner.rate, "loss": loss, **means})

    def _sums(self) -> tuple[float, int]:
        """The sum of the losses of this epoch, and how many these are, of all processes."""
        every = self.processes.gathered((self.position.losses, self.position.learnt))
        return sum(losses for losses, _ in every), sum(learnt for _, learnt in every)

    def _refuse(self, parts: dict[str, float], keys: tuple[str, ...]) -> None:
        told = ", ".join(f"{name} {part:g}" for name, part in parts.items())
        raise ZooError(
            f"The loss is no number ({told}) in a step of epoch {self.position.epoch + 1}, with the images"
            f" {', '.join(keys)}; look at their labels, or lower the learning rate, and go on with resume=true."
        )

    def _write(self, name: str) -> None:
        if self.processes.first:
            self.write(name, self.learner.kept)

    def save(self) -> None:
        """Write the state, from which `restore` goes on, and the weights."""
        self._flush()
        losses, learnt = self._sums()
        if not self.processes.first:
            return
        self.position.log = self.log.length
        state = {
            "run": json.dumps(self._run),
            "position": {**vars(self.position), "losses": losses, "learnt": learnt},
            **self.learner.state(),
        }
        with replacing(self.folder / STATE) as temporary:
            torch.save(state, temporary)
        self._write("last")

    @property
    def _run(self) -> dict[str, Any]:
        """What a run that goes on must have in common with the one that stopped, as plain data."""
        processes = {"processes": self.processes.place.count}
        run: dict[str, Any] = json.loads(json.dumps({**self.recipe.document(), **self.identity, **processes}))
        return run

    def restore(self) -> None:
        """Go on from the state in the folder: the log is cut back to it. Raises `ModelError` for a state that does not
        load or is of another network, `UsageError` for one of another recipe."""
        path = self.folder / STATE
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            told, position = json.loads(state["run"]), Position(**state["position"])
        except Exception as error:  # whatever a damaged file makes torch raise
            raise ModelError(f"The run in {self.folder} cannot go on, {STATE} does not load: {error}.") from None
        if not position.batch:  # between epochs another number of processes may share the work
            told["processes"] = self.processes.place.count
        require_same(told, self._run, self.folder)
        self.learner.restore(state, path)
        if not self.processes.first:  # the first one goes on with the sums of all
            position.losses, position.learnt = 0.0, 0
        self.position = position
        self.log.cut(position.log, position.step)


def require_same(told: dict[str, Any], run: dict[str, Any], folder: Path) -> None:
    """Raise `UsageError` unless what is `told` of the run in `folder` is so in `run`, but for the number of epochs."""
    for name in told:
        if name != "epochs" and told[name] != run.get(name):
            raise UsageError(
                f"The run in {folder} was begun with another {name} ({told[name]}, now {run.get(name)}); give the"
                " same options, or another folder."
            )
