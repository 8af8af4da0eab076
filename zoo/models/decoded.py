"""Whether two models find the same faces in a photograph."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from zoo import alignment
from zoo.errors import WeightsError
from zoo.geometry import iou
from zoo.inference.artifacts import Artifact
from zoo.inference.loading import LoadRequest
from zoo.inference.model import Model
from zoo.models.parity import only_size, open_artifact
from zoo.options import make
from zoo.plugins import catalogue, resolve
from zoo.types import Faces, Floats, Image

SCORE = 1e-3
"""Largest difference of a face's score."""

PIXELS = 0.1
"""Largest difference in pixels of a box's edge or of a point."""

COSINE = 0.9999
"""Smallest cosine of two embeddings of a face."""


@dataclass(frozen=True)
class Decoded:
    """The faces of a photograph by two models: how many each finds, and over the pairs the smallest overlap, the
    largest differences of scores and of coordinates in pixels, and the smallest cosine of embeddings (None where there
    are none)."""

    photo: str
    faces: int
    others: int
    overlap: float = 1.0
    score: float = 0.0
    pixels: float = 0.0
    cosine: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the two find the same."""
        same = self.faces == self.others
        alike = self.cosine is None or self.cosine >= COSINE
        return same and self.score <= SCORE and self.pixels <= PIXELS and alike

    def __str__(self) -> str:
        return f"{self.photo}: {self.said}"

    @property
    def said(self) -> str:
        """How the findings compare, without the photograph's name."""
        if self.faces != self.others:
            return f"{self.faces} faces in the original and {self.others} in the converted model: DIFFERS"
        parts = [f"{self.faces} {'face' if self.faces == 1 else 'faces'}"]
        if self.faces:
            parts += [f"IoU {self.overlap:.5f}", f"scores within {self.score:.1e}"]
            parts.append(f"points within {self.pixels:.1e} px")
        if self.cosine is not None:
            parts.append(f"cosine {self.cosine:.6f}")
        return f"{', '.join(parts)}: {'the same' if self.holds else 'DIFFERS'}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the receipt."""
        return {**asdict(self), "holds": self.holds}


def compare(original: Artifact, product: Artifact, photo: Image, name: str) -> Decoded:
    """Find the faces of `photo` with both, at the one size that either takes where one takes no other. Raises as
    `zoo.load` where one cannot be used."""
    size = _only_size(product) or _only_size(original)
    first, second = _load(original, size), _load(product, size)
    known = _known(first, photo)
    return difference(first(photo, known), second(photo, known), name)


def difference(faces: Faces, others: Faces, photo: str = "") -> Decoded:
    """How the `others` differ from `faces`, each paired with the one that overlaps it most."""
    if not len(faces) or not len(others):
        return Decoded(photo, len(faces), len(others))
    overlaps = iou(faces.boxes, others.boxes)
    partner = overlaps.argmax(axis=1)
    found = others.select(partner)
    points = [name for name in ("boxes", "keypoints", "landmarks") if getattr(faces, name) is not None]
    return Decoded(
        photo,
        len(faces),
        len(others),
        overlap=float(overlaps.max(axis=1).min()),
        score=_largest(faces.scores, found.scores),
        pixels=max(_largest(getattr(faces, name), getattr(found, name)) for name in points),
        cosine=_cosine(faces.embeddings, found.embeddings),
    )


def _load(artifact: Artifact, size: str) -> Model:
    method = catalogue().methods[artifact.card.method]
    sized = {"size": size} if size and not artifact.card.preprocess.crop.kind else {}
    options: Any = make(resolve(method.options), sized)  # type: ignore[arg-type]
    return LoadRequest(artifact.card, artifact.path, artifact.format, threads=1, device="cpu", options=options).load()


def _only_size(artifact: Artifact) -> str:
    """WIDTHxHEIGHT of a file that takes one size of photographs, empty for others."""
    size = only_size(open_artifact(artifact), artifact.card)
    return f"{size[0]}x{size[1]}" if size else ""


def _known(model: Model, photo: Image) -> Faces | None:
    """The faces that both are given, for models that work on known ones: what the detector finds, or where there are no
    weights of one, the middle of the photograph."""
    detector = getattr(model, "find", None)
    if detector is None:
        return None
    try:
        found: Faces = detector(photo)
        return found
    except WeightsError:
        return _middle(photo)


def _middle(photo: Image) -> Faces:
    height, width = photo.shape[:2]
    side = min(height, width) / 2
    corner = np.array([width - side, height - side], np.float32) / 2
    points = (alignment.template() * np.float32(side / alignment.SIZE) + corner).astype(np.float32)
    box = np.concatenate([corner, corner + np.float32(side)])
    return Faces(box[None], np.ones(1, np.float32), points[None])


def _largest(one: Floats, other: Floats | None) -> float:
    return float(np.abs(one - other).max()) if other is not None else float("inf")


def _cosine(one: Floats | None, other: Floats | None) -> float | None:
    if one is None or other is None:
        return None if one is other else 0.0
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(axis=1) / np.maximum(norms, 1e-12)).min())
