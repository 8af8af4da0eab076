"""Where an output comes from: its receipt told, and those of what it was made from as far as they are at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo import receipts
from zoo.errors import UsageError

DEEPEST = 50
"""Generations that are followed; a chain of receipts that names itself ends here."""


@dataclass(frozen=True)
class Generation:
    """One step back: the receipt's path and document."""

    receipt: Path
    document: Mapping[str, Any]


def lineage(path: Path) -> list[Generation]:
    """The receipt of the output at `path`, then that of its source, and so on, the youngest first.

    Raises `UsageError` when the output has no receipt, `InputError` when one is damaged.
    """
    found: list[Generation] = []
    place: Path | None = path
    while place is not None and len(found) < DEEPEST:
        try:
            receipt = receipts.find(place)
        except UsageError:
            if not found:
                raise
            break
        if any(generation.receipt == receipt for generation in found):
            break
        document = receipts.read(receipt)
        found.append(Generation(receipt, document))
        place = _source(document, receipt.parent)
    return found


def _source(document: Mapping[str, Any], folder: Path) -> Path | None:
    source = document.get("source")
    text = (source.get("path") or source.get("name")) if isinstance(source, dict) else source
    if not isinstance(text, str):
        return None
    return next((place for place in (Path(text), folder / text) if place.exists()), None)
