"""The 56-pixel landmark network ready to use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.inference.enricher import Enricher, Findings, require_columns
from zoo.inference.loading import LoadRequest
from zoo.specs import ModelCard
from zoo.types import Floats


@dataclass(frozen=True)
class Read:
    """A `zoo.inference.enricher.Read` of one output, (N, 2 K): x0, y0, x1, ... as fractions of the crop's sides."""

    card: ModelCard

    def __call__(self, outputs: Sequence[Floats], width: int, height: int) -> Findings:
        """The landmarks in pixels of crops of `width` x `height`. Raises `ModelError` for another number of them."""
        flat = require_columns(self.card, outputs[0], (2 * self.card.landmarks,))
        return Findings(landmarks=flat.reshape(len(flat), -1, 2) * np.array([width, height], np.float32))


def load(request: LoadRequest) -> Enricher:
    """The landmark model that `request` describes (options: `zoo.inference.options.FaceOptions`). Raises `ModelError`
    for files of another model."""
    return Enricher(request, request.session(), Read(request.card))
