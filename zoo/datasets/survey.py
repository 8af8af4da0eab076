"""What is in a data set: counts, sizes, labels, gaps, duplicates and broken samples, in one walk of bounded memory."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo import images
from zoo.datasets.counting import Counts, Histogram
from zoo.datasets.dataset import Dataset
from zoo.datasets.sample import RAW, Annotation, Broken, EncodedImage, Sample
from zoo.errors import InputError
from zoo.requests import Progress, Silent

QUICK = 1000
"""Samples that are looked at when not all are."""

HASHES = 5_000_000
"""Images among which duplicates are looked for: 8 bytes are kept of each."""

SHOWN = 20
"""Broken samples and groups of duplicates that are told one by one; the others are counted."""


def survey(
    dataset: Dataset, limit: int | None = QUICK, decode: bool = False, progress: Progress | None = None
) -> Survey:
    """Look at the first `limit` samples of `dataset`, None for all. Of images the headers and the completeness are
    checked; `decode` decodes their pixels too. Broken samples are counted and never raise."""
    progress, found = progress or Silent(), Survey(decode)
    count = dataset.about.count
    progress.start(f"Looking at {dataset.path.name}", count if limit is None else min(limit, count or limit))
    for sample in dataset.reader:
        if found.samples == limit:
            found.complete = False
            break
        found.add(sample)
        progress.advance()
    return found


class Survey:
    """What was found so far. `add` takes samples; `to_dict` tells everything as plain data."""

    def __init__(self, decode: bool = False) -> None:
        self.decode = decode
        self.samples = self.broken_count = 0
        self.complete = True
        self.broken: list[dict[str, Any]] = []
        self.pictures, self.people, self.faces, self.pairs = Pictures(), Counts(), FaceCounts(), Counts()
        self._last_pair = -1

    def add(self, sample: Sample | Broken) -> None:
        """Look at the next sample of the set."""
        self.samples += 1
        if isinstance(sample, Sample):
            try:
                self._look(sample)
                return
            except InputError as error:
                sample = Broken(sample.key, str(error))
        self.broken_count += 1
        if len(self.broken) < SHOWN:
            place = {"where": sample.where, "offset": sample.offset}
            told = {name: value for name, value in place.items() if value not in ("", -1)}
            self.broken.append({"key": sample.key, "why": sample.why, **told})

    def _look(self, sample: Sample) -> None:
        self.pictures.add(sample.image, self.samples - 1, self.decode)  # first: of a broken sample nothing is counted
        if sample.identity is not None:
            self.people.add(sample.identity)
        if sample.pair is not None and sample.pair != self._last_pair:
            self._last_pair = sample.pair
            self.pairs.add({True: "same", False: "different", None: "unknown"}[sample.same])
        if sample.faces is not None:
            self.faces.add(sample.faces)

    def to_dict(self) -> dict[str, Any]:
        """All findings, JSON-able; what there is none of is left out."""
        told: dict[str, Any] = {
            "looked_at": {"samples": self.samples, "everything": self.complete, "pixels": self.decode},
            "identities": self._people(),
            "pairs": self.pairs.to_dict(),
            "faces": self.faces.to_dict(),
            "images": self.pictures.to_dict(),
            "broken": {"count": self.broken_count, "first": self.broken} if self.broken_count else {},
        }
        return {name: value for name, value in told.items() if value}

    def _people(self) -> dict[str, Any]:
        if not self.people.total:
            return {}
        each = np.sort(np.fromiter(self.people.values(), np.int64))
        spread = Histogram()
        spread.add_all(each)
        return {
            "count": len(each),
            "images": {"min": int(each[0]), "median": float(np.median(each)), "max": int(each[-1])},
            "images_histogram": spread.to_dict()["histogram"],
            "most": self.people.most(5),
            **({"not_told_apart": self.people.other} if self.people.other else {}),
        }


class Pictures:
    """Formats, sizes and bytes of the images, and which are equal byte for byte."""

    def __init__(self) -> None:
        self.count = self.without = 0
        self.formats, self.sizes = Counts(), Counts()
        self.bytes, self.sides = Histogram(), Histogram()
        self._hashes, self._numbers = array("Q"), array("Q")

    def add(self, image: EncodedImage | None, number: int, decode: bool) -> None:
        """Look at the image of sample `number`. Raises `InputError` for one that cannot be used."""
        if image is None:
            self.without += 1
            return
        name, width, height = _header(image)
        if decode:
            image.decode("its image")
        self.count += 1
        self.bytes.add(len(image.data))
        if len(self._hashes) < HASHES:
            self._hashes.append(int.from_bytes(hashlib.sha256(image.data).digest()[:8], "big"))
            self._numbers.append(number)
        self.formats.add(name)
        self.sizes.add(f"{width}x{height}")
        self.sides.add(max(width, height))

    def to_dict(self) -> dict[str, Any]:
        """The findings."""
        told: dict[str, Any] = {"without_image": self.without} if self.without else {}
        if self.count:
            told |= {"count": self.count, "formats": self.formats.to_dict(), "bytes": self.bytes.to_dict()}
            told |= {"sizes": len(self.sizes), "commonest": self.sizes.most(5), "longer_side": self.sides.to_dict()}
            told["duplicates"] = self._duplicates()
        return told

    def _duplicates(self) -> dict[str, Any]:
        """How many images are equal to an earlier one; the numbers of the samples of the first such groups."""
        hashes = np.frombuffer(self._hashes, np.uint64)
        order = np.argsort(hashes, kind="stable")
        fresh = np.flatnonzero(np.diff(hashes[order], prepend=~hashes[order[:1]]))
        sizes = np.diff(fresh, append=len(hashes))
        groups = [order[start : start + size] for start, size in zip(fresh[sizes > 1], sizes[sizes > 1], strict=True)]
        numbers = np.frombuffer(self._numbers, np.uint64)
        first = sorted(numbers[group[:SHOWN]].tolist() for group in groups)[:SHOWN]
        told: dict[str, Any] = {"count": int(len(hashes) - len(fresh))}
        told |= {"samples": first} if first else {}
        return told | ({"looked_for_among": len(hashes)} if len(hashes) < self.count else {})


def _header(image: EncodedImage) -> tuple[str, int, int]:
    if image.format == RAW and image.shape:
        height, width, channels = image.shape
        if len(image.data) != height * width * channels:
            raise InputError(f"its {len(image.data)} bytes of pixels are not {width} x {height} x {channels}")
        return RAW, width, height
    found = images.check(bytes(image.data), "its image")
    return found.format, found.width, found.height


class FaceCounts:
    """Faces an image, and what is annotated of each."""

    def __init__(self) -> None:
        self.images = self.count = self.ignored = self.degenerate = 0
        self.each, self.box_sides = Histogram(), Histogram()
        self.keypoints, self.landmarks, self.flags = Counts(), Counts(), Counts()
        self.attributes: dict[str, Counts] = {}

    def add(self, faces: Annotation) -> None:
        """Look at the annotation of one image."""
        number = len(faces)
        self.images += 1
        self.count += number
        self.each.add(number)
        if faces.boxes is not None:
            sides = np.subtract(faces.boxes[:, 2:], faces.boxes[:, :2], dtype=np.float64)
            good = ((sides > 0) & np.isfinite(sides)).all(axis=1)
            self.degenerate += number - int(good.sum())
            self.box_sides.add_all(np.sqrt(sides[good].prod(axis=1)))
        if faces.ignored is not None:
            self.ignored += int(faces.ignored.sum())
        if faces.landmarks is not None and number:
            self.landmarks.add(str(faces.landmarks.shape[1]), number)
        self._add_keypoints(faces)
        for name, values in (faces.attributes or {}).items():
            self.attributes.setdefault(name, Counts()).add_all(_texts(values))

    def _add_keypoints(self, faces: Annotation) -> None:
        if faces.keypoints is not None:
            present = ~np.isnan(faces.keypoints).any(axis=2)
            self.keypoints.add_all({5: "all", 0: "none"}.get(int(n), "some") for n in present.sum(axis=1))
        if faces.flags is not None:
            self.flags.add_all(_texts(faces.flags.ravel()))

    def to_dict(self) -> dict[str, Any]:
        """The findings."""
        if not self.images:
            return {}
        told: dict[str, Any] = {"count": self.count, "an_image": self.each.to_dict()}
        parts: dict[str, Any] = {
            "box_side": self.box_sides.to_dict(),
            "degenerate": self.degenerate,
            "ignored": self.ignored,
            "faces_with_keypoints": self.keypoints.to_dict(),
            "keypoint_flags": self.flags.to_dict(),
            "landmarks_a_face": self.landmarks.to_dict(),
            "attributes": {name: counts.to_dict() for name, counts in self.attributes.items()},
        }
        return told | {name: value for name, value in parts.items() if value}


def _texts(values: NDArray[Any]) -> Iterable[str]:
    return (f"{value:g}" for value in values.tolist())
