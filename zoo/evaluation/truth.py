"""Ground truth: labels to judge by, and the images that a model runs over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zoo.datasets.dataset import Dataset
from zoo.datasets.sample import Sample


@dataclass(frozen=True)
class Truth:
    """A labelled set. `labels` walks its annotation, images or none; `images` is the set with its images, of which some
    may be missing."""

    labels: Callable[[], Iterator[Sample]]
    images: Dataset
