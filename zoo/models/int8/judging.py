"""What a quantised network loses on the task: the faces, points and embeddings that it finds against the original's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo import alignment
from zoo.errors import InputError
from zoo.inference.artifacts import Artifact
from zoo.inference.enricher import Enricher
from zoo.inference.loading import LoadRequest
from zoo.inference.model import Model
from zoo.inference.options import DetectorOptions
from zoo.models import decoded
from zoo.models.int8.pictures import Picture, Pictures
from zoo.models.int8.threshold import FLOOR, Refit, refit
from zoo.models.limits import Limits
from zoo.models.parity import only_size, open_artifact
from zoo.options import make
from zoo.plugins import catalogue, resolve
from zoo.runtimes import Session
from zoo.specs import ModelCard
from zoo.types import Faces, Floats

SCALES = "160,320,640,1280"
"""Longest sides in pixels at which a detector of any size is calibrated as well as at its own: a face of any
size is then seen by each of its levels, which photographs of one size would leave without ranges."""


@dataclass(frozen=True)
class Loss:
    """What is lost on all photographs: of how many `faces` how many are `missing` and in `excess`, over the others the
    average difference of points as a `fraction` of the face's size, and the average `cosine` of embeddings (None where
    there are none). `share` is the largest of these as a part of what the limits allow: above 1 they are exceeded."""

    faces: int
    missing: int
    excess: int
    fraction: float
    cosine: float | None
    share: float

    @property
    def told(self) -> str:
        """The loss in words."""
        parts = [f"{self.faces} faces, {self.missing} missing, {self.excess} too many"]
        parts.append(f"points {100 * self.fraction:.2f} % of the face's size")
        if self.cosine is not None:
            parts.append(f"cosine {self.cosine:.4f}")
        return f"{', '.join(parts)}: {100 * self.share:.0f} % of what may be lost"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the receipt."""
        return asdict(self)


