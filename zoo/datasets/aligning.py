"""Bringing the faces of samples upright, by keypoints that are given or found.

A sample whose keypoints nobody knows goes on as it is. ``extra["aligned"]`` says of each which it was, so that writers
can count them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zoo import alignment, geometry, images
from zoo.datasets.alignoptions import Align as Align
from zoo.datasets.sample import EncodedImage, Sample
from zoo.errors import InputError, UsageError
from zoo.types import Faces, Floats, Image

ALIGNED = "aligned"
"""The key of `Sample.extra` that says whether a face was aligned; not there when nobody asked for it."""

Detect: TypeAlias = Callable[[Image], Faces]
"""What finds faces with keypoints: a model as `zoo.load` gives it."""

_LONGEST_LINE = 1 << 14


class Aligner:
    """Aligns samples as `options` say. `load` makes the detector that they name, when it is first needed.

    Raises `UsageError` for a size without a template, or both a file and a detector; `InputError` for a file of
    keypoints that cannot be read.
    """

    def __init__(self, options: Align, load: Callable[[str], Detect]) -> None:
        self.options, self._load = options, load
        alignment.template(options.align_size)
        if options.keypoints and options.detector:
            raise UsageError("Keypoints come from a file or from a detector: leave out keypoints or detector.")
        self._given = read_keypoints(Path(options.keypoints)) if options.keypoints else {}

    @property
    def asked(self) -> bool:
        """Whether anything is to be aligned."""
        return bool(self.options.keypoints or self.options.detector)

    def describe(self) -> str:
        """What is done, for people."""
        if not self.asked:
            return "none, the images go as they are: keypoints=FILE or detector=MODEL aligns them"
        size, by = self.options.align_size, self.options.detector or Path(self.options.keypoints).name
        return f"to {size} x {size} pixels by the keypoints of {by}; where there are none, the image goes as it is"

    def align(self, sample: Sample, name: str = "") -> Sample:
        """`sample` with its face aligned, or as it is when its keypoints are not known. `name` is what the file of
        keypoints calls it. Raises `InputError` for an image that cannot be decoded."""
        if not self.asked or sample.image is None:
            return sample
        given = self._given.get(plain(name or sample.key))
        if given is None and not self.options.detector:
            return self._marked(sample, sample.image, False)
        picture = sample.image.decode(sample.key)
        points = self._found(picture) if given is None else given
        if points is None:
            return self._marked(sample, sample.image, False)
        size, form = self.options.align_size, self.options.align_format
        data = images.encode(alignment.align(picture, points, size), f".{form}", self.options.align_quality)
        return self._marked(sample, EncodedImage(data, form), True)

    def _marked(self, sample: Sample, image: EncodedImage, aligned: bool) -> Sample:
        size = (self.options.align_size,) * 2 if aligned else sample.size
        faces = None if aligned else sample.faces
        extra = {**sample.extra, ALIGNED: aligned}
        return Sample(sample.key, image, size, faces, sample.identity, sample.pair, sample.same, extra)

    def _found(self, picture: Image) -> Floats | None:
        faces = self._detect(picture)
        if not len(faces):
            return None
        if faces.keypoints is None:
            raise UsageError(f"{self.options.detector} finds no keypoints; yunet_n for example does.")
        return best(faces, picture.shape[1], picture.shape[0])

    @cached_property
    def _detect(self) -> Detect:
        return self._load(self.options.detector)


def best(faces: Faces, width: int, height: int) -> Floats | None:
    """The keypoints (5, 2) of the face that an image of one person shows: of those with keypoints the one with the
    largest area, less twice the squared distance of its centre to the image's (the rule of facenet's alignment)."""
    if faces.keypoints is None or not len(faces):
        return None
    centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2 - np.array([width / 2, height / 2], np.float32)
    merits = geometry.areas(faces.boxes) - 2 * (centres**2).sum(axis=1)
    points: Floats = faces.keypoints[int(np.argmax(merits))]
    return points


def account(sample: Sample) -> str:
    """What became of a sample, as writers count it: ``aligned``, ``not aligned`` for want of keypoints, or ``as it
    was`` because nobody asked."""
    return {True: "aligned", False: "not aligned"}.get(sample.extra.get(ALIGNED), "as it was")  # type: ignore[arg-type]


def read_keypoints(path: Path) -> dict[str, NDArray[np.float32]]:
    """The keypoints (5, 2) by path out of a text of lines ``path [x1 y1 x2 y2] x y x y x y x y x y``: the file
    label.txt of insightface's dir2rec. Raises `InputError`."""
    found: dict[str, NDArray[np.float32]] = {}
    offset = 0
    try:
        with path.open("rb") as stream:
            while line := stream.readline(_LONGEST_LINE):
                if line.strip():
                    name, points = _keypoints(line, f"{path} at byte {offset}")
                    found[plain(name)] = points
                offset += len(line)
    except OSError as error:
        raise InputError(f"The keypoints {path} cannot be read: {error.strerror or error}.") from None
    return found


def _keypoints(line: bytes, where: str) -> tuple[str, Any]:
    words = line.split()
    if len(words) not in (11, 15):
        raise InputError(f"{where} has a line of {len(words)} words where a path and 10 or 14 numbers belong.")
    try:
        points = np.array([float(word) for word in words[-10:]], np.float32).reshape(5, 2)
        name = words[0].decode()
    except ValueError:
        raise InputError(f"{where} has something else than a path and numbers.") from None
    if not np.isfinite(points).all():
        raise InputError(f"{where} has a coordinate that is no number.")
    return name, points


def plain(name: str) -> str:
    """A path as keypoints are looked up by: forward slashes, and none at the front."""
    return name.replace("\\", "/").removeprefix("./")
