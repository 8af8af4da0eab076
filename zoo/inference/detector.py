"""The detector that all detection methods share: prepare, run, decode, suppress.

What differs from method to method is how a network's outputs are read, and that is a plugin's `Decode`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np

from zoo.errors import ModelError, UsageError, suggestion
from zoo.geometry import nms
from zoo.inference.model import Model
from zoo.inference.options import DetectorOptions
from zoo.inference.preprocess import Fitted, Preprocessor, Size, parse_sizes
from zoo.runtimes import Session
from zoo.specs import ModelCard, Thresholds
from zoo.types import Faces, Floats, Image

Outputs: TypeAlias = Sequence[Floats]
"""What a network says of one image: one array (rows, channels) for each of its outputs, in their order."""


class Decode(Protocol):
    """How a method reads its network's outputs."""

    def __call__(self, outputs: Outputs, width: int, height: int, threshold: float) -> Faces:
        """The candidates with a score of at least `threshold`, overlapping ones included, in pixels of the network's
        `width` x `height` input. Raises `ModelError` when the outputs do not have the shapes that the method gives."""


@dataclass(frozen=True)
class Prepared:
    """An image made ready for the network, once for each size."""

    inputs: tuple[Fitted, ...]


class Detector(Model):
    """A loaded face detector: ``detector(image)`` gives the `Faces` of one image, ``detector(images)`` an iterator.

    `prepare`, `run` and `finish` are the stages of that, for who wants to time or to arrange them. One detector may be
    used by several threads at once.
    """

    def __init__(
        self,
        card: ModelCard,
        session: Session,
        decode: Decode,
        options: DetectorOptions | None = None,
        *,
        plus_one: bool = False,
    ) -> None:
        """`plus_one` is the convention of IoU that the method was tuned with (see `zoo.geometry`).

        Raises `UsageError` for a size or a set of thresholds that the model does not have, `ModelError` when the
        network does not take one three-channel image tensor.
        """
        self.card, self.session, self.options = card, session, options or DetectorOptions()
        self.thresholds = _thresholds(card, self.options)
        self.sizes, contract = _sizes(card, session, self.options), card.preprocess
        if _fixed_size(session, contract.layout):
            contract = replace(contract, multiple=1)
        self._decode, self._plus_one = decode, plus_one
        self._preprocessor = Preprocessor(contract)
        self._input = session.inputs[0].name
        self.batches = session.inputs[0].shape[0] is None and all(len(info.shape) == 3 for info in session.outputs)

    def detect(self, pictures: Sequence[Image], known: Sequence[Faces] | None = None) -> list[Faces]:
        """The faces of each of `pictures` ((H, W, 3) uint8 BGR), run together where the network allows it. What is
        `known` makes no difference to a detector."""
        prepared = [self.prepare(picture) for picture in pictures]
        return [self.finish(one, outputs) for one, outputs in zip(prepared, self.run(prepared), strict=True)]

    def prepare(self, picture: Image) -> Prepared:
        """`picture` ((H, W, 3) uint8 BGR) at each size of this detector."""
        return Prepared(tuple(self._preprocessor.fit(picture, size) for size in self.sizes))

    def run(self, prepared: Sequence[Prepared]) -> list[list[Outputs]]:
        """The network's outputs for each prepared image, for each size.

        Tensors of the same shape are run as one batch where the network's batch size is open.
        """
        inputs = [fitted.tensor for one in prepared for fitted in one.inputs]
        results: list[Outputs] = [()] * len(inputs)
        for group in self._groups(inputs):
            for index, outputs in zip(group, self._run_batch([inputs[index] for index in group]), strict=True):
                results[index] = outputs
        per_image = len(self.sizes)
        return [results[start : start + per_image] for start in range(0, len(results), per_image)]

    def finish(self, prepared: Prepared, outputs: Sequence[Outputs]) -> Faces:
        """Decode what `run` gave for an image, merge its sizes, and keep the best of overlapping boxes."""
        parts = []
        for fitted, arrays in zip(prepared.inputs, outputs, strict=True):
            found = self._decode(arrays, fitted.width, fitted.height, self.thresholds.score)
            parts.append(fitted.to_image(found))
        faces = Faces.concatenate(parts)
        kept = nms(faces.boxes, faces.scores, self.thresholds.nms, self._plus_one, keep=self.options.max_faces)
        return faces.select(kept)

    def _groups(self, inputs: Sequence[Floats]) -> Iterable[list[int]]:
        if not self.batches:
            return [[index] for index in range(len(inputs))]
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, tensor in enumerate(inputs):
            groups.setdefault(tensor.shape, []).append(index)
        return groups.values()

    def _run_batch(self, tensors: Sequence[Floats]) -> list[Outputs]:
        tensor = tensors[0] if len(tensors) == 1 else np.concatenate(tensors)
        arrays = self.session.run({self._input: self._preprocessor.laid_out(tensor)})
        if len(tensors) == 1:
            return [[array.reshape(-1, array.shape[-1]) for array in arrays]]
        if any(len(array) != len(tensors) for array in arrays):
            raise ModelError(
                f"The network of {self.card.id} says that it takes batches, but does not answer in batches."
            )
        return [[array[index] for array in arrays] for index in range(len(tensors))]


