"""A contact sheet: images from all over a data set with what is annotated of them, to see whether it is right."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from zoo import images
from zoo.datasets.dataset import Dataset
from zoo.datasets.sample import Annotation, Broken, Sample
from zoo.drawing import mark
from zoo.errors import InputError, UsageError
from zoo.files import atomic_write
from zoo.types import Image

T = TypeVar("T")
_PAPER, _INK, _FAINT, _GOOD, _BAD = (250, 250, 250), (40, 40, 40), (140, 140, 140), (80, 150, 40), (60, 60, 200)
_EMPTY = (232, 232, 232)
_GAP, _CAPTION, _HEAD, _TEXT = 12, 34, 44, 12


@dataclass(frozen=True)
class Layout:
    """`columns` x `rows` tiles of `side` pixels."""

    columns: int = 6
    rows: int = 5
    side: int = 160

    @property
    def tiles(self) -> int:
        """How many images there is room for."""
        return self.columns * self.rows

    @property
    def width(self) -> int:
        """The width of the sheet in pixels."""
        return self.columns * (self.side + _GAP) + _GAP

    def fitted(self, number: int, group: int) -> Layout:
        """For a smaller `number` of images, larger tiles (at most twice as large) on a sheet at most as wide; the
        columns are a multiple of `group`."""
        wanted = max(1, round(math.sqrt(number * self.columns / self.rows) / group)) * group
        columns = min(self.columns, wanted)
        side = min(2 * self.side, (self.width - _GAP) // columns - _GAP)
        return Layout(columns, math.ceil(number / columns), side)


def write_sheet(dataset: Dataset, path: Path, layout: Layout | None = None) -> int:
    """Write the contact sheet of `dataset` as an image file and give the number of its images.

    The images are chosen evenly over the set, the same ones each time; of a verification set whole pairs. One that
    cannot be decoded is a tile with the reason. Raises `UsageError` for a file name that is no image's, `InputError`
    when the set has no images, `ZooError` when the file cannot be written.
    """
    layout = layout or Layout()
    require_image_name(path)
    chosen = choose(dataset, layout.tiles)
    if not any(isinstance(sample, Broken) or sample.image is not None for sample in chosen):
        hint = "; say with images=FOLDER where they are" if hasattr(dataset.options, "images") else ""
        raise InputError(f"{dataset.path} comes without images, so there is no sheet to be made{hint}.")
    about, dot = dataset.about, " \N{MIDDLE DOT} "
    count = () if about.count is None else (f"{about.count:,} samples",)
    title = dot.join([dataset.path.resolve().name, dataset.format.name, about.kind, *count])
    atomic_write(path, images.encode(sheet(chosen, title, layout), path.suffix))
    return len(chosen)


def require_image_name(path: Path) -> None:
    """Raise `UsageError` for a file name that is not an image's."""
    if path.suffix.lower() not in images.WRITABLE:
        raise UsageError(f"{path} must end in one of {', '.join(sorted(images.WRITABLE))}.")


