"""The infer task: inputs through a model to results."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import cv2

from zoo.inference import sinks, sources
from zoo.inference.outcome import Outcome
from zoo.inference.runner import AHEAD, AHEAD_WITH_PIXELS, Job, Worker, batches, ordered
from zoo.requests import Skip, TaskRequest, TaskResult
from zoo.runtimes import threads
from zoo.specs import ModelCard


@dataclass
class _Tally:
    """What is counted while results come in; nothing here grows but the list of skipped inputs."""

    done: int = 0
    faces: int = 0
    skipped: list[Skip] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        if outcome.faces is None:
            self.skipped.append(outcome.skip())
        else:
            self.done += 1
            self.faces += len(outcome.faces)


def infer(request: TaskRequest) -> TaskResult:
    """Find the faces in all inputs of the request (options: `InferOptions`) and write what is to be saved below its
    output folder.

    Records are emitted in the order of the inputs. An image that cannot be used is skipped and counted. Raises
    `UsageError` for inputs that do not exist and `ZooError` for a folder that cannot be written, both before any work.
    A camera's run ends with `limit` or Ctrl-C, and keeps what it has by then.
    """
    options, out = request.options, request.out
    plan = _plan(request)
    total = min(plan.total, options.limit) if plan.total and options.limit else plan.total
    workers, per_worker = _share(options.workers, request.settings.get("threads", 0), total, options.batch)
    tally = _Tally()
    with sinks.opened(out, options.save) as targets, _opencv_threads():
        model = request.load(threads=per_worker)
        model.ready()
        ahead = AHEAD_WITH_PIXELS if plan.has_frames else AHEAD
        started = time.perf_counter()
        saves = out is not None and sinks.IMAGES in options.save
        worker = Worker(model, draw_frames=saves, quality=options.quality)
        jobs = _jobs(plan, sinks.Targets(out) if saves and out else None, options.limit)
        request.progress.start(f"{request.card.id}: {_doing(request.card)}", total)
        with contextlib.suppress(*([KeyboardInterrupt] if plan.live else [])):
            for group in ordered(worker, batches(jobs, options.batch), workers, ahead):
                for outcome in group:
                    _take(outcome, request, targets, tally)
        seconds = time.perf_counter() - started
        outputs = tuple(path for sink in targets for path in sink.close())
    return TaskResult(
        inputs=tally.done + len(tally.skipped),
        done=tally.done,
        skipped=tuple(tally.skipped),
        outputs=outputs,
        summary=_summary(request, model, tally, seconds, outputs),
    )


def _doing(card: ModelCard) -> str:
    return "encoding faces" if card.embedding else "finding landmarks" if card.landmarks else "finding faces"


def _plan(request: TaskRequest) -> sources.Plan:
    """The inputs, without the folders that results go to."""
    out, options = request.out, request.options
    if out is None:
        return sources.plan(request.inputs, recursive=options.recursive, every=options.every)
    if sinks.IMAGES in options.save:
        sinks.refuse_overwriting(out, request.inputs)
    return sources.plan(
        request.inputs, recursive=options.recursive, every=options.every, avoid=(out, out / sinks.IMAGES)
    )


def _share(workers: int, asked: int, total: int | None, batch: int) -> tuple[int, int]:
    """(workers, threads of the model): the threads that the user allows, divided among the workers; a single image gets
    all of them."""
    allowed = threads.count(asked)
    most = allowed if total is None else min(allowed, -(-total // batch))
    chosen = max(1, min(workers, most) if workers else most)
    return chosen, max(1, allowed // chosen)


@contextlib.contextmanager
def _opencv_threads() -> Iterator[None]:
    """Put back OpenCV's number of threads, which loading the model sets to the model's own."""
    before = cv2.getNumThreads()
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _jobs(plan: sources.Plan, targets: sinks.Targets | None, limit: int) -> Iterator[Job]:
    for item in islice(plan.items(), limit or None):
        yield Job(item, targets.path(item) if targets else None)


def _take(outcome: Outcome, request: TaskRequest, targets: list[sinks.Sink], tally: _Tally) -> None:
    for sink in targets:
        sink.write(outcome)
    tally.add(outcome)
    request.emit(outcome.record)
    request.progress.advance()


def _summary(
    request: TaskRequest, model: Any, tally: _Tally, seconds: float, outputs: tuple[Path, ...]
) -> dict[str, Any]:
    session = getattr(model, "session", model)
    return {
        "model": request.card.id,
        "runtime": getattr(session, "runtime", ""),
        "device": getattr(session, "device", ""),
        "images": tally.done,
        "faces": tally.faces,
        "seconds": round(seconds, 3),
        "images_per_second": round(tally.done / seconds, 1) if seconds else 0.0,
        "outputs": [str(path) for path in outputs],
    }
