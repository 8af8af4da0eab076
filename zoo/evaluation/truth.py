"""Ground truth: which protocol judges it, labels to judge by, and the images that a model runs over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from zoo.datasets.beside import NONE
from zoo.datasets.dataset import Dataset, open_dataset
from zoo.datasets.sample import Sample
from zoo.errors import UsageError
from zoo.plugins import catalogue, resolve
from zoo.requests import Skip
from zoo.specs import ProtocolSpec


@dataclass(frozen=True)
class Truth:
    """A labelled set. `labels` walks its annotation, images or none; `images` is the set with its images, of which some
    may be missing. `skipped` are those whose annotation cannot be read, known after a walk of `labels`."""

    labels: Callable[[], Iterator[Sample]]
    images: Dataset
    skipped: list[Skip] = field(default_factory=list)


def open_truth(data: str, protocol: str = "", format: str = "", images: str = "") -> tuple[Truth, ProtocolSpec]:
    """The set `data` and the protocol that judges it. `data` is a path, or ``NAME:PATH`` with the name of a protocol or
    of a format; `protocol`, `format` and `images` are as in `zoo.evaluation.options.JudgeOptions`.

    Raises `UsageError` for unknown names, a path that is not there, and a set without boxes; `InputError` for one that
    cannot be read.
    """
    known, prefix, path = catalogue(), *divided(data)
    spec = known.protocols[protocol or (prefix if prefix in known.protocols else _default())]
    if not path.exists() and "{" not in path.name:
        raise UsageError(f"There is no file or folder {path}.")
    named = format or (prefix if prefix in known.formats else "")
    if spec.truth and not named:
        made: Truth = resolve(spec.truth)(path, images)
        return made, spec
    return _labelled(path, named, {"images": images} if images else {}), spec


def divided(text: str) -> tuple[str, Path]:
    """``NAME:PATH`` with the name of a protocol or a format; the name is empty where there is none."""
    prefix, colon, rest = text.partition(":")
    known = catalogue()
    if colon and (prefix in known.protocols or prefix in known.formats):
        return prefix, Path(rest).expanduser()
    return "", Path(text).expanduser()


def _default() -> str:
    """The protocol for sets that belong to none."""
    specs = [spec for spec in catalogue().protocols.values() if not spec.truth]
    if not specs:
        raise UsageError("No installed protocol judges any labelled set; name one with protocol=NAME.")
    return max(specs, key=lambda spec: spec.preference).name


def _labelled(path: Path, format: str, options: dict[str, Any]) -> Truth:
    """A set of any format, read for its annotation alone where its format allows that."""
    dataset = open_dataset(path, format, on_error="skip", **options)
    if "boxes" not in dataset.about.holds:
        raise UsageError(f"{path} ({dataset.format.name}) has no boxes by which detections could be judged.")
    names = [each.name for each in fields(dataset.options)] if dataset.options is not None else []
    alone = dataset
    if "images" in names:
        alone = open_dataset(path, dataset.format.name, on_error="skip", **{**options, "images": NONE})
    skipped: list[Skip] = []

    def labels() -> Iterator[Sample]:
        yield from alone
        skipped[:] = broken(alone)

    return Truth(labels, dataset, skipped)


def broken(dataset: Dataset) -> list[Skip]:
    """What the latest walk of the set left out, and why; what is more than it keeps, without its key."""
    more = dataset.skipped - len(dataset.broken)
    kept = [Skip(each.key, each.why) for each in dataset.broken]
    return kept + [Skip(str(dataset.path), "has more samples that cannot be read")] * more
