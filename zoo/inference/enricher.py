"""The model that all landmark networks and encoders share: find the faces, cut each out, run, decode, carry back.

What differs from method to method is how a network's outputs are read, and that is a plugin's `Read`.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ModelError, UsageError
from zoo.inference import loading
from zoo.inference.crops import Cut, cut
from zoo.inference.model import Model
from zoo.inference.options import FaceOptions
from zoo.inference.preprocess import Preprocessor, parse_sizes
from zoo.runtimes import Session
from zoo.specs import ModelCard
from zoo.types import Faces, Floats, Image
from zoo.weights import Settings, WeightStore

BATCH = 32
"""Faces that are given to a network at once, where it allows that: memory stays bounded in a crowd."""


@dataclass(frozen=True)
class Findings:
    """What a network says of N crops: `landmarks` (N, K, 2) and `variances` (N, K) in pixels and square pixels of the
    crop, `embeddings` (N, D). What it does not give is None."""

    landmarks: Floats | None = None
    variances: Floats | None = None
    embeddings: Floats | None = None


class Read(Protocol):
    """How a method reads its network's outputs."""

    def __call__(self, outputs: Sequence[Floats], width: int, height: int) -> Findings:
        """What the `outputs` for N crops of `width` x `height` pixels say. Raises `ModelError` when they do not have
        the shapes that the method gives."""


class Enricher(Model):
    """A loaded landmark model or encoder: ``model(image)`` finds the faces with its detector and adds what its network
    says of each; ``model(image, faces)`` adds it to `faces` that are known.

    One may be used by several threads at once. The detector is loaded when it is first needed.
    """

    def __init__(self, request: loading.LoadRequest, session: Session, read: Read) -> None:
        """Raises `ModelError` when the network does not take one three-channel image."""
        self.card: ModelCard = request.card
        self.session, self.request, self._read = session, request, read
        self.options: FaceOptions = request.options
        contract = request.card.preprocess
        shape = session.inputs[0].shape
        if len(session.inputs) != 1 or len(shape) != 4:
            raise ModelError(f"{request.where} does not take one tensor of images: it is no model of single faces.")
        size = parse_sizes(contract.size)[0]
        self.width, self.height = size.width, size.height
        self._preprocessor = Preprocessor(replace(contract, multiple=1))
        self.batches = shape[0] is None
        self._lock = threading.Lock()

    def detect(self, pictures: Sequence[Image], known: Sequence[Faces] | None = None) -> list[Faces]:
        """The faces of each of `pictures` ((H, W, 3) uint8 BGR) with what the network adds; the `known` ones, else
        those that the detector finds."""
        if known is None:
            known = self.detector.detect(pictures)
        return [self.enrich(picture, faces) for picture, faces in zip(pictures, known, strict=True)]

    def ready(self) -> None:
        """Load the detector, if need be fetch it. Raises as `zoo.load`."""
        _ = self.detector

    @property
    def detector(self) -> Model:
        """The model that finds the faces. Raises as `zoo.load`."""
        with self._lock:
            return self._detector

    @functools.cached_property
    def detector_request(self) -> loading.LoadRequest:
        """What is loaded to find the faces: its weights are found or fetched here. Raises as `zoo.load`, and
        `UsageError` for a detector without the five keypoints where the network's crops are aligned by them."""
        store = self.request.store or WeightStore(Settings.from_environment())
        name, options = self.options.detector or self.card.detector, self.options.of_detector()
        found = loading.request(name, store, threads=self.request.threads, device=self.request.device, options=options)
        finds_points = found.card.keypoints == 5 or found.card.detector  # one that works on faces keeps what they have
        if self.card.preprocess.crop.kind == "aligned" and not finds_points:
            raise UsageError(
                f"{found.card.id} does not give the five keypoints by which {self.card.id} turns faces upright: choose"
                " another detector."
            )
        return found

    @functools.cached_property
    def _detector(self) -> Model:
        return self.detector_request.load()

    def enrich(self, picture: Image, faces: Faces) -> Faces:
        """`faces` of `picture` with landmarks or embeddings. Raises `InputError` for a face that cannot be cut out."""
        if not len(faces):
            return replace(faces, **self._nothing())
        crop = self.card.preprocess.crop
        cuts = [cut(picture, face, crop, self.width, self.height) for face in faces]
        return replace(faces, **self._carried_back(self.run(cuts), cuts))

    def run(self, cuts: Sequence[Cut]) -> Findings:
        """What the network says of crops, in pixels of each."""
        step = BATCH if self.batches else 1
        parts = [self._run(cuts[start : start + step]) for start in range(0, len(cuts), step)]
        joined = {
            name: None if getattr(parts[0], name) is None else np.concatenate([getattr(part, name) for part in parts])
            for name in ("landmarks", "variances", "embeddings")
        }
        return Findings(**joined)

    def _run(self, cuts: Sequence[Cut]) -> Findings:
        tensor = np.concatenate([self._preprocessor.tensor(one.pixels) for one in cuts])
        arrays = self.session.run({self.session.inputs[0].name: self._preprocessor.laid_out(tensor)})
        if any(array.shape[:1] != (len(cuts),) for array in arrays):
            raise ModelError(f"The network of {self.card.id} does not answer for each face: these are other weights.")
        return self._read([np.asarray(array, np.float32) for array in arrays], self.width, self.height)

    def _nothing(self) -> dict[str, Any]:
        """The arrays for no faces."""
        sizes = {"landmarks": (0, self.card.landmarks, 2), "embeddings": (0, self.card.embedding)}
        return {name: np.zeros(size, np.float32) for name, size in sizes.items() if size[1]}

    @staticmethod
    def _carried_back(found: Findings, cuts: Sequence[Cut]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if found.landmarks is not None:
            fields["landmarks"] = np.stack([one.to_image(p) for one, p in zip(cuts, found.landmarks, strict=True)])
        if found.variances is not None:
            fields["variances"] = np.stack([one.area_to_image(v) for one, v in zip(cuts, found.variances, strict=True)])
        if found.embeddings is not None:
            fields["embeddings"] = found.embeddings
        return fields


def require_columns(card: ModelCard, array: NDArray[Any], columns: Sequence[int]) -> Floats:
    """`array` (N, ...) flattened to (N, C) when C is one of `columns`, else `ModelError`."""
    flat = array.reshape(len(array), -1)
    if flat.shape[1] not in columns:
        wanted = " or ".join(map(str, columns))
        raise ModelError(
            f"The network answers with {flat.shape[1]} numbers a face where the card {card.id} expects {wanted}: these"
            " are weights of another model."
        )
    return np.asarray(flat, np.float32)
