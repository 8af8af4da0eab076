"""What a converter of models is asked: one hop from a file in one format to a file in another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from zoo.errors import ModelError
from zoo.plugins import catalogue, resolve
from zoo.specs import ModelCard

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
"""The tensors of a file: their shapes by name."""


def _silent(message: str) -> None:
    """The `note` of who wants none."""


@dataclass(frozen=True)
class Finding:
    """What an edge has measured of its product: `facts` is plain data for the receipt, `told` are lines for people;
    `holds` is false where the product has lost more than its precision may, which ends the conversion unless such is
    accepted."""

    facts: Mapping[str, Any]
    told: tuple[str, ...] = ()
    holds: bool = True


def _unread(finding: Finding) -> None:
    """The `record` of who reads none."""


@dataclass(frozen=True)
class Edge:
    """One hop. The implementation reads `source`, writes `target` and returns the card of what it wrote: `card`, the
    source's, with what has changed (the input's layout, the outputs' names).

    `source` and `target` are a file, or a folder where the format is one. `target` does not exist yet and lies in a
    scratch folder, so that it may be written in place; `work` is an empty folder for anything else. `options` is an
    instance of the edge's options dataclass, None where it has none. `size` is the (width, height) in pixels of the
    input that the model is traced or fixed at; `dynamic` says which of ``batch``, ``height`` and ``width`` are to stay
    open in the target. `note` tells the person something, `record` is given what was measured on the way. The card's
    `precision` is the source's; that of the product is set by who goes the edge.

    Raises `ModelError` for a source that is damaged or cannot be carried over, and writes nothing outside `target` and
    `work`.
    """

    source: Path
    target: Path
    card: ModelCard
    work: Path
    size: tuple[int, int]
    dynamic: frozenset[str] = frozenset()
    options: Any = None
    note: Callable[[str], None] = field(default=_silent)
    record: Callable[[Finding], None] = field(default=_unread)

    def network(self) -> Any:
        """The card's network, without weights. Raises `ModelError` where its method has none."""
        return network(self.card)


def network(card: ModelCard) -> Any:
    """The network that `card` describes, without weights. Raises `ModelError` where its method has none."""
    method = catalogue().methods[card.method]
    if not method.network or not card.architecture:
        raise ModelError(
            f"{card.method} has no network of its own for {card.id}, so its weights cannot be loaded alone."
        )
    return resolve(method.network)(card.architecture, card.network)