class Judge:
    """Compares quantised models with the float `original` on `pictures`; what the original finds in them is found once.

    Raises `InputError` where no face is found in them.
    """

    def __init__(self, original: Artifact, pictures: Pictures, limits: Limits) -> None:
        self.original, self.limits = original, limits
        self.pictures = pictures.pictures
        self.size = only_size(open_artifact(original), original.card)
        model = self._load(original, None)
        self.known = [_known(model, picture) for picture in self.pictures]
        self.wanted = [model(one.image, faces) for one, faces in zip(self.pictures, self.known, strict=True)]
        if not any(len(self._sure(faces)) for faces in self.wanted):
            raise InputError(
                f"No face is found in {pictures.where}, so what {original.card.id} loses cannot be measured: calibrate"
                " with photographs of faces, as large in them as they will be."
            )

    def inputs(self) -> Iterator[Floats]:
        """What the original's network is given for the pictures, arrays of one image each in the file's own layout:
        what a quantised network is calibrated with, prepared by the card's own contract. They are made one picture
        after the other: together, in all sizes, they can take gigabytes."""
        fed: list[Floats] = []
        models = [self._load(self.original, fed)]
        if self.size is None and not self.original.card.preprocess.crop.kind:
            models.append(self._load(self.original, fed, SCALES))
        for picture, faces in zip(self.pictures, self.known, strict=True):
            for model in models:
                model(picture.image, faces)
            yield from fed
            fed.clear()

    def judge(self, product: Artifact) -> tuple[Loss, Refit | None]:
        """The loss of a quantised model, at the threshold that is fitted to it where it is a detector."""
        found, card = self._found(product), self.original.card
        if "photo" not in card.thresholds or card.preprocess.crop.kind:
            return self._loss(found), None
        fitted = refit(self.wanted, found, self.pictures, card.thresholds["photo"].score)
        return self._loss([_at_least(faces, fitted.after) for faces in found]), fitted

    def loss(self, product: Artifact) -> Loss:
        """The loss of a quantised model at the threshold that its own card says."""
        found, card = self._found(product), product.card
        if "photo" not in card.thresholds or card.preprocess.crop.kind:
            return self._loss(found)
        return self._loss([_at_least(faces, card.thresholds["photo"].score) for faces in found])

    def _found(self, product: Artifact) -> list[Faces]:
        model = self._load(product, None)
        return [model(one.image, faces) for one, faces in zip(self.pictures, self.known, strict=True)]

    def error(self, product: Artifact, count: int) -> float:
        """What a quantised model adds to what is found in at most `count` of the pictures: the average difference of
        points as a fraction of the face's size, that of scores, and of the cosine of embeddings from 1."""
        model = self._load(product, None)
        step = max(1, len(self.pictures) // count)
        errors, faces = 0.0, 0
        for index in range(0, len(self.pictures), step):
            wanted = self._sure(self.wanted[index])
            found = model(self.pictures[index].image, self.known[index])
            rows, partners = decoded.pairs(wanted, found)
            one = decoded.difference(wanted.select(rows), found.select(partners))
            scores = np.abs(wanted.scores[rows] - found.scores[partners]).sum()
            errors += len(rows) * (one.fraction + 1 - (1 if one.cosine is None else one.cosine)) + float(scores)
            errors += len(wanted) - len(rows)
            faces += len(wanted)
        return errors / max(1, faces)

    def _sure(self, faces: Faces) -> Faces:
        """Those of the original's faces that reach its threshold."""
        card = self.original.card
        if "photo" not in card.thresholds or card.preprocess.crop.kind:
            return faces
        return _at_least(faces, card.thresholds["photo"].score)

    def _loss(self, found: Sequence[Faces]) -> Loss:
        wanted = [self._sure(faces) for faces in self.wanted]
        each = [decoded.difference(one, other) for one, other in zip(wanted, found, strict=True)]
        counts = np.array([[one.faces, one.missing, one.excess] for one in each]).sum(axis=0)
        faces, missing, excess = (int(count) for count in counts)
        pairs = np.array([one.faces - one.missing for one in each])
        fraction = float(pairs @ [one.fraction for one in each] / max(1, pairs.sum()))
        cosines = [(one.cosine, count) for one, count in zip(each, pairs, strict=True) if one.cosine is not None]
        cosine = sum(value * count for value, count in cosines) / sum(n for _, n in cosines) if cosines else None
        limits = self.limits
        shares = [(missing + excess) / max(1, faces) / limits.faces, fraction / limits.fraction]
        if cosine is not None:
            shares.append((1 - cosine) / (1 - limits.cosine))
        return Loss(faces, missing, excess, fraction, cosine, float(max(shares)))

    def _load(self, artifact: Artifact, fed: list[Floats] | None, size: str = "") -> Model:
        """The model, its network's inputs put into `fed` where that is given; a detector looks for faces down to
        `FLOOR` of its threshold, at `size`, or the one that the original's file takes where it takes no other."""
        card, options = artifact.card, dict[str, Any]()
        cls: Any = resolve(catalogue().methods[card.method].options)
        if not card.preprocess.crop.kind and issubclass(cls, DetectorOptions):
            if "photo" in card.thresholds:
                options["score_threshold"] = card.thresholds["photo"].score * FLOOR
            if chosen := size or ("x".join(map(str, self.size)) if self.size else ""):
                options["size"] = chosen
        request = _Listened(card, artifact.path, artifact.format, options=make(cls, options), device="cpu", fed=fed)
        return request.load()


@dataclass(frozen=True)
class _Listened(LoadRequest):
    """Loads a model and writes down what its network is given."""

    fed: list[Floats] | None = None

    def session(self) -> Session:
        session = super().session()
        return session if self.fed is None else _Listening(session, self.fed)


class _Listening:
    """A session that keeps what it is given, one image an array."""

    def __init__(self, session: Session, fed: list[Floats]) -> None:
        self.inputs, self.outputs = session.inputs, session.outputs
        self.runtime, self.device = session.runtime, session.device
        self._session, self._fed = session, fed

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        (images,) = feeds.values()
        self._fed.extend(np.array(image[None], np.float32) for image in images)
        return self._session.run(feeds)


def _at_least(faces: Faces, score: float) -> Faces:
    return faces.select(faces.scores >= score)


def _known(model: Model, picture: Picture) -> Faces | None:
    """The faces that a network is given which works on faces: those that its detector finds, or the whole of a picture
    that has the size of the aligned crops which it takes. None for a detector."""
    if not isinstance(model, Enricher):
        return None
    crop: ModelCard = model.card
    if crop.preprocess.crop.kind == "aligned" and picture.image.shape[:2] == (model.height, model.width):
        points = alignment.template() * np.float32(model.width / alignment.SIZE)
        box = np.array([[0, 0, model.width, model.height]], np.float32)
        return Faces(box, np.ones(1, np.float32), points[None].astype(np.float32))
    found = model.detector(picture.image)
    return replace(found, landmarks=None, embeddings=None)
