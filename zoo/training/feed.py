"""A data set as batches to learn from: read in order, prepared by threads, the same whatever their number."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TypeVar

import numpy as np
from torch import Tensor

from zoo.datasets.dataset import Dataset
from zoo.datasets.sample import Annotation, Broken, Sample
from zoo.datasets.sharing import ALL, Place, mixed, share, shuffled_units, unit_size
from zoo.errors import InputError
from zoo.inference.runner import batches
from zoo.requests import Skip
from zoo.training.augment import Labelled, Step, augmented, dice
from zoo.training.targets import Targets, batch

BUFFER = 512
"""Samples, still encoded, among which the next one is picked."""

AHEAD = 2
"""Batches that each thread may be ahead."""

FIVE = (slice(36, 42), slice(42, 48), slice(30, 31), slice(48, 49), slice(54, 55))
"""Which of the 68 points of 300-W make the five, by their mean: the eyes, the tip of the nose, the mouth's corners."""


T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Batch:
    """What one step learns from: images (B, 3, S, S) uint8 BGR and their faces, None where no image could be used; the
    `keys` of the B images, what was `skipped`, and of which images how many faces were left out as `faulty`."""

    images: Tensor | None
    targets: Targets | None
    keys: tuple[str, ...]
    skipped: tuple[Skip, ...] = ()
    faulty: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Feed:
    """The batches of `dataset`: `size` images each, less what cannot be used, the last one of an epoch smaller.

    So their number is known where that of the samples is, and processes that share a set make as many steps. The order
    is fixed by `seed` and the epoch, what `steps` do to an image by its key besides; `workers` threads
    decode and augment. `rank` is which of the processes that share the set out this is.
    """

    dataset: Dataset
    steps: tuple[Step, ...]
    size: int
    seed: int = 0
    workers: int = 1
    rank: Place = ALL

    def epoch(self, number: int, begin: int = 0) -> Iterator[Batch]:
        """The batches of the epoch `number` from the batch `begin` on. Raises `InputError` for a set that ends."""
        groups = islice(batches(self._samples(number), self.size), begin, None)
        return prepared(lambda group: self._prepare(group, number), groups, self.workers)

    def _samples(self, epoch: int) -> Iterator[Sample | Broken]:
        units = self.dataset.units(unit_size(self.dataset.about.count, self.rank.count))
        pieces = share(shuffled_units(units, self.seed, epoch), self.rank)
        found = chain.from_iterable(piece.cut(self.dataset.reader.read(piece.unit)) for piece in pieces)
        return mixed(found, BUFFER, f"{self.seed} {epoch} {self.rank.index}")

    def _prepare(self, samples: Sequence[Sample | Broken], epoch: int) -> Batch:
        made, keys, skipped, faulty = [], [], [], {}
        for sample in samples:
            if isinstance(sample, Broken):
                skipped.append(Skip(sample.key, sample.why))
                continue
            try:
                labelled = label(sample)
            except InputError as error:
                skipped.append(Skip(sample.key, str(error)))
                continue
            sound = labelled.sound
            if not sound.all():
                labelled, faulty[sample.key] = labelled.select(sound), int((~sound).sum())
            made.append(augmented(labelled, self.steps, dice(self.seed, epoch, sample.key)))
            keys.append(sample.key)
        images, targets = batch(made) if made else (None, None)
        return Batch(images, targets, tuple(keys), tuple(skipped), faulty)


def prepared(work: Callable[[T], R], tasks: Iterator[T], workers: int) -> Iterator[R]:
    """``map(work, tasks)`` with `workers` threads: results in the order of the tasks.

    A result is given as soon as it is there, and never before another task is begun: threads have `AHEAD` each to do
    while whoever takes the results is busy with one.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="zoo")
    try:
        pending = deque(pool.submit(work, task) for task in islice(tasks, AHEAD * workers))
        while pending:
            first = pending.popleft()
            pending.extend(pool.submit(work, task) for task in islice(tasks, 1))
            yield first.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def label(sample: Sample) -> Labelled:
    """The decoded image with its faces, whose five keypoints come from 68 landmarks where there are no others. Raises
    `InputError` for an image that is missing or cannot be decoded."""
    if sample.image is None:
        raise InputError("comes without an image; say with images=FOLDER where the images are.")
    return Labelled.of(sample.image.decode(sample.key), five_points(sample.faces))


def five_points(faces: Annotation | None) -> Annotation | None:
    """`faces` with keypoints (N, 5, 2), from 68 landmarks where they have only these."""
    if faces is None or faces.keypoints is not None or faces.landmarks is None or faces.landmarks.shape[1] != 68:
        return faces
    points = [faces.landmarks[:, part].mean(axis=1) for part in FIVE]
    return replace(faces, keypoints=np.stack(points, axis=1).astype(np.float32))
