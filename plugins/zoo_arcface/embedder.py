"""What all recognition networks have in common."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn


class Embedder(nn.Module):
    """A network from faces to embeddings.

    With `normalise` it takes pixels 0..255 and does (v - 127.5) / 128 itself, as the MXNet networks' graphs do;
    without, it takes what the card's preprocessing gives.
    """

    def __init__(self, normalise: bool = False) -> None:
        super().__init__()
        self.normalise = normalise

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """Normalised `images` (N, 3, H, W) float32 to embeddings (N, D) float32, not of unit length."""

    def raw(self, images: Tensor) -> Tensor:
        """`images` (N, 3, H, W) float32 to embeddings (N, D) float32, which is what training needs."""
        return self.embed((images - 127.5) * 0.0078125 if self.normalise else images)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """The one output, ``embedding``, of `images`: see `raw`."""
        return (self.raw(images),)
