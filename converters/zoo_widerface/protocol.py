"""WIDER FACE's evaluation (Yang et al., CVPR 2016), as its MATLAB tools do it: average precision of the easy, the
medium and the hard faces.

The README says what that means and where other programs depart from it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.datasets.beside import NONE
from zoo.datasets.dataset import open_dataset
from zoo.datasets.sample import Annotation, Sample
from zoo.errors import InputError
from zoo.evaluation.curves import Curve, average_precision, interval, precision_recall, resampled, spread
from zoo.evaluation.matching import match
from zoo.evaluation.truth import Truth
from zoo.evaluation.verdict import Case, Judging, Score, Verdict, counted
from zoo.options import make
from zoo.types import Faces, Floats
from zoo_widerface.mat import SETTINGS, WiderMatReader
from zoo_widerface.options import MatReadOptions

STEPS = 1000
OVERLAP = 0.5
THRESHOLDS = 1 - np.arange(1, STEPS + 1) / STEPS
"""The thresholds on the normalised score, from 0.999 to 0."""

HEIGHTS = (0, 16, 32, 64, 128, 256, np.inf)
"""Bounds in pixels of the slices by the height of faces."""

PLACES = ("", "labelv2/val/gt", "val/gt", "gt", "ground_truth", "eval_tools/ground_truth", "wider_face_split")
"""Where below a tree of WIDER FACE its four MATLAB files are looked for."""

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def truth(path: Path, images: str = "") -> Truth:
    """The validation set at `path`: a tree as the set and its evaluation tools are unpacked to, the folder with the
    four ``wider_*_val.mat``, or one of these. Each sample's attributes ``easy``, ``medium`` and ``hard`` are 1 for the
    faces that count; those that are not hard are ignored. `images` is the folder of the images, by default looked for
    in the tree; ``none`` for none.

    Raises `InputError` when the files are not there, or are not of the same images.
    """
    folder = _folder(path)
    found = open_dataset(folder / "wider_face_val.mat", "wider-mat", on_error="skip", setting="all", images=images)
    return Truth(lambda: _labels(folder), found)


def _folder(path: Path) -> Path:
    names = [f"wider_{name}_val.mat" for name in ("face", *SETTINGS)]
    base = path.parent if path.is_file() else path
    for place in PLACES:
        if all((base / place / name).is_file() for name in names):
            return base / place
    looked = ", ".join(place for place in PLACES if place)
    raise InputError(
        f"The ground truth of WIDER FACE, {', '.join(names)}, is not in {base} nor in its {looked}: take it from the"
        " evaluation tools (eval_tools.zip) and name its folder."
    )


def _labels(folder: Path) -> Iterator[Sample]:
    """The annotation of all images, without the images."""
    options = (make(MatReadOptions, {"images": NONE, "setting": name}) for name in SETTINGS)
    sets = [WiderMatReader(folder / f"wider_{each.setting}_val.mat", each) for each in options]
    for found in itertools.zip_longest(*sets):
        if len({None if each is None else each.key for each in found}) > 1:
            raise InputError(f"The MATLAB files in {folder} are not of the same images; take all of one download.")
        samples = [reader.good(each) for reader, each in zip(sets, found, strict=True)]
        faces = samples[0].faces or Annotation()
        attributes = {**(faces.attributes or {})}
        for name, sample in zip(SETTINGS, samples, strict=True):
            ignored = sample.faces.ignored if sample.faces else None
            attributes[name] = (np.zeros(0, np.bool_) if ignored is None else ~ignored).astype(np.int64)
        faces.attributes = attributes
        faces.ignored = attributes[SETTINGS[-1]] == 0
        yield Sample(samples[0].key, None, samples[0].size, faces)


@dataclass(frozen=True)
class _Table:
    """All D detections of the images that have faces, image by image and best first, and all G faces: of a detection
    its `image`, the `step` of `THRESHOLDS` from which on it counts, its `height`, the face that it overlaps most
    (`best`), whether by enough (`hit`), and whether as the first (`first`); of a face its image, height, and whether it
    counts in each of `SETTINGS` (G, 3)."""

    image: Ints
    step: Ints
    height: Floats
    best: Ints
    hit: Bools
    first: Bools
    face_image: Ints
    face_height: Floats
    kept: Bools


def judge(asked: Judging) -> Verdict:
    """Judge `asked` by WIDER FACE's rules. Raises `InputError` for truth without its settings."""
    cases = asked.cases
    low, high = _range(cases)
    table = _gather(cases, low, high)
    drawn = resampled(len(cases), asked.bootstrap, asked.seed) if asked.bootstrap and cases else None
    scores, curves = [], []
    for column, name in enumerate(SETTINGS):
        score, curve = _score(table, name, table.kept[:, column], len(cases), drawn)
        scores.append(score)
        curves.append(replace(curve, thresholds=low + THRESHOLDS * (high - low)))
    slices = {
        **{f"event, {name}": _by_event(table, table.kept[:, column], cases) for column, name in enumerate(SETTINGS)},
        "height": _by_height(table, table.kept[:, -1], len(cases)),
    }
    return Verdict("widerface", tuple(scores), slices, tuple(curves), counted(cases))


def _gather(cases: Sequence[Case], low: float, high: float) -> _Table:
    tables, faces = [_rows(Case("", Annotation(), None), 0, 0, 0.0, 1.0)], 0
    for number, case in enumerate(cases):
        tables.append(_rows(case, number, faces, low, high))
        faces += len(case.truth)
    return _Table(**{name: np.concatenate([getattr(table, name) for table in tables])
                     for name in (field.name for field in fields(_Table))})  # fmt: skip


