"""A landmark network ready to use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.errors import ModelError
from zoo.inference.enricher import Enricher, Findings, require_columns
from zoo.inference.loading import LoadRequest
from zoo.specs import ModelCard
from zoo.types import Floats

RANGES = ("signed", "unit", "pixels")
"""How a network says where a point lies: in -1..1 or 0..1 across the crop, or in pixels of it."""


@dataclass(frozen=True)
class ReadPoints:
    """A `zoo.inference.enricher.Read` of a network that gives a row of x, y for each of ``card.landmarks`` points;
    where there are three numbers a point, the third is the logarithm of its variance."""

    card: ModelCard
    range: str

    def __call__(self, outputs: Sequence[Floats], width: int, height: int) -> Findings:
        """See `zoo.inference.enricher.Read`."""
        count = self.card.landmarks
        more = int(self.card.arguments.get("more", 0))
        flat = require_columns(self.card, outputs[0], (2 * count + more, 3 * count))
        values = 3 if flat.shape[1] == 3 * count else 2
        rows = flat[:, : values * count].reshape(len(flat), count, values)
        sides: Floats = np.array([width, height], np.float32)
        points: Floats = rows[..., :2]
        if self.range == "signed":
            points = (points + 1) * (sides * np.float32(0.5))
        elif self.range == "unit":
            points = points * sides
        return Findings(landmarks=points, variances=np.exp(rows[..., 2]) if values == 3 else None)


def load(request: LoadRequest) -> Enricher:
    """The model that `request` describes (options: `zoo.inference.options.FaceOptions`). Raises `ModelError` for files
    that do not fit."""
    said = request.argument("range")
    if said not in RANGES:
        raise ModelError(f"The card {request.card.id} says range {said!r}; there are {', '.join(RANGES)}.")
    return Enricher(request, request.session(), ReadPoints(request.card, said))
