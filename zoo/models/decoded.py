"""Whether two models find the same faces in a photograph."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo import alignment
from zoo.errors import WeightsError
from zoo.geometry import iou
from zoo.inference.artifacts import Artifact
from zoo.inference.loading import LoadRequest
from zoo.inference.model import Model
from zoo.models.limits import LIMITS, Limits
from zoo.models.parity import only_size, open_artifact
from zoo.options import make
from zoo.plugins import catalogue, resolve
from zoo.types import Faces, Floats, Image

SAME_FACE = 0.5
"""Least overlap (intersection over union) of the boxes of one face by two models."""


@dataclass(frozen=True)
class Decoded:
    """The faces of a photograph by two models: how many each finds, how many of the first are `missing` by the second
    and how many it finds in `excess`; over the pairs the smallest overlap, the largest differences of scores and of
    coordinates in pixels, on average over the faces the largest as a `fraction` of the face's size (the square root of
    its box's area), and the smallest cosine of embeddings (None where there are none). `holds` says whether that is
    within the limits of the precision."""

    photo: str
    faces: int
    others: int
    missing: int = 0
    excess: int = 0
    overlap: float = 1.0
    score: float = 0.0
    pixels: float = 0.0
    fraction: float = 0.0
    cosine: float | None = None
    holds: bool = True

    def __str__(self) -> str:
        return f"{self.photo}: {self.said}"

    @property
    def said(self) -> str:
        """How the findings compare, without the photograph's name."""
        if self.missing + self.excess and not self.holds:
            return f"{self._counted}: DIFFERS"
        parts = [self._counted]
        if self.faces:
            parts += [f"IoU {self.overlap:.5f}", f"scores within {self.score:.1e}"]
            parts.append(f"points within {self.pixels:.1e} px")
        if self.cosine is not None:
            parts.append(f"cosine {self.cosine:.6f}")
        same = "the same" if _within(self, LIMITS["float32"]) else "within the limits"
        return f"{', '.join(parts)}: {same if self.holds else 'DIFFERS'}"

    @property
    def _counted(self) -> str:
        if not self.missing + self.excess:
            return f"{self.faces} {'face' if self.faces == 1 else 'faces'}"
        odd = f" ({self.missing} missing, {self.excess} too many)" if self.missing and self.excess else ""
        return f"{self.faces} faces in the original and {self.others} in the converted model{odd}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the receipt."""
        return asdict(self)


def compare(original: Artifact, product: Artifact, photo: Image, name: str, limits: Limits | None = None) -> Decoded:
    """Find the faces of `photo` with both, at the one size that either takes where one takes no other. Without `limits`
    those of the product's precision are asked. Raises as `zoo.load` where one cannot be used."""
    size = _only_size(product) or _only_size(original)
    first, second = _load(original, size), _load(product, size)
    known = _known(first, photo)
    limits = limits or LIMITS[product.card.precision]
    return difference(first(photo, known), second(photo, known), name, limits)


def difference(faces: Faces, others: Faces, photo: str = "", limits: Limits = LIMITS["float32"]) -> Decoded:
    """How the `others` differ from `faces`, each paired with the one that overlaps it most."""
    rows, partners = pairs(faces, others)
    missing, excess = len(faces) - len(rows), len(others) - len(rows)
    found = Decoded(photo, len(faces), len(others), missing, excess)
    if len(rows):
        found = _measured(found, faces.select(rows), others.select(partners))
    return replace(found, holds=_within(found, limits))


def pairs(faces: Faces, others: Faces) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of `faces` that have a partner among `others`, and those partners' rows: what overlaps most first, none
    twice, and none of boxes that are hardly of one face."""
    overlaps = iou(faces.boxes, others.boxes)
    order = np.argsort(-overlaps, axis=None, kind="stable")
    found: dict[int, int] = {}
    taken: set[int] = set()
    for row, partner in np.stack(np.unravel_index(order, overlaps.shape), axis=1).tolist():
        if overlaps[row, partner] < SAME_FACE:
            break
        if row not in found and partner not in taken:
            found[row] = partner
            taken.add(partner)
    rows = sorted(found)
    return np.array(rows, np.int64), np.array([found[row] for row in rows], np.int64)


def _measured(found: Decoded, faces: Faces, others: Faces) -> Decoded:
    """The differences over pairs, of which there are some."""
    points = [name for name in ("boxes", "keypoints", "landmarks") if getattr(faces, name) is not None]
    each = np.max([_farthest(getattr(faces, name), getattr(others, name)) for name in points], axis=0)
    sides = np.maximum(faces.boxes[:, 2:] - faces.boxes[:, :2], 1)
    return replace(
        found,
        overlap=float(np.diag(iou(faces.boxes, others.boxes)).min()),
        score=float(np.abs(faces.scores - others.scores).max()),
        pixels=float(each.max()),
        fraction=float((each / np.sqrt(sides.prod(axis=1))).mean()),
        cosine=_cosine(faces.embeddings, others.embeddings),
    )


def _within(found: Decoded, limits: Limits) -> bool:
    near = found.pixels <= limits.pixels or found.fraction <= limits.fraction
    alike = found.cosine is None or found.cosine >= limits.cosine
    counted = found.missing + found.excess <= limits.faces * found.faces
    return counted and found.score <= limits.score and near and alike


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


def _farthest(one: Floats, other: Floats | None) -> Floats:
    """The largest difference of a coordinate, for each face."""
    count = len(one)
    return np.abs(one - other).reshape(count, -1).max(axis=1) if other is not None else np.full(count, np.inf)


def _cosine(one: Floats | None, other: Floats | None) -> float | None:
    if one is None or other is None:
        return None if one is other else 0.0
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(axis=1) / np.maximum(norms, 1e-12)).min())
