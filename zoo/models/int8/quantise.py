"""The whole of making a network int8, as the edges of the formats ask for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from zoo.inference.artifacts import Artifact
from zoo.models.edges import Edge, Finding
from zoo.models.int8.choosing import Choice, Chosen, Quantiser, choose
from zoo.models.int8.judging import Judge
from zoo.models.int8.options import Int8Options
from zoo.models.int8.pictures import Pictures, collect
from zoo.models.limits import LIMITS
from zoo.specs import ModelCard
from zoo.types import Floats

INT8 = "int8"


def quantise(edge: Edge, format: str, make: Callable[[Iterable[Floats]], Quantiser]) -> ModelCard:
    """Write `edge.target` in int8 and give its card, with the threshold that was fitted to it.

    `make` is called with what the network is given for the calibration photographs, arrays of one image each in the
    file's layout, and returns the format's calibrated `Quantiser`. What was measured is recorded.

    Raises `InputError` and `UsageError` for photographs that cannot be calibrated with.
    """
    options: Int8Options = edge.options or Int8Options()
    pictures = collect(options.calibrate, options.calibration_images)
    _tell(edge, pictures)
    judge = Judge(Artifact(edge.source, format, edge.card), pictures, LIMITS[INT8])
    given = _Counted(judge.inputs())
    quantiser = make(given)
    card = replace(edge.card, precision=INT8)
    chosen = choose(quantiser, judge, edge.work, lambda path: Artifact(path, format, card), options.aim)
    chosen.best.path.replace(edge.target)
    edge.record(_finding(quantiser, pictures, given.count, chosen))
    return _card(card, chosen.best)


class _Counted:
    """Passes arrays on, and knows how many there were."""

    def __init__(self, arrays: Iterator[Floats]) -> None:
        self._arrays, self.count = arrays, 0

    def __iter__(self) -> Iterator[Floats]:
        for array in self._arrays:
            self.count += 1
            yield array


def _tell(edge: Edge, pictures: Pictures) -> None:
    if pictures.skipped:
        edge.note(f"{pictures.skipped} photographs could not be read and were left out")
    if pictures.few:
        edge.note(
            f"calibrated with {len(pictures.pictures)} of {pictures.where}: some 64 photographs like those to come,"
            " said with calibrate=PATH, give better ranges and a loss that can be relied on"
        )


def _card(card: ModelCard, choice: Choice) -> ModelCard:
    """The card with the fitted threshold in place of the original's."""
    if choice.fitted is None:
        return card
    photo = replace(card.thresholds["photo"], score=choice.fitted.after)
    return replace(card, thresholds={**card.thresholds, "photo": photo})


def _finding(quantiser: Quantiser, pictures: Pictures, inputs: int, chosen: Chosen) -> Finding:
    """What goes into the receipt, and what is printed."""
    best, layers = chosen.best, len(quantiser.layers)
    facts: dict[str, Any] = {
        "calibration": {
            "photographs": pictures.where,
            "used": len(pictures.pictures),
            "skipped": pictures.skipped,
            "inputs": inputs,
        },
        "layers": layers,
        "kept in float": list(best.kept),
        "choices": [choice.to_dict() for choice in chosen.tried],
        "errors": {layer: round(value, 6) for layer, value in chosen.errors.items()},
        "loss": best.loss.to_dict(),
    }
    told = [f"int8, {len(choice.kept)} of {layers} layers in float: {choice.loss.told}" for choice in chosen.tried]
    told.append(f"kept in float: {', '.join(best.kept) or 'no layer'}")
    if best.fitted:
        facts["threshold"] = best.fitted.to_dict()
        told.append(f"score threshold {best.fitted}")
    return Finding(facts, tuple(told), holds=best.loss.share <= 1)
