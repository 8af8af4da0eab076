"""The original's 56-pixel networks, and how tests carry one over an edge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from zoo_tensorflow import checkpoint

from zoo.inference.artifacts import identify
from zoo.models.edges import Edge
from zoo.plugins import catalogue, resolve
from zoo.runtimes import Session
from zoo.specs import ModelCard
from zoo.types import Floats

FOLDERS = ("slim_ckpt_bn_dm05", "slim_ckpt_nobn_dm05")
BATCH = frozenset({"batch"})


def card_of(folder: Path) -> ModelCard:
    """The card of a checkpoint, recognised by its tensors."""
    found = identify(folder)
    assert (found.format, found.card.id) == ("tf-checkpoint", "slim56")
    return found.card


def plain_card() -> ModelCard:
    """The registry's card, for files that hold their network."""
    return replace(catalogue().cards["slim56"], weights=())


def recorded(folder: Path) -> tuple[Floats, Floats]:
    """What the original was given and answered: (1, 56, 56, 3) and (1, 136)."""
    arrays = np.load(folder / "io.npz")
    return arrays["x"], arrays["y"]


def carry(
    source: Path, target: Path, card: ModelCard, dynamic: frozenset[str] = BATCH, options: object = None
) -> ModelCard:
    """Take the edge between the formats that the two paths' suffixes mean; a SavedModel is called ``.saved``."""
    ends = f"{_format(source)}->{_format(target)}"
    spec = next(edge for edge in catalogue().converters.values() if f"{edge.src}->{edge.dst}" == ends)
    work = target.parent / f"{target.name}.work"
    work.mkdir()
    made: ModelCard = resolve(spec.run)(Edge(source, target, card, work, (56, 56), dynamic, options))
    return made


def answer(session: Session, images: Floats) -> Floats:
    """The one output of a session for images (N, 56, 56, 3)."""
    (output,) = session.run({session.inputs[0].name: images})
    return np.asarray(output, np.float32)


def _format(path: Path) -> str:
    kinds = {".pb": "tf-graph", ".onnx": "onnx", ".tflite": "tflite", ".saved": "saved-model"}
    if path.suffix in kinds:
        return kinds[path.suffix]
    checkpoint.locate(path)
    return "tf-checkpoint"
