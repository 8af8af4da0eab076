"""What the zoo's training costs beside a bare loop in PyTorch, and its data beside `torch.utils.data.DataLoader`.

For each detector, by its recipe: steps over batches that are held in memory; whole epochs, images read, decoded and
augmented meanwhile, with the share of the time that was spent waiting for them; and the reading alone, by one worker up
to as many as there are cores (threads here, processes there). Both sides learn from the same images with the same
network, loss, optimiser and precision, and after the same steps from the same weights they must agree.

    python -m benchmarks.training yunet_n                 # without names yunet_n, scrfd_500m_bnkps, retinaface_mnet025
    python -m benchmarks.training --device cuda --precision bfloat16 --images 2048

On a CPU a step is of 4 images of 320 pixels, on other devices what the recipe says; --batch and --side say otherwise.
Images are copies of dlib's photographs, or drawings where there are none, 1024 pixels long.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import torch

from benchmarks.bareloop import Loop, Photographs, loader
from benchmarks.harness import Report, arguments, in_turn, seconds
from benchmarks.labelled import known as photographed
from benchmarks.labelled import many
from zoo.datasets.dataset import Dataset, open_dataset
from zoo.datasets.sample import Annotation
from zoo.models.edges import network as build
from zoo.plugins import catalogue, resolve
from zoo.runtimes import threads
from zoo.specs import ModelCard
from zoo.training.engine import Engine, Outcome
from zoo.training.feed import Batch, Feed
from zoo.training.folder import write_weights
from zoo.training.learner import Learner
from zoo.training.processes import Processes
from zoo.training.recipe import Recipe, Schedule

MODELS = ("yunet_n", "scrfd_500m_bnkps", "retinaface_mnet025")
BAR = 0.95
"""Images a second, of those of the bare loop."""
SMALL = {"batch": 4, "side": 320}
"""What a step is on a CPU."""
RATE = 1e-4
"""A learning rate at which no network leaves the numbers, whatever it is shown."""


@dataclass(frozen=True)
class Setting:
    """How a recipe is run here."""

    card: ModelCard
    recipe: Recipe
    device: torch.device
    workers: int

    def network(self) -> Any:
        """The network, always with the same random weights."""
        torch.manual_seed(0)
        made = build(self.card)
        if self.recipe.initialise is not None:
            self.recipe.initialise(made)
        return made

    def wait(self) -> None:
        """Until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def setting(name: str, options: argparse.Namespace) -> Setting:
    """The recipe of the model `name`, with a constant rate and the options' numbers."""
    known = catalogue()
    card = known.cards[name]
    kind = options.device if options.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    recipe: Recipe = resolve(known.methods[known.cards.document(name)["method"]].recipe)(card)
    given: dict[str, Any] = {
        key: getattr(options, key) or (SMALL[key] if kind == "cpu" else getattr(recipe, key)) for key in SMALL
    }
    given |= {"schedule": Schedule(), "optimiser": replace(recipe.optimiser, rate=RATE)}
    made = replace(recipe, **given, precision=options.precision)
    return Setting(card, made, torch.device(kind), options.workers or threads.count())


@dataclass
class Stopwatch:
    """A feed that gives the batches of another, or those that are `held`, and notes the time from the moment the first
    one is asked for to the end of the step with the last one: what the end of an epoch saves is not in it."""

    wait: Callable[[], None]
    feed: Feed | None = None
    held: Sequence[Batch] = ()
    taken: float = 0.0

    def epoch(self, number: int, begin: int = 0) -> Iterator[Batch]:
        """See `Feed.epoch`."""
        began = time.perf_counter()
        yield from iter(self.held) if self.feed is None else self.feed.epoch(number, begin)
        self.wait()
        self.taken = time.perf_counter() - began


class Ours:
    """The engine as ``zoo run METHOD train`` has it."""

    def __init__(self, chosen: Setting, folder: Path) -> None:
        def write(name: str, kept: torch.nn.Module) -> None:
            write_weights(folder / f"{name}.pth", kept, chosen.card)

        processes = Processes(device=chosen.device)
        self.learner = Learner(chosen.network(), chosen.recipe, chosen.card.preprocess, processes)
        self.engine = Engine(self.learner, folder, write)

    def epoch(self, feed: Stopwatch) -> Outcome:
        """Run one more epoch."""
        self.engine.recipe = replace(self.engine.recipe, epochs=self.engine.position.epoch + 1)
        given: Any = feed
        return self.engine.run(given)


def measure(names: Sequence[str], options: argparse.Namespace) -> Report:
    """The models called `names`, `MODELS` where there are none."""
    report = Report("training")
    torch.set_num_threads(threads.count())
    cv2.setNumThreads(1)
    settings = {name: setting(name, options) for name in names or MODELS}
    count = max(options.images, *(chosen.recipe.batch for chosen in settings.values()))
    with tempfile.TemporaryDirectory() as folder:
        dataset = open_dataset(many(Path(folder) / "set", count))
        report.facts["images"] = {"count": count, "of": "dlib" if photographed() else "drawings"}
        for name, chosen in settings.items():
            facts = _facts(chosen)
            facts |= _steps(report, name, chosen, dataset, options, Path(folder))
            facts |= _epochs(report, name, chosen, dataset, options.rounds, Path(folder))
            _loading(report, name, chosen, dataset, options.rounds)
            report.facts[name] = facts
    return report