def _rows(case: Case, number: int, start: int, low: float, high: float) -> _Table:
    """The part of the table for the image `number`, whose first face has the number `start`."""
    boxes = _boxes(case.truth)
    kept = np.stack([_kept(case, name) for name in SETTINGS], axis=1)
    found = case.found if case.found is not None and len(boxes) else Faces.empty()
    order = np.argsort(-found.scores, kind="stable")
    corners, scores = found.boxes[order], (found.scores[order].astype(np.float64) - low) / (high - low)
    pairs = match(corners, boxes, OVERLAP, plus_one=True)
    return _Table(
        np.full(len(corners), number),
        STEPS - np.searchsorted(THRESHOLDS[::-1], scores, "right"),
        corners[:, 3] - corners[:, 1],
        pairs.best + start,
        pairs.hit,
        pairs.first,
        np.full(len(boxes), number),
        boxes[:, 3] - boxes[:, 1],
        kept,
    )


def _boxes(truth: Annotation) -> Floats:
    return np.zeros((0, 4), np.float32) if truth.boxes is None else truth.boxes


def _range(cases: Sequence[Case]) -> tuple[float, float]:
    """The lowest and the highest score of the whole set, for the normalisation; 1 apart where they are the same."""
    scores = [case.found.scores for case in cases if case.found is not None and len(case.found)]
    low = min((float(part.min()) for part in scores), default=0.0)
    high = max((float(part.max()) for part in scores), default=1.0)
    return low, high if high > low else low + 1.0


def _kept(case: Case, name: str) -> Bools:
    if not len(case.truth):
        return np.zeros(0, np.bool_)
    column = (case.truth.attributes or {}).get(name)
    if column is None:
        raise InputError(
            f"The ground truth does not say which faces of {case.key} are {name}: WIDER FACE's protocol needs its own"
            " MATLAB files, and coco judges any other set."
        )
    kept: Bools = column.astype(np.bool_)
    return kept


def _score(
    table: _Table, name: str, kept: Bools, images: int, drawn: Ints | None = None, part: Bools | None = None
) -> tuple[Score, Curve]:
    """The figure and the curve of the faces that are `kept`, of the detections in `part` (D,) where it is given."""
    counts = table.hit & kept[table.best]
    proposal, matched = ~table.hit | counts, table.first & counts
    if part is not None:
        proposal &= part | counts
    faces = int(kept.sum())
    precision, recall = precision_recall(_down(table.step[proposal]), _down(table.step[matched]), faces)
    value = float(average_precision(precision, recall)) if faces else np.nan
    low = high = np.nan
    if drawn is not None and faces:
        low, high = interval(_resampled(table, kept, proposal, matched, images, drawn))
    found = float(recall[-1]) if faces else np.nan
    return Score(name, value, faces, found, low, high), Curve(name, THRESHOLDS, precision, recall)


def _down(steps: Ints) -> NDArray[np.float64]:
    """How many there are down to each threshold."""
    totals: NDArray[np.float64] = np.cumsum(np.bincount(steps, minlength=STEPS + 1)[:STEPS], dtype=np.float64)
    return totals


def _resampled(
    table: _Table, kept: Bools, proposal: Bools, matched: Bools, images: int, drawn: Ints
) -> NDArray[np.float64]:
    """The average precisions of resampled sets; scores stay normalised as in the whole one."""
    proposals, hits = (_grouped(table.image[rows], table.step[rows], images) for rows in (proposal, matched))
    return spread(proposals, hits, np.bincount(table.face_image[kept], minlength=images), drawn)


def _grouped(group: Ints, step: Ints, groups: int) -> Ints:
    """How many of each group there are at each threshold (groups, STEPS)."""
    width = STEPS + 1  # a score that is no number is below all thresholds
    return np.bincount(group * width + step, minlength=groups * width).reshape(groups, width)[:, :STEPS]


def _by_event(table: _Table, kept: Bools, cases: Sequence[Case]) -> tuple[Score, ...]:
    """The figure of each event, which is the folder that an image lies in."""
    names, numbers = np.unique([case.key.rpartition("/")[0] for case in cases], return_inverse=True)
    event, counts = numbers[table.image], table.hit & kept[table.best]
    down, found = (
        np.cumsum(_grouped(event[rows], table.step[rows], len(names)), axis=1, dtype=np.float64)
        for rows in (~table.hit | counts, table.first & counts)
    )
    faces = np.bincount(numbers[table.face_image[kept]], minlength=len(names))
    precision, recall = precision_recall(down, found, faces[:, None].astype(np.float64))
    rows = zip(names.tolist(), average_precision(precision, recall).tolist(), faces.tolist(), recall, strict=True)
    return tuple(Score(name, area if n else np.nan, n, float(r[-1]) if n else np.nan) for name, area, n, r in rows)


def _by_height(table: _Table, kept: Bools, images: int) -> tuple[Score, ...]:
    """The figure of the faces of each range of heights. Other faces are ignored, and so are detections of another
    height that hit none, as COCO does with its sizes."""
    made = []
    for low, high in itertools.pairwise(HEIGHTS):
        name = f"{low:g} px and more" if high == np.inf else f"{low:g} to {high:g} px"
        inside = (table.face_height >= low) & (table.face_height < high)
        part = (table.height >= low) & (table.height < high)
        made.append(_score(table, name, kept & inside, images, part=part)[0])
    return tuple(made)
