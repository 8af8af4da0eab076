"""Many images through one model, with every core busy and bounded memory.

Whole images are given to workers: one thread a core, each of which reads, decodes, prepares, runs, finishes, draws and
writes. Reading and computing release Python's lock, so threads are enough, and they share the model. Splitting the
work into stages, or running batches, was measured and is slower on a CPU: pixels then travel between cores.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from zoo import images
from zoo.errors import InputError
from zoo.files import atomic_write
from zoo.inference.model import Model
from zoo.inference.outcome import Outcome
from zoo.inference.sources import Item
from zoo.types import Faces, Image

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 16
"""Tasks a worker taken ahead where a task is no more than a name: enough to collect results in bursts."""

AHEAD_WITH_PIXELS = 3
"""The same where each task holds an image in memory."""

_PAUSE = 0.1  # seconds after which results are collected however few they are


def ordered(work: Callable[[T], R], tasks: Iterable[T], workers: int, ahead: int = AHEAD) -> Iterator[R]:
    """``map(work, tasks)`` with `workers` threads: results in the order of the tasks, which are taken no more than
    `ahead` a worker ahead. The first error ends it: tasks that were not begun are dropped.

    Results are collected several at once: to wake this thread for each one costs the workers a seventh of their speed
    (measured with YuNet on two cores), because it then competes with them for Python's lock.
    """
    if workers <= 1:
        yield from map(work, tasks)
        return
    pending: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="zoo")
    try:
        for task in tasks:
            pending.append(pool.submit(work, task))
            yield from _finished(pending)
            while len(pending) >= ahead * workers:
                wait((pending[len(pending) // 2],), _PAUSE)
                yield from _finished(pending)
        while pending:
            wait((pending[-1],), _PAUSE)
            yield from _finished(pending)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _finished(pending: deque[Future[R]]) -> Iterator[R]:
    """Take the results that are there from the front."""
    while pending and pending[0].done():
        yield pending.popleft().result()


def batches(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Consecutive groups of `size`, the last one smaller."""
    iterator = iter(items)
    while group := tuple(islice(iterator, size)):
        yield group


@dataclass(frozen=True)
class Job:
    """An item, and the path at which its annotated image is stored (None: it is not)."""

    item: Item
    target: Path | None = None


@dataclass(frozen=True)
class Worker:
    """What one thread does with a batch of jobs.

    `draw_frames` says that frames of videos are drawn too; `quality` 1..100 is that of JPEG and WebP.
    """

    model: Model
    draw_frames: bool = False
    quality: int = 95

    def __call__(self, jobs: Sequence[Job]) -> list[Outcome]:
        """The outcomes of the jobs. An `InputError` makes its job a skipped one; every other error is raised."""
        loaded = [(job, *self._load(job.item)) for job in jobs]
        good = [(job, image) for job, image, _ in loaded if image is not None]
        found = iter(self._detect([image for _, image in good]))
        return [
            Outcome(job.item, error=error) if image is None else self._finish(job, image, next(found))
            for job, image, error in loaded
        ]

    def _load(self, item: Item) -> tuple[Image | None, str]:
        try:
            return item.load(), ""
        except InputError as error:
            return None, str(error)

    def _detect(self, batch: list[Image]) -> list[Faces | InputError]:
        """The faces of each image; of an image that the model refuses, why."""
        try:
            return list(self.model.detect(batch)) if batch else []
        except InputError as error:
            return [error] if len(batch) == 1 else [self._detect([image])[0] for image in batch]

    def _finish(self, job: Job, image: Image, found: Faces | InputError) -> Outcome:
        height, width = image.shape[:2]
        item = replace(job.item, load=_used)  # the pixels are not needed any more
        if isinstance(found, InputError):
            return Outcome(item, error=str(found))
        drawn = images.draw(image, found) if job.target or (self.draw_frames and item.clip) else None
        if job.target is None or drawn is None:
            return Outcome(item, width, height, found, picture=drawn)
        try:
            atomic_write(job.target, images.encode(drawn, job.target.suffix, self.quality))
        except InputError as error:
            return Outcome(item, error=str(error))
        return Outcome(item, width, height, found)


def _used() -> Image:
    raise InputError("The image has been worked on already.")