def _steps(
    report: Report, name: str, chosen: Setting, dataset: Dataset, options: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """Steps over batches in memory."""
    feed = Feed(dataset, chosen.recipe.steps, chosen.recipe.batch, workers=chosen.workers)
    held = list[Batch]()
    for epoch in range(options.steps):  # to the end of each, so that no thread of the feed is there any more
        held += [one for one in feed.epoch(epoch) if len(held) < options.steps and len(one.keys) == feed.size]
        if len(held) >= options.steps:
            break
    del held[options.steps :]
    ours, watch = Ours(chosen, folder), Stopwatch(chosen.wait, held=held)
    loop = Loop(chosen.network(), chosen.recipe, chosen.card.preprocess, chosen.device)
    pairs: list[Any] = [(one.images, one.targets) for one in held]
    ends, images = list[float](), len(held) * feed.size

    def engine() -> float:
        outcome = ours.epoch(watch)
        ends.append(outcome.seconds - watch.taken)
        return images / watch.taken

    def bare() -> float:
        began = time.perf_counter()
        loop(pairs)
        chosen.wait()
        return images / (time.perf_counter() - began)

    taken = in_turn(options.rounds, {"zoo": engine, "bare": bare})
    report.compare(f"{name}, steps alone", "bare loop", taken["zoo"], taken["bare"], "images/s", least=BAR)
    both = zip(ours.learner.network.state_dict().values(), loop.network.state_dict().values(), strict=True)
    return {
        "end of an epoch, ms": round(statistics.median(ends) * 1e3, 1),
        "greatest difference of the weights": max(float((a.float() - b.float()).abs().max()) for a, b in both),
    }


def _epochs(report: Report, name: str, chosen: Setting, dataset: Dataset, rounds: int, folder: Path) -> dict[str, Any]:
    """Whole epochs, from files."""
    size, count = chosen.recipe.batch, dataset.about.count or 0
    ours, shares = Ours(chosen, folder), list[float]()
    watch = Stopwatch(chosen.wait, Feed(dataset, chosen.recipe.steps, size, workers=chosen.workers))
    loop = Loop(chosen.network(), chosen.recipe, chosen.card.preprocess, chosen.device)
    read = loader(Photographs(files(dataset), chosen.recipe), size, chosen.workers, chosen.device.type == "cuda")

    def engine() -> float:
        shares.append(ours.epoch(watch).waited / watch.taken)
        return count / watch.taken

    def bare() -> float:
        began = time.perf_counter()
        loop(read)
        chosen.wait()
        return count / (time.perf_counter() - began)

    taken = in_turn(rounds, {"zoo": engine, "bare": bare})
    peer = f"bare loop with a DataLoader of {chosen.workers} processes"
    report.compare(f"{name}, epochs from files", peer, taken["zoo"], taken["bare"], "images/s", least=BAR)
    return {"share of the time spent waiting for data": round(statistics.median(shares), 3)}


def _loading(report: Report, name: str, chosen: Setting, dataset: Dataset, rounds: int) -> None:
    """The data alone, by a few workers."""
    recipe, count, known = chosen.recipe, dataset.about.count or 0, files(dataset)
    for workers in dict.fromkeys((1, chosen.workers)):
        feed = Feed(dataset, recipe.steps, recipe.batch, workers=workers)
        read = loader(Photographs(known, recipe), recipe.batch, workers, False)
        actions = {
            "zoo": lambda feed=feed: count / seconds(lambda: exhaust(feed.epoch(0))),
            "peer": lambda read=read: count / seconds(lambda: exhaust(read)),
        }
        taken = in_turn(rounds, actions)
        what = f"{name}, data alone, {workers} worker{'s' if workers > 1 else ''}"
        report.compare(what, "DataLoader", taken["zoo"], taken["peer"], "images/s")


def files(dataset: Dataset) -> list[tuple[Path, Annotation | None]]:
    """The files of a labelv2's images, which lie beside it, and what is true of them."""
    return [(dataset.path.parent / "images" / f"{one.key}.jpg", one.faces) for one in dataset]


def exhaust(items: Iterable[object]) -> None:
    """Take all of them."""
    for _ in items:
        pass


def _facts(chosen: Setting) -> dict[str, Any]:
    recipe, name = chosen.recipe, torch.cuda.get_device_name(chosen.device) if chosen.device.type == "cuda" else "cpu"
    return {"device": name, "precision": recipe.precision, "batch": recipe.batch, "side": recipe.side}


if __name__ == "__main__":
    words = arguments(
        __doc__, 5, "model", steps=10, images=64, batch=0, side=0, workers=0, device="auto", precision="float32"
    )
    measure(words.model, words).print()