def require_outputs(
    card: ModelCard, session: Session, channels: Sequence[int], where: str, ordered: bool = True
) -> None:
    """Raise `ModelError` unless the network has one output of each of `channels` (the last dimension; a size that the
    file leaves open fits anything), in this order or, with `ordered` false, in any. `where` names the file."""
    found = [info.shape[-1] if info.shape else 0 for info in session.outputs]
    wanted = list(channels) if ordered else sorted(channels)
    if not ordered and None not in found:
        found.sort(key=lambda size: size or 0)
    fits = len(found) == len(wanted) and all(size in (None, want) for size, want in zip(found, wanted, strict=True))
    if not fits or any(len(info.shape) not in (2, 3) for info in session.outputs):
        shapes = ", ".join(
            "x".join("?" if size is None else str(size) for size in info.shape) for info in session.outputs
        )
        raise ModelError(
            f"{where} does not fit the card {card.id}, whose networks have {len(wanted)} outputs of"
            f" {', '.join(map(str, channels))} channels; this one has {len(found)}: {shapes}."
        )


def require_rows(array: Floats, rows: int, channels: int) -> Floats:
    """`array` itself when its shape is (`rows`, `channels`), else `ModelError`."""
    if array.shape != (rows, channels):
        raise ModelError(
            f"The network answers with {'x'.join(map(str, array.shape))} values where the card expects"
            f" {rows}x{channels}: these are weights of another model."
        )
    return array


def _thresholds(card: ModelCard, options: DetectorOptions) -> Thresholds:
    chosen = card.thresholds.get(options.thresholds)
    if chosen is None:
        known = ", ".join(card.thresholds)
        raise UsageError(
            f"{card.id} has no thresholds {options.thresholds!r}.{suggestion(options.thresholds, card.thresholds)}"
            f" It has: {known}."
        )
    score = chosen.score if options.score_threshold is None else options.score_threshold
    overlap = chosen.nms if options.nms_threshold is None else options.nms_threshold
    return Thresholds(score, overlap)


def _fixed_size(session: Session, layout: str) -> Size | None:
    """The only input size that the file takes, None where it is open. Raises `ModelError` for another kind of input."""
    shape = session.inputs[0].shape
    if layout == "nhwc" and len(shape) == 4:
        shape = (shape[0], shape[3], *shape[1:3])
    if len(session.inputs) != 1 or len(shape) != 4 or shape[1] not in (3, None):
        raise ModelError("The network does not take one tensor of three-channel images: it is no face detector.")
    height, width = shape[2:]
    return Size(width, height) if width and height else None


def _sizes(card: ModelCard, session: Session, options: DetectorOptions) -> tuple[Size, ...]:
    fixed = _fixed_size(session, card.preprocess.layout)
    if fixed is None:
        return parse_sizes(options.size or card.preprocess.size)
    if options.size and parse_sizes(options.size) != (fixed,):
        raise UsageError(
            f"The file of {card.id} in use takes {fixed.width}x{fixed.height} images only, not {options.size}:"
            " leave the size out, or use a file with an open size."
        )
    return (fixed,)
