"""Augmentation on the CPU: steps that change an image and its faces together, each drawing from the same dice.

A step is a frozen dataclass, whose fields are a recipe's numbers, called with a `Labelled` and a numpy Generator; it
gives a new `Labelled` and leaves the old one as it was. Facts from deepinsight/insightface, detection/scrfd, and
ShiqiYu/libfacedetection.train: ``mmdet/datasets/pipelines/transforms.py`` (the two have the same crop), and from
biubug6/Pytorch_Retinaface: ``data/data_augment.py``. Ranges of random numbers are the originals', the numbers are not.

Points move as OpenCV's corners of pixels do: a width that becomes k times as large takes x to k x.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zoo.datasets.sample import Annotation
from zoo.types import Floats, Image

TRIES = 250
"""How many places a crop tries before it tries another size, or gives up."""

AT_ONCE = 25
"""How many of these places are looked at together; mostly the first few will do."""

ROUNDS = 40
"""How many sizes `SquareCrop` tries before it takes it that no face has its centre in the image."""

MIRRORED = (1, 0, 2, 4, 3)
"""Which keypoint becomes the first, second ... in the mirror: left and right change places."""


@dataclass(frozen=True)
class Labelled:
    """An image (H, W, 3) uint8 BGR and its N faces: boxes (N, 4) x1 y1 x2 y2 and keypoints (N, 5, 3), x, y and 1 or,
    unknown, three zeros, float32 in pixels; and which are `ignored` (N,) bool, not to be learnt."""

    image: Image
    boxes: Floats
    keypoints: Floats
    ignored: NDArray[np.bool_]

    @classmethod
    def of(cls, image: Image, faces: Annotation | None) -> Labelled:
        """The image of a sample with its annotation, where what is absent is no face, an unknown point, or not
        ignored. The flags of keypoints do not count, as with labelv2: a point is known if it has coordinates."""
        boxes = None if faces is None else faces.boxes
        boxes = np.zeros((0, 4), np.float32) if boxes is None else np.asarray(boxes, np.float32)
        keypoints = np.zeros((len(boxes), 5, 3), np.float32)
        if faces is not None and faces.keypoints is not None:
            known = np.isfinite(faces.keypoints).all(axis=2)
            keypoints[known] = np.column_stack([faces.keypoints[known], np.ones(known.sum())])
        ignored = None if faces is None else faces.ignored
        return cls(image, boxes, keypoints, np.zeros(len(boxes), np.bool_) if ignored is None else ignored)

    @property
    def sound(self) -> NDArray[np.bool_]:
        """Which faces (N,) bool have a box of numbers, with width and height, and some of it inside the image."""
        height, width = self.image.shape[:2]
        low, high = np.maximum(self.boxes[:, :2], 0), np.minimum(self.boxes[:, 2:], (width, height))
        return np.asarray(np.isfinite(self.boxes).all(axis=1) & (high > low).all(axis=1), np.bool_)

    def select(self, rows: NDArray[np.bool_]) -> Labelled:
        """With the faces of the mask `rows` (N,) alone."""
        return Labelled(self.image, self.boxes[rows], self.keypoints[rows], self.ignored[rows])

    def within(self, width: int, height: int) -> Labelled:
        """With boxes and keypoints moved to the border of an image of that size where they are outside of it."""
        most = np.array([width, height], np.float32)
        keypoints = self.keypoints.copy()
        np.clip(keypoints[..., :2], 0, most, out=keypoints[..., :2])
        return replace(self, boxes=np.clip(self.boxes, 0, np.tile(most, 2)), keypoints=keypoints)

    def moved(self, image: Image, scale: tuple[float, float] = (1, 1), shift: tuple[float, float] = (0, 0)) -> Labelled:
        """The faces with x and y times `scale`, plus `shift`, on another `image`."""
        factor, offset = np.asarray(scale, np.float32), np.asarray(shift, np.float32)
        keypoints = self.keypoints.copy()
        keypoints[..., :2] = (keypoints[..., :2] * factor + offset) * keypoints[..., 2:]
        return Labelled(image, self.boxes * np.tile(factor, 2) + np.tile(offset, 2), keypoints, self.ignored)


Step = Callable[[Labelled, np.random.Generator], Labelled]


def augmented(sample: Labelled, steps: Iterable[Step], dice: np.random.Generator) -> Labelled:
    """`sample` after all `steps`, in their order."""
    for step in steps:
        sample = step(sample, dice)
    return sample


def dice(seed: int, epoch: int, key: str) -> np.random.Generator:
    """The random numbers of the sample `key` in one epoch: the same whichever process draws them, and when."""
    digest = hashlib.blake2b(f"{seed}:{epoch}:{key}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


@dataclass(frozen=True)
class SquareCrop:
    """A square that holds the centre of a face: RandomSquareCrop of YuNet and SCRFD.

    Its side is one of `scales` times the shorter side of the image; what it has of the outside is filled with `fill`.
    Faces stay whose centre is strictly inside, cut off at its border with `clip`. Where a size finds no face in `TRIES`
    places, another is drawn, or, if all `scales` are at most 1, it grows by a fifth. An image without faces is cut at
    the first place drawn; faces that are ignored do not count as such.
    """

    scales: Sequence[float]
    clip: bool = True
    fill: int = 128

    def __call__(self, sample: Labelled, dice: np.random.Generator) -> Labelled:
        """See the class."""
        height, width = sample.image.shape[:2]
        centres = _centres(sample.boxes[~sample.ignored])
        first = None
        for side in self._sides(width, height, dice):
            corners = np.stack([_places(width, side, dice), _places(height, side, dice)], axis=1)
            first = first or (side, corners[0])
            if not len(centres):
                break
            for some in corners.reshape(-1, AT_ONCE, 2):
                holding = _holds(some[:, None], side, centres).any(axis=1)
                if holding.any():
                    return self._cut(sample, some[holding.argmax()], side)
        assert first is not None  # there is always one round
        return self._cut(sample, first[1], first[0])

    def _sides(self, width: int, height: int, dice: np.random.Generator) -> Iterator[int]:
        grows = max(self.scales) <= 1
        scale = float(dice.choice(self.scales))
        for _ in range(ROUNDS):
            side = max(1, int(scale * min(width, height)))
            yield side
            if grows and side > max(width, height):  # it held the whole image
                return
            scale = scale * 1.2 if grows else float(dice.choice(self.scales))

    def _cut(self, sample: Labelled, corner: NDArray[np.int64], side: int) -> Labelled:
        left, top = map(int, corner)
        inner = sample.image[max(top, 0) : top + side, max(left, 0) : left + side]
        if inner.shape[:2] != (side, side):
            outer = np.full((side, side, 3), self.fill, np.uint8)
            y, x = max(-top, 0), max(-left, 0)
            outer[y : y + inner.shape[0], x : x + inner.shape[1]] = inner
            inner = outer
        kept = sample.select(_holds(corner, side, _centres(sample.boxes)))
        cut = kept.moved(inner, shift=(-left, -top))
        return cut.within(side, side) if self.clip else cut


@dataclass(frozen=True)
class InnerCrop:
    """A square inside the image that holds a whole face: RetinaFace's crop.

    Its side is one of `scales` times the shorter side of the image. Faces stay whose centre is strictly inside, cut off
    at its border. Where none of `TRIES` squares holds a whole face, the image stays as it is.
    """

    scales: Sequence[float] = (0.3, 0.45, 0.6, 0.8, 1.0)

    def __call__(self, sample: Labelled, dice: np.random.Generator) -> Labelled:
        """See the class."""
        height, width = sample.image.shape[:2]
        boxes = sample.boxes[~sample.ignored]
        sides = np.maximum(1, (dice.choice(self.scales, TRIES) * min(width, height)).astype(np.int64))
        corners = (dice.random((TRIES, 2)) * (np.array([width, height]) - sides[:, None])).astype(np.int64)
        for corner, side in zip(corners if len(boxes) else (), sides.tolist(), strict=False):
            held = _holds(corner, side, _centres(boxes))
            whole = (boxes[:, :2] >= corner).all(axis=1) & (boxes[:, 2:] <= corner + side).all(axis=1)
            if (held & whole).any():
                left, top = map(int, corner)
                kept = sample.select(_holds(corner, side, _centres(sample.boxes)))
                square = sample.image[top : top + side, left : left + side]
                return kept.moved(square, shift=(-left, -top)).within(side, side)
        return sample


@dataclass(frozen=True)
class PadSquare:
    """The image in the top-left corner of a square of its longer side, the rest of the colour `fill` (BGR)."""

    fill: tuple[int, int, int] = (104, 117, 123)

    def __call__(self, sample: Labelled, dice: np.random.Generator) -> Labelled:
        """See the class."""
        height, width = sample.image.shape[:2]
        right, below = max(height - width, 0), max(width - height, 0)
        if not right and not below:
            return sample
        image: Any = cv2.copyMakeBorder(sample.image, 0, below, 0, right, cv2.BORDER_CONSTANT, value=self.fill)
        return replace(sample, image=image)


INTERPOLATIONS = {
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "nearest": cv2.INTER_NEAREST,
    "lanczos": cv2.INTER_LANCZOS4,
}
"""The ways to resample, by name."""


@dataclass(frozen=True)
class Resize:
    """The image stretched to `width` x `height`, whatever its shape, in one of the `interpolations`, drawn at random.

    RetinaFace draws among all five of `INTERPOLATIONS`.
    """

    width: int
    height: int
    interpolations: Sequence[str] = ("linear",)

    def __call__(self, sample: Labelled, dice: np.random.Generator) -> Labelled:
        """See the class."""
        height, width = sample.image.shape[:2]
        way = INTERPOLATIONS[self.interpolations[int(dice.integers(len(self.interpolations)))]]
        image: Any = cv2.resize(sample.image, (self.width, self.height), interpolation=way)
        return sample.moved(image, scale=(self.width / width, self.height / height))


@dataclass(frozen=True)
class Flip:
    """The image mirrored, left and right exchanged, with that `probability`."""

    probability: float = 0.5

    def __call__(self, sample: Labelled, dice: np.random.Generator) -> Labelled:
        """See the class."""
        if dice.random() >= self.probability:
            return sample
        image: Any = cv2.flip(sample.image, 1)
        mirrored = sample.moved(image, scale=(-1, 1), shift=(image.shape[1], 0))
        boxes, keypoints = mirrored.boxes[:, [2, 1, 0, 3]], mirrored.keypoints[:, MIRRORED]
        return replace(mirrored, boxes=boxes, keypoints=keypoints)


def _centres(boxes: Floats) -> Floats:
    return np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2, np.float32)


def _holds(corner: NDArray[np.int64], side: int, centres: Floats) -> NDArray[np.bool_]:
    """Which of the `centres` (N, 2) are strictly inside the square at `corner` (2,), or at each (T, 1, 2): (T, N)."""
    return np.asarray(((centres > corner) & (centres < corner + side)).all(axis=-1), np.bool_)


def _places(length: int, side: int, dice: np.random.Generator) -> NDArray[np.int64]:
    """Where along `length` pixels a square of `side` may begin, `TRIES` times: inside it, or around it."""
    low, high = min(0, length - side), max(0, length - side)
    return dice.integers(low, high, TRIES) if low < high else np.zeros(TRIES, np.int64)
