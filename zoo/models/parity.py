"""Whether two models are the same model: measured on raw tensors and on the faces that they find."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ModelError, RuntimeMissingError
from zoo.inference.artifacts import Artifact
from zoo.runtimes import Session, open_session
from zoo.specs import ModelCard
from zoo.types import Floats


@dataclass(frozen=True)
class Probe:
    """What both models are given: `images` (N, 3, H, W) float32 as the network expects them, under a `name`."""

    name: str
    images: Floats


@dataclass(frozen=True)
class Difference:
    """How one output differs on one input: the largest `absolute` difference, the same relative to the largest value
    of the original's output (at least 1), and the `cosine` of the two as vectors; `within` the tolerance or not."""

    output: str
    probe: str
    absolute: float
    relative: float
    cosine: float
    within: bool

    def __str__(self) -> str:
        verdict = "ok" if self.within else "DIFFERS"
        return (
            f"{self.output:<16} {self.probe:<24} {self.absolute:>10.2e} {self.relative:>10.2e} {self.cosine:>11.8f}"
            f"  {verdict}"
        )


HEADER = f"{'output':<16} {'on':<24} {'absolute':>10} {'relative':>10} {'cosine':>11}"
"""The columns of a `Difference` in text."""


@dataclass(frozen=True)
class Parity:
    """What was measured between an original and a product; `reference` says what executed the original, and is empty
    where nothing installed can."""

    reference: str
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """Whether every output is within the tolerance on every input."""
        return all(difference.within for difference in self.differences)

    @property
    def worst(self) -> Difference | None:
        """The first output that differs too much, else the one that differs most."""
        failed = next((one for one in self.differences if not one.within), None)
        return failed or max(self.differences, key=lambda one: one.relative, default=None)

    def table(self) -> str:
        """A line an output and input."""
        return "\n".join([HEADER, *map(str, self.differences)])

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the receipt: the worst figure of each output."""
        worst: dict[str, Difference] = {}
        for one in self.differences:
            if one.output not in worst or (one.within, -one.relative) < (
                worst[one.output].within,
                -worst[one.output].relative,
            ):
                worst[one.output] = one
        return {"reference": self.reference, "holds": self.holds, "outputs": [asdict(one) for one in worst.values()]}


def probes(card: ModelCard, sizes: Iterable[tuple[int, int]], batches: Iterable[int], samples: int) -> Iterator[Probe]:
    """Seeded random images, uniform in 0..255 before the card's arithmetic: `samples` of each (width, height) of
    `sizes`, in each of `batches`, one after the other: many large ones would fill the memory."""
    contract = card.preprocess
    mean, std = (np.array(values, np.float64)[None, :, None, None] for values in (contract.mean, contract.std))
    for (width, height), batch in [(size, batch) for size in sizes for batch in batches]:
        for seed in range(samples):
            pixels = np.random.default_rng(seed).uniform(0, 255, (batch, 3, height, width))
            images = ((pixels - mean) * contract.scale / std).astype(np.float32)
            name = f"noise {seed} {width}x{height}" + (f" x{batch}" if batch > 1 else "")
            yield Probe(name, images)


def open_artifact(artifact: Artifact) -> Session:
    """A session on the processor. Raises `RuntimeMissingError` when nothing installed executes it."""
    return open_session(artifact.path, artifact.format, threads=1, device="cpu", card=artifact.card)


def between(
    original: Session,
    product: Session,
    cards: Sequence[ModelCard],
    size: tuple[int, int],
    samples: int,
    tolerance: float,
) -> Parity:
    """Compare two models on seeded images: of the (width, height) `size`, or the one that either takes, and where both
    leave that open of another size, too; as many at once as both can be given, two as well where the product takes any
    number. Raises as `measure`."""
    fixed = only_size(original, cards[0]) or only_size(product, cards[1])
    step = max(cards[1].preprocess.multiple, 32)
    sizes = [fixed] if fixed else [size, (size[0] + step, size[1] + step)]
    least = math.lcm(*(session.inputs[0].shape[0] or 1 for session in (original, product)))
    batches = (least, 2) if least == 1 and product.inputs[0].shape[0] is None else (least,)
    return measure(original, product, cards, probes(cards[1], sizes, batches, samples), tolerance)


def only_size(session: Session, card: ModelCard) -> tuple[int, int] | None:
    """The (width, height) that a file takes and no other, None for one that leaves a side open."""
    shape = session.inputs[0].shape
    height, width = (shape[1:3] if card.preprocess.layout == "nhwc" else shape[2:]) if len(shape) == 4 else (None, None)
    return (width, height) if width and height else None


def measure(
    original: Session, product: Session, cards: Sequence[ModelCard], given: Iterable[Probe], tolerance: float
) -> Parity:
    """Run both on every probe and compare each output. `cards` are the original's and the product's.

    Raises `ModelError` when the two do not have the same outputs.
    """
    source, target = cards
    found = []
    for probe in given:
        wanted, got = _run(original, source, probe.images), _run(product, target, probe.images)
        if len(wanted) != len(got):
            raise ModelError(f"The original has {len(wanted)} outputs and the converted model {len(got)}.")
        names = target.outputs or source.outputs or tuple(info.name for info in product.outputs)
        for name, one, other in zip(names, wanted, got, strict=True):
            found.append(_difference(name, probe.name, one, other, tolerance))
    return Parity(f"{original.runtime} on {original.device}", tuple(found))


def runnable(artifact: Artifact) -> Session | None:
    """A session of it, or None where nothing installed executes its format."""
    try:
        return open_artifact(artifact)
    except RuntimeMissingError:
        return None


def _run(session: Session, card: ModelCard, images: Floats) -> list[NDArray[Any]]:
    """The outputs for `images` (N, 3, H, W), run one after the other where the file takes fewer at a time."""
    if card.preprocess.layout == "nhwc":
        images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    name, step = session.inputs[0].name, session.inputs[0].shape[0] or len(images)
    if step == len(images):
        return session.run({name: images})
    each = [session.run({name: images[index : index + step]}) for index in range(0, len(images), step)]
    return [np.concatenate(arrays) for arrays in zip(*each, strict=True)]


def _difference(output: str, probe: str, wanted: NDArray[Any], got: NDArray[Any], tolerance: float) -> Difference:
    if wanted.size != got.size:
        shapes = " and ".join("x".join(map(str, array.shape)) for array in (wanted, got))
        raise ModelError(f"The output {output} has the shapes {shapes} in the original and in the converted model.")
    one, other = wanted.astype(np.float64).ravel(), got.astype(np.float64).ravel()
    if not one.size:
        return Difference(output, probe, 0.0, 0.0, 1.0, within=True)
    absolute = float(np.abs(one - other).max())
    relative = absolute / max(1.0, float(np.abs(one).max()))
    norms = float(np.linalg.norm(one) * np.linalg.norm(other))
    cosine = float(one @ other / norms) if norms else float(absolute == 0)
    return Difference(output, probe, absolute, relative, cosine, within=bool(relative <= tolerance))
