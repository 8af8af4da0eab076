"""A recognition network ready to use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zoo.errors import ModelError
from zoo.inference.enricher import Enricher, Findings, require_columns
from zoo.inference.loading import LoadRequest
from zoo.specs import ModelCard
from zoo.types import Floats


@dataclass(frozen=True)
class Read:
    """A `zoo.inference.enricher.Read`: the network's one output is the embedding, which is left at its own length."""

    card: ModelCard

    def __call__(self, outputs: Sequence[Floats], width: int, height: int) -> Findings:
        """See `zoo.inference.enricher.Read`."""
        if len(outputs) != 1:
            raise ModelError(f"A recognition network has one output, and this file of {self.card.id} {len(outputs)}.")
        return Findings(embeddings=require_columns(self.card, outputs[0], [self.card.embedding]))


def load(request: LoadRequest) -> Enricher:
    """The encoder that `request` describes (options: `FaceOptions`). Raises `ModelError` for files that are none."""
    return Enricher(request, request.session(), Read(request.card))
