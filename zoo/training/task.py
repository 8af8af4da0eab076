"""The task ``train``: a labelled set and a recipe to a run folder with weights that the zoo reads like any others."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import torch

from zoo.datasets.dataset import Dataset, open_dataset
from zoo.errors import InputError, UsageError
from zoo.requests import Silent, TaskRequest, TaskResult
from zoo.runtimes import threads
from zoo.specs import UNKNOWN, Licences, ModelCard
from zoo.training import variants
from zoo.training.beginning import first, licence
from zoo.training.engine import STATE, Engine, Judgement, Outcome
from zoo.training.feed import Feed
from zoo.training.folder import BEST, LAST, Ending
from zoo.training.judging import Judge, open_judge
from zoo.training.learner import Learner
from zoo.training.log import Log
from zoo.training.options import TrainOptions
from zoo.training.processes import Processes, joined
from zoo.training.recipe import Recipe, adjusted
from zoo.training.upstream.planning import planned

SHOWN = 5
"""Of how many images it is said by name that faces were left out."""


def run(request: TaskRequest) -> TaskResult:
    """Train the request's model on the labelled sets that are its inputs (options: `TrainOptions`) by the recipe
    of its method.

    The output folder gets ``config.json``, ``log.jsonl``, ``curves.png``, ``last.pth``, ``best.pth`` (of the epoch with
    the least mean loss or, with ``val``, of the best judgement), with ``val`` the folder ``evaluation``, ``README.md``
    and what a resumed run needs. Raises `UsageError` for no set or several, no output folder, one that holds a run, or
    options that do not fit; `InputError` for a set without boxes or images; and as `Engine.run`.
    """
    folder = _folder(request, request.options.resume)
    base = request.card
    request, recipe = planned(request)
    options: TrainOptions = request.options
    recipe = adjusted(recipe, options, request.card.preprocess.multiple)
    counted = variants.amount(request.card, recipe.side)
    dataset = _dataset(request.inputs, options)
    torch.manual_seed(options.seed)
    network, begun, taken = first(request, recipe)
    card = _card(request.card, options.name, begun)
    used = threads.count(request.settings.get("threads", 0))
    with _threads(used), joined(_device(request.settings.get("device", "auto"))) as processes:
        progress = request.progress if processes.first else Silent()
        judge = open_judge(request, used)
        log = Log(folder, silent=not processes.first, board=options.tensorboard)
        ending = Ending(folder, card, _config(request, recipe, begun or taken, counted), judge)
        engine = Engine(
            Learner(network, recipe, card.preprocess, processes), folder, ending.keep, log, progress,
            options.save_every, options.log_every, _judgement(judge, folder, options),
            _identity(request.card, dataset),
        )  # fmt: skip
        if options.resume:
            engine.restore()
        for line in (variants.told(request.card, counted, base), *([] if options.resume or not taken else [taken])):
            progress.note(line)
        progress.start(f"{card.id}: learning", _left(engine, dataset))
        outcome = engine.run(_feed(dataset, recipe, options.workers or used, processes))
        log.close()
        told = _end(ending, outcome) if processes.first else ()
        processes.gathered(None)  # the receipt is of what the first one has written
    result = _result(request, outcome, ending, dataset, told, str(processes.device))
    return result if processes.alone else replace(result, process=processes.place.index)


def _judgement(judge: Judge | None, folder: Path, options: TrainOptions) -> Judgement | None:
    if judge is None:
        return None
    return Judgement(lambda: judge.figure(folder / LAST), options.val_every, options.patience)


def _end(ending: Ending, outcome: Outcome) -> tuple[str, ...]:
    """What is left to do once the run is over, or stopped: what there is to tell of how good it is."""
    ending.draw()
    return ending.evaluate() if not outcome.stopped else ()


@contextlib.contextmanager
def _threads(used: int) -> Iterator[None]:
    """Give torch `used` threads for the block, and OpenCV one in each thread that prepares images."""
    before, pictures = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(used)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        cv2.setNumThreads(pictures)


def _folder(request: TaskRequest, resume: bool) -> Path:
    if request.out is None:
        raise UsageError("A run of training needs a folder: give --out DIR.")
    there = (request.out / STATE).exists()
    if there and not resume:
        raise UsageError(f"{request.out} holds a run already; go on with it by resume=true, or give another --out.")
    if resume and not there:
        raise UsageError(f"{request.out} holds no run that could go on; leave resume out to begin one.")
    return request.out


def _dataset(inputs: tuple[str, ...], options: TrainOptions) -> Dataset:
    if len(inputs) != 1:
        raise UsageError(f"train takes one labelled set, a folder or a file, and not {len(inputs)}.")
    given = {"images": options.images} if options.images else {}
    dataset = open_dataset(inputs[0], options.format, on_error="skip", **given)
    for part in ("boxes", "images"):
        if part not in dataset.about.holds:
            advice = "; say with images=FOLDER where they are" if part == "images" else ""
            raise InputError(f"{inputs[0]} ({dataset.format.name}) has no {part} to learn from{advice}.")
    return dataset


def _feed(dataset: Dataset, recipe: Recipe, workers: int, processes: Processes) -> Feed:
    """The part of this process: all must make the same number of steps."""
    place = processes.place
    if not processes.alone:
        if recipe.batch % place.count:
            raise UsageError(f"{place.count} processes cannot share {recipe.batch} images a step; give another batch.")
        if dataset.about.count is None:
            raise InputError(f"{dataset.path} does not say how many samples it has, which several processes need.")
    return Feed(dataset, recipe.steps, recipe.batch // place.count, recipe.seed, workers, place)


def _card(card: ModelCard, name: str, begun: str) -> ModelCard:
    """The card of the trained model: nothing is published of it, and its licence is that of what it began with."""
    licences = Licences(card.licences.code, licence(begun), UNKNOWN)
    summary = f"{card.id} as somebody has trained it."
    made = replace(card, id=name or f"{card.id.removesuffix('_trained')}_trained", summary=summary, licences=licences)
    return replace(made, weights=(), metrics=())


def _device(name: str) -> torch.device:
    try:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"torch has no device {name!r}: {error}.") from None


def _config(request: TaskRequest, recipe: Recipe, begun: str, counted: variants.Amount) -> dict[str, Any]:
    return {
        "task": f"{request.method.name} {request.task}",
        "model": request.card.id,
        "begun": begun,
        "inputs": list(request.inputs),
        "options": dict(request.settings),
        "network": variants.document(request.card, counted),
        "recipe": json.loads(json.dumps(recipe.document())),
    }


def _identity(card: ModelCard, dataset: Dataset) -> dict[str, Any]:
    """What a run that goes on must have in common with the one that stopped, besides the recipe."""
    about = dataset.about
    return {
        "model": card.id,
        "network": json.loads(json.dumps(dict(card.network))),
        "labelled set": f"{dataset.format.name}, {about.count} samples",
    }


def _left(engine: Engine, dataset: Dataset) -> int | None:
    """How many steps are to come, where that is known."""
    count, recipe, at = dataset.about.count, engine.recipe, engine.position
    return None if count is None else max(0, -(-count // recipe.batch) * (recipe.epochs - at.epoch) - at.batch)


def _result(
    request: TaskRequest, outcome: Outcome, ending: Ending, dataset: Dataset, judged: tuple[str, ...], device: str
) -> TaskResult:
    at, skipped, best = outcome.position, tuple(outcome.skipped.values()), ending.folder / BEST
    rate = outcome.images / max(outcome.seconds, 1e-9)
    told = [f"{_counted(at.epoch, 'epoch')}, {_counted(at.step, 'step')}, {rate:.1f} images/s", *judged]
    if at.judged >= 0:
        ended = ", ended early" if outcome.early else ""
        told.append(f"best judged {at.judged:.4f}, the mean of the figures{ended}")
    if outcome.faulty:
        told.append(_faulty(outcome.faulty))
    if outcome.stopped:
        told.append(f"stopped and saved; resume=true --out {ending.folder} goes on")
    elif best.exists():
        told.append(f"zoo run {request.method.name} infer --model {best} photo.jpg")
    summary = {
        "model": ending.card.id,
        "device": device,
        "parameters": ending.config["network"]["parameters"],
        "macs": ending.config["network"]["macs"],
        "images": outcome.images,
        "seconds": round(outcome.seconds, 3),
        "waiting": round(outcome.waited / max(outcome.seconds, 1e-9), 3),
        "loss": at.best if at.best < float("inf") else None,
        "judged": at.judged if at.judged >= 0 else None,
        "stopped": outcome.stopped,
        "faulty": outcome.faulty,
        "told": tuple(told),
    }
    done = (dataset.about.count or len(skipped)) - len(skipped) if dataset.about.count else outcome.images
    return TaskResult(done + len(skipped), done, skipped, ending.outputs, summary, ending.card)


def _faulty(images: Mapping[str, int]) -> str:
    """What is said of faces that were left out of `images`."""
    few = ", ".join([*images][:SHOWN]) + (", ..." if len(images) > SHOWN else "")
    faces = _counted(sum(images.values()), "face")
    return f"left out {faces} whose box has no area or is outside its image: {few}"


def _counted(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'' if number == 1 else 's'}"