def choose(dataset: Dataset, number: int) -> list[Sample | Broken]:
    """At most `number` samples, evenly over the set, in order; two by two where the set is of pairs."""
    group = 2 if dataset.about.kind == "verification" else 1
    count = dataset.about.count
    if count is None:
        return thinned(dataset.reader, number, group)
    groups = count // group
    wanted = min(number // group, groups)
    first = [place * groups // wanted * group for place in range(wanted)]
    return list(_at(dataset, [start + i for start in first for i in range(group)]))


def _at(dataset: Dataset, numbers: list[int]) -> Iterator[Sample | Broken]:
    """The samples with these ascending numbers. Only the units are read in which they are."""
    left = numbers[::-1]
    for unit in dataset.units(256):
        if left and (unit.stop < 0 or left[-1] < unit.stop):
            for number, sample in enumerate(dataset.reader.read(unit), unit.start):
                if left and number == left[-1]:
                    left.pop()
                    yield sample
                if not left or (unit.stop >= 0 and left[-1] >= unit.stop):
                    break


def thinned(found: Iterable[T], number: int, group: int = 1) -> list[T]:
    """At most `number` of a stream of unknown length, evenly spaced, in groups of neighbours; never more than twice as
    many are kept."""
    kept: list[T] = []
    step = group
    for index, thing in enumerate(found):
        if index % step < group:
            kept.append(thing)
        if len(kept) == 2 * (number // group) * group:
            kept = [thing for place, thing in enumerate(kept) if place % (2 * group) < group]
            step *= 2
    groups = len(kept) // group
    wanted = min(number // group, groups)
    return [kept[place * groups // wanted * group + i] for place in range(wanted) for i in range(group)]


def sheet(samples: list[Sample | Broken], title: str, layout: Layout) -> Image:
    """The contact sheet of at most ``layout.tiles`` samples as an image, uint8 BGR."""
    pairs = any(isinstance(sample, Sample) and sample.pair is not None for sample in samples)
    fitted = layout.fitted(len(samples), 2 if pairs else 1)
    across, down = fitted.side + _GAP, fitted.side + _CAPTION + _GAP
    canvas = np.full((_HEAD + fitted.rows * down + _GAP, fitted.width, 3), _PAPER, np.uint8)
    _write(canvas, title, (_GAP, 28), _INK, 16, canvas.shape[1] - 2 * _GAP)
    for number, sample in enumerate(samples):
        row, column = divmod(number, fitted.columns)
        x, y = _GAP + column * across, _HEAD + row * down
        canvas[y : y + fitted.side, x : x + fitted.side] = tile(sample, fitted.side)
        baseline = y + fitted.side + 2
        for line, (text, colour) in enumerate(captions(sample)):
            _write(canvas, text, (x, baseline + 13 * (line + 1)), colour, _TEXT, fitted.side)
    return canvas


def tile(sample: Sample | Broken, side: int) -> Image:
    """The sample's image with its annotation, as large as fits into (side, side, 3); blank where there is none. Of an
    image with landmarks the part with the faces is shown, because on the whole image they would be one blot."""
    canvas = np.full((side, side, 3), _EMPTY, np.uint8)
    pixels = _pixels(sample)
    if pixels is None or isinstance(sample, Broken):
        why = "no image" if isinstance(sample, Sample) else "broken"
        _write(canvas, why, (12, side // 2), _FAINT, _TEXT, side - 24)
        return canvas
    left, top, right, bottom = _region(sample.faces, pixels)
    part = pixels[top:bottom, left:right]
    height, width = part.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    x, y = (side - size[0]) // 2, (side - size[1]) // 2
    canvas[y : y + size[1], x : x + size[0]] = _marked(part, sample.faces, size, (left, top), scale)
    return canvas


def _pixels(sample: Sample | Broken) -> Image | None:
    if isinstance(sample, Broken) or sample.image is None:
        return None
    try:
        return sample.image.decode()
    except InputError:
        return None


def _region(faces: Annotation | None, image: Image) -> tuple[int, int, int, int]:
    """left, top, right and bottom of the part of an image that its tile shows."""
    height, width = image.shape[:2]
    whole = 0, 0, width, height
    if faces is None or faces.landmarks is None:
        return whole
    points = faces.landmarks.reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        return whole
    margin = 0.4 * float((points.max(0) - points.min(0)).max())
    left, top = np.clip(points.min(0) - margin, 0, (width, height)).astype(int).tolist()
    right, bottom = np.ceil(np.clip(points.max(0) + margin, 0, (width, height))).astype(int).tolist()
    return (left, top, right, bottom) if right - left > 1 and bottom - top > 1 else whole


def _marked(
    image: Image, faces: Annotation | None, size: tuple[int, int], corner: tuple[int, int], scale: float
) -> Image:
    """`image`, which begins at `corner` of the whole one, in the given size with what is annotated. Landmarks are drawn
    in twice the size and then made smaller, because there are many of them."""
    if faces is None:
        return _resized(image, size)
    boxes, keypoints, landmarks = (
        None if array is None else ((array - np.tile(corner, array.shape[-1] // 2)) * scale).astype(np.float32)
        for array in (faces.boxes, faces.keypoints, faces.landmarks)
    )
    if landmarks is not None:
        image = mark(_resized(image, (2 * size[0], 2 * size[1])), landmarks=2 * landmarks)
    return mark(_resized(image, size), boxes, keypoints, None, faces.ignored)


def _resized(image: Image, size: tuple[int, int]) -> Image:
    method = cv2.INTER_AREA if image.shape[1] > size[0] else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=method)  # type: ignore[return-value]


def captions(sample: Sample | Broken) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """At most two lines of text under a tile, with their colours: the key, and what else is known."""
    yield sample.key, _INK
    if isinstance(sample, Broken):
        yield sample.why, _BAD
        return
    if sample.same is not None:
        yield f"pair {sample.pair}: {'same' if sample.same else 'different'}", _GOOD if sample.same else _BAD
    elif sample.identity is not None:
        yield f"identity {sample.identity}" if isinstance(sample.identity, int) else sample.identity, _FAINT
    elif sample.faces is not None:
        yield ", ".join(_known(sample)), _FAINT


def _known(sample: Sample) -> Iterator[str]:
    assert sample.faces is not None
    number = len(sample.faces)
    yield f"{number} face{'' if number == 1 else 's'}"
    if sample.faces.landmarks is not None and number:
        yield f"{sample.faces.landmarks.shape[1]} points"
    if sample.faces.ignored is not None and sample.faces.ignored.any():
        yield f"{int(sample.faces.ignored.sum())} ignored"


def _write(
    canvas: Image, text: str, corner: tuple[int, int], colour: tuple[int, int, int], size: int, width: int
) -> None:
    """Text at `corner` (left end of the base line), shortened in the middle to `width` pixels."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text[:400])
    cv2.putText(canvas, _shortened(plain, lambda t: _width(t, size) <= width), corner, colour, _font(), size)


def _shortened(text: str, fits: Callable[[str], bool]) -> str:
    cut = text
    keep = len(text)
    while keep > 2 and not fits(cut):
        keep -= 1
        cut = f"{text[: keep - keep // 2]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - keep // 2 :]}"
    return cut


def _width(text: str, size: int) -> int:
    x, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), _font(), size)
    return int(x + width)


@lru_cache(maxsize=1)
def _font() -> cv2.FontFace:
    return cv2.FontFace("sans")
