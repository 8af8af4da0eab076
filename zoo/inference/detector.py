"""The detector that all detection methods share: prepare, run, decode, suppress.

What differs from method to method is how a network's outputs are read, and that is a plugin's `Decode`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from zoo import images
from zoo.errors import InputError, ModelError, UsageError, suggestion
from zoo.geometry import nms
from zoo.inference.options import DetectorOptions
from zoo.inference.preprocess import Fitted, Preprocessor, Size, parse_sizes
from zoo.runtimes import Session
from zoo.specs import ModelCard, Thresholds
from zoo.types import Faces, Floats, Image

ImageLike: TypeAlias = "str | os.PathLike[str] | bytes | NDArray[Any]"
"""A path, the bytes of an image file, or an array as `zoo.images.as_image` takes it (channels in BGR order)."""

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


class Detector:
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
        if _fixed_size(session):
            contract = replace(contract, multiple=1)
        self._decode, self._plus_one = decode, plus_one
        self._preprocessor = Preprocessor(contract)
        self._input = session.inputs[0].name
        self.batches = session.inputs[0].shape[0] is None and all(len(info.shape) == 3 for info in session.outputs)

    @overload
    def __call__(self, image: ImageLike, faces: Faces | None = None) -> Faces: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, image: Iterable[ImageLike], faces: Faces | None = None) -> Iterator[Faces]: ...

    def __call__(self, image: Any, faces: Faces | None = None) -> Faces | Iterator[Faces]:
        """The faces of an image, or of each of several, highest score first, in pixels of the image.

        `faces` is accepted because every model takes it; a detector finds faces and does not need any. Raises
        `InputError` for an image that cannot be read.
        """
        if isinstance(image, str | os.PathLike | bytes) or (isinstance(image, np.ndarray) and image.ndim < 4):
            return self.detect([read_image(image)])[0]
        if not isinstance(image, Iterable):
            raise InputError(
                f"A {type(image).__name__} is no image: give a path, bytes, a BGR array, or several of them."
            )
        return self.stream(image)

    def stream(self, sources: Iterable[ImageLike], batch: int = 1) -> Iterator[Faces]:
        """The faces of each of `sources`, in order; `batch` images are in memory at once."""
        several = iter(sources)
        while chunk := list(itertools.islice(several, batch)):
            yield from self.detect([read_image(source) for source in chunk])

    def detect(self, pictures: Sequence[Image]) -> list[Faces]:
        """The faces of each of `pictures` ((H, W, 3) uint8 BGR), run together where the network allows it."""
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
        arrays = self.session.run({self._input: tensors[0] if len(tensors) == 1 else np.concatenate(tensors)})
        if len(tensors) == 1:
            return [[array.reshape(-1, array.shape[-1]) for array in arrays]]
        if any(len(array) != len(tensors) for array in arrays):
            raise ModelError(
                f"The network of {self.card.id} says that it takes batches, but does not answer in batches."
            )
        return [[array[index] for array in arrays] for index in range(len(tensors))]


def read_image(source: ImageLike) -> Image:
    """The pixels, (H, W, 3) uint8 BGR, of a path, of the bytes of a file, or of an array. Raises `InputError`."""
    if isinstance(source, np.ndarray):
        return images.as_image(source)
    if isinstance(source, bytes):
        return images.decode(source)
    if isinstance(source, str | os.PathLike):
        return images.read(Path(source))
    raise InputError(f"A {type(source).__name__} is no image: give a path, bytes or a BGR array.")


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


def _fixed_size(session: Session) -> Size | None:
    """The only input size that the file takes, None where it is open. Raises `ModelError` for another kind of input."""
    shape = session.inputs[0].shape
    if len(session.inputs) != 1 or len(shape) != 4 or shape[1] not in (3, None):
        raise ModelError("The network does not take one tensor of three-channel images: it is no face detector.")
    height, width = shape[2:]
    return Size(width, height) if width and height else None


def _sizes(card: ModelCard, session: Session, options: DetectorOptions) -> tuple[Size, ...]:
    fixed = _fixed_size(session)
    if fixed is None:
        return parse_sizes(options.size or card.preprocess.size)
    if options.size and parse_sizes(options.size) != (fixed,):
        raise UsageError(
            f"The file of {card.id} in use takes {fixed.width}x{fixed.height} images only, not {options.size}:"
            " leave the size out, or use a file with an open size."
        )
    return (fixed,)
