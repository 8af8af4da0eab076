"""COCO's figures: against pycocotools where it is at hand, and small cases by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from zoo_coco import protocol
from zoo_coco.protocol import judge

from zoo.datasets.sample import Annotation
from zoo.evaluation.verdict import Case, Judging
from zoo.types import Faces

Box = Sequence[float]
KNOWN = {
    "AP": 0.258767,
    "AP50": 0.393979,
    "AP75": 0.266203,
    "AP small": 0.08948,
    "AP medium": 0.279167,
    "AP large": 0.39672,
}
FACE, FAR = (0.0, 0.0, 100.0, 100.0), (500.0, 500.0, 600.0, 600.0)


def case(key: str, boxes: Sequence[Box], found: Sequence[tuple[Box, float]], ignored: Sequence[bool] = ()) -> Case:
    truth = Annotation(
        np.array(boxes, np.float32).reshape(-1, 4), ignored=np.array(ignored or [False] * len(boxes), bool)
    )
    corners = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
    return Case(key, truth, Faces(corners, np.array([score for _, score in found], np.float32)))


def values(*cases: Case) -> dict[str, float]:
    return {score.name: score.value for score in judge(Judging(cases)).scores}


def random_cases(seed: int) -> list[Case]:
    """Sixty images with overlapping faces of all sizes, crowds, tied scores, more than a hundred detections of some,
    and none of others."""
    chance, cases = np.random.default_rng(seed), []
    for number in range(60):
        count = int(chance.integers(0, 12))
        corners = chance.integers(0, 500, (count, 2))
        boxes = np.hstack([corners, corners + chance.integers(4, 150, (count, 2))])
        near = np.repeat(boxes, 3, axis=0) + chance.integers(-12, 13, (3 * count, 4)) * chance.random((3 * count, 1))
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        far = chance.integers(0, 500, (int(chance.integers(0, 120 if number % 9 == 0 else 8)), 2))
        rows = np.concatenate([near, np.hstack([far, far + chance.integers(4, 150, far.shape)])]).astype(np.float32)
        scores = (chance.integers(0, 60, len(rows)) / 60).astype(np.float32)
        truth = Annotation(boxes.astype(np.float32), ignored=chance.random(count) < 0.2)
        cases.append(Case(str(number), truth, Faces(rows, scores) if number % 11 else None))
    return cases


def oracle(cases: Sequence[Case]) -> Any:
    """The twelve figures of pycocotools."""
    coco = pytest.importorskip("pycocotools.coco", reason="pip install pycocotools, to compare with it")
    from pycocotools.cocoeval import COCOeval

    truth: dict[str, list[Any]] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "face"}]}
    found = []
    for image, each in enumerate(cases, 1):
        truth["images"].append({"id": image})
        assert each.truth.boxes is not None and each.truth.ignored is not None
        for box, ignored in zip(each.truth.boxes.tolist(), each.truth.ignored.tolist(), strict=True):
            sides = box[2] - box[0], box[3] - box[1]
            row = {"id": len(truth["annotations"]) + 1, "image_id": image, "category_id": 1, "iscrowd": int(ignored)}
            truth["annotations"].append({**row, "bbox": [*box[:2], *sides], "area": sides[0] * sides[1]})
        for box, score in zip(*(each.found.boxes.tolist(), each.found.scores.tolist()) if each.found else ([], []),
                              strict=True):  # fmt: skip
            sides = [box[2] - box[0], box[3] - box[1]]
            found.append({"image_id": image, "category_id": 1, "bbox": [*box[:2], *sides], "score": score})
    labels = coco.COCO()
    labels.dataset = truth
    labels.createIndex()
    made = COCOeval(labels, labels.loadRes(found), "bbox")
    made.evaluate()
    made.accumulate()
    made.summarize()
    return made.stats


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_are_those_of_pycocotools(seed: int) -> None:
    cases = random_cases(seed)
    verdict, theirs = judge(Judging(cases)), oracle(cases)
    assert [score.value for score in verdict.scores] == pytest.approx(theirs[:6].tolist(), abs=1e-12)
    recalls = [verdict.scores[0].recall, *(score.recall for score in verdict.scores[3:])]
    assert recalls == pytest.approx(theirs[8:12].tolist(), abs=1e-12)


def test_what_they_were_when_pycocotools_said_the_same() -> None:
    """The figures of pycocotools 2.0.11 for the cases of seed 0, for where it is not at hand."""
    found = values(*random_cases(0))
    assert found == pytest.approx(KNOWN, abs=1e-6)


def test_all_found_is_one_and_nothing_found_is_none() -> None:
    assert values(case("a", [FACE], [(FACE, 0.9)]))["AP"] == pytest.approx(1.0)
    assert values(case("a", [FACE], []))["AP"] == 0.0
    assert np.isnan(values(case("a", [], [(FACE, 0.9)]))["AP"])
    assert np.isnan(list(values().values())).all()


def test_an_overlap_counts_up_to_itself() -> None:
    """80 of 100: seven of the ten overlaps, 0.50 to 0.80."""
    found = values(case("a", [FACE], [((0.0, 0.0, 100.0, 80.0), 0.9)]))
    assert found["AP"] == pytest.approx(0.7) and found["AP50"] == found["AP75"] == pytest.approx(1.0)


def test_ignored_faces_take_any_number_of_detections() -> None:
    crowd = [(FAR, 0.9), (FAR, 0.8), ((510.0, 510.0, 520.0, 520.0), 0.7), (FACE, 0.5)]
    assert values(case("a", [FACE, FAR], crowd, [False, True]))["AP"] == pytest.approx(1.0)


def test_the_hundred_best_of_an_image_count() -> None:
    many = [((float(n), 700.0, n + 50.0, 750.0), 0.9) for n in range(protocol.MOST)]
    assert values(case("a", [FACE], [*many, (FACE, 0.5)]))["AP"] == 0.0
    assert values(case("a", [FACE], [*many[1:], (FACE, 0.5)]))["AP50"] == pytest.approx(0.01)


def test_intervals_hold_the_figure_and_follow_the_seed() -> None:
    cases = random_cases(1)
    one, same, other = (judge(Judging(cases, bootstrap=100, seed=seed)).scores[0] for seed in (1, 1, 2))
    assert one.low < one.value < one.high
    assert (one.low, one.high) == (same.low, same.high) != (other.low, other.high)
