"""The worst images of a set, drawn with what is true and what was found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from zoo.datasets.dataset import Dataset
from zoo.datasets.sample import Sample
from zoo.errors import InputError
from zoo.evaluation.matching import match
from zoo.evaluation.verdict import Case
from zoo.types import Floats, Image

FOUND, MISSED, HIT, FALSE, IGNORED = (80, 190, 60), (40, 40, 230), (220, 160, 30), (0, 165, 255), (150, 150, 150)
"""Colours, blue green red: a face that was found, one that was not, the detection of a face, one of none, an ignored
face."""

LEGEND = (("face, found", FOUND), ("face, missed", MISSED), ("its detection", HIT), ("detection of none", FALSE),
          ("ignored", IGNORED))  # fmt: skip
SIDE, _GAP, _CAPTION, _HEAD, _COLUMNS = 320, 10, 40, 40, 6
_PAPER, _INK, _FONT = (250, 250, 250), (40, 40, 40), cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Mistakes:
    """What is wrong in an image at one threshold on the score: faces (G, 4) that count and whether each was found (G,),
    ignored faces, detections of faces (H, 4) and of none (F, 4). `share` is by how much, on average, faces that were
    found are overlapped."""

    key: str
    faces: Floats
    found: NDArray[np.bool_]
    ignored: Floats
    hits: Floats
    false: Floats
    share: float

    @property
    def count(self) -> int:
        """Missed faces and false detections."""
        return int((~self.found).sum()) + len(self.false)

    @property
    def caption(self) -> str:
        """The count in words."""
        return f"{int((~self.found).sum())} of {len(self.found)} missed, {len(self.false)} false"


def mistakes(case: Case, threshold: float) -> Mistakes:
    """What is wrong in `case` among detections with a score of at least `threshold`, at an overlap of one half."""
    faces = np.zeros((0, 4), np.float32) if case.truth.boxes is None else case.truth.boxes
    ignored = np.zeros(len(faces), np.bool_) if case.truth.ignored is None else case.truth.ignored
    boxes = np.zeros((0, 4), np.float32)
    if case.found is not None:
        order = np.argsort(-case.found.scores, kind="stable")
        boxes = case.found.boxes[order[case.found.scores[order] >= np.float32(threshold)]]
    pairs = match(boxes, faces)
    found = np.zeros(len(faces), np.bool_)
    found[pairs.best[pairs.first]] = True
    false = ~pairs.hit | (~pairs.first & ~ignored[pairs.best] if len(faces) else ~pairs.hit)
    share = float(pairs.share[pairs.first].mean()) if pairs.first.any() else 1.0
    return Mistakes(case.key, faces[~ignored], found[~ignored], faces[ignored], boxes[pairs.first], boxes[false], share)


def worst(cases: Sequence[Case], threshold: float, number: int) -> list[Mistakes]:
    """At most `number` images with the most mistakes, the worst first; of equals those with the least overlap."""
    ranked = sorted((mistakes(case, threshold) for case in cases), key=lambda made: (-made.count, made.share, made.key))
    return ranked[:number]


def draw(found: Sequence[Mistakes], dataset: Dataset, title: str) -> Image | None:
    """The images of `found` as one picture, (H, W, 3) uint8 BGR; None where none of them can be read."""
    pictures = _pictures(dataset, {made.key for made in found})
    shown = [made for made in found if made.key in pictures]
    if not shown:
        return None
    columns = min(_COLUMNS, math.ceil(math.sqrt(len(shown))))
    across, down = SIDE + _GAP, SIDE + _CAPTION + _GAP
    rows = math.ceil(len(shown) / columns)
    canvas = np.full((_HEAD + rows * down, _GAP + max(columns, 2) * across, 3), _PAPER, np.uint8)
    _head(canvas, title)
    for number, made in enumerate(shown):
        row, column = divmod(number, columns)
        x, y = _GAP + column * across, _HEAD + row * down
        canvas[y : y + SIDE, x : x + SIDE] = _tile(pictures[made.key], made)
        _write(canvas, made.key[-42:], (x, y + SIDE + 16))
        _write(canvas, made.caption, (x, y + SIDE + 33))
    return canvas


def _head(canvas: Image, title: str) -> None:
    x = _GAP
    for text, colour in LEGEND:
        cv2.rectangle(canvas, (x, 14), (x + 12, 26), colour, -1)
        _write(canvas, text, (x + 17, 25))
        x += 26 + 9 * len(text)
    _write(canvas, title, (x + 10, 25))


def _pictures(dataset: Dataset, keys: set[str]) -> dict[str, Image]:
    """The images by key, as far as they can be read."""
    found: dict[str, Image] = {}
    for sample in _walk(dataset, keys):
        try:
            if sample.image is not None:
                found[sample.key] = sample.image.decode(sample.key)
        except InputError:
            continue
        if len(found) == len(keys):
            break
    return found


def _walk(dataset: Dataset, keys: set[str]) -> Iterator[Sample]:
    for sample in dataset.reader:
        if isinstance(sample, Sample) and sample.key in keys:
            yield sample


def _tile(picture: Image, made: Mistakes) -> Image:
    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    tile = np.full((SIDE, SIDE, 3), 232, np.uint8)
    x, y = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    part = tile[y : y + size[1], x : x + size[0]]
    part[:] = small
    groups = ((made.ignored, IGNORED), (made.hits, HIT), (made.faces[made.found], FOUND), (made.false, FALSE),
              (made.faces[~made.found], MISSED))  # fmt: skip
    for boxes, colour in groups:
        for box in np.clip(boxes * scale, -SIDE, 2 * SIDE).round().astype(int).tolist():
            cv2.rectangle(part, (box[0], box[1]), (box[2], box[3]), colour, 1)
    return tile


def _write(canvas: Image, text: str, corner: tuple[int, int]) -> None:
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(canvas, plain, corner, _FONT, 0.42, _INK, 1, cv2.LINE_AA)
