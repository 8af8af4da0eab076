"""WIDER FACE's evaluation: the published figures, a plain port of the algorithm, and each of its traps by hand."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from zoo_widerface.protocol import SETTINGS, STEPS, judge, truth

from zoo.datasets.dataset import open_dataset
from zoo.datasets.sample import Annotation
from zoo.errors import InputError
from zoo.evaluation.verdict import Case, Judging, Verdict
from zoo.types import Faces

Box = Sequence[float]


def case(
    key: str, boxes: Sequence[Box], found: Sequence[tuple[Box, float]] | None, kept: Sequence[int] | None = None
) -> Case:
    """An image with faces x1 y1 x2 y2, detections with scores (None: missing), and which of the faces count."""
    counts = np.array([1] * len(boxes) if kept is None else kept, np.int64)
    attributes = dict.fromkeys(SETTINGS, counts)
    annotation = Annotation(np.array(boxes, np.float32).reshape(-1, 4), attributes=attributes)
    if found is None:
        return Case(key, annotation, None)
    corners = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
    return Case(key, annotation, Faces(corners, np.array([score for _, score in found], np.float32)))


def values(*cases: Case) -> list[float]:
    return [score.value for score in judge(Judging(cases)).scores]


def plain(cases: Sequence[Case], setting: str) -> float:
    """The MATLAB tools' loops, one detection and one threshold after another."""
    scores = np.concatenate([case.found.scores for case in cases if case.found is not None]).astype(np.float64)
    low, high = scores.min(), scores.max()
    count, table = 0, np.zeros((STEPS, 2))
    for case in cases:
        assert case.truth.boxes is not None and case.truth.attributes is not None
        kept = case.truth.attributes[setting]
        count += int(kept.sum())
        if case.found is None or not len(case.found) or not len(case.truth.boxes):
            continue
        order = sorted(range(len(case.found)), key=lambda i: -case.found.scores[i])  # type: ignore[union-attr]
        taken, proposal, recalled = [0] * len(kept), [], []
        for index in order:
            box = [float(value) for value in case.found.boxes[index]]
            shares = [_overlap(box, [float(value) for value in face]) for face in case.truth.boxes]
            best = int(np.argmax(shares))
            proposal.append(1)
            if shares[best] >= 0.5:
                if not kept[best]:
                    taken[best], proposal[-1] = -1, 0
                elif taken[best] == 0:
                    taken[best] = 1
            recalled.append(taken.count(1))
        ranked = [(float(case.found.scores[i]) - low) / (high - low) for i in order]
        for step in range(STEPS):
            above = [i for i, score in enumerate(ranked) if score >= 1 - (step + 1) / STEPS]
            if above:
                table[step] += sum(proposal[: above[-1] + 1]), recalled[above[-1]]
    precision = [matched / proposals if proposals else 0.0 for proposals, matched in table]
    recall = [0.0, *(matched / count for _, matched in table)]
    return sum((recall[i + 1] - recall[i]) * max(precision[i:]) for i in range(STEPS))


def _overlap(a: list[float], b: list[float]) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]) + 1, min(a[3], b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    union = sum(areas) - width * height
    return width * height / union if union else 0.0


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, fixtures: Path) -> Path:
    """The saved predictions of a RetinaFace, as their authors published them."""
    folder = tmp_path_factory.mktemp("predictions")
    with tarfile.open(fixtures / "wider" / "pred" / "thflgg133__RetinaFace-optimization.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "widerface_txt"


@pytest.mark.slow
def test_saved_predictions_have_their_published_figures(published: Path, fixtures: Path) -> None:
    labels = truth(fixtures / "wider" / "gt").labels()
    found = {
        sample.key: Faces(sample.faces.boxes, sample.faces.scores)
        for sample in open_dataset(published)
        if sample.faces is not None and sample.faces.boxes is not None and sample.faces.scores is not None
    }
    cases = [Case(sample.key, sample.faces or Annotation(), found.get(sample.key)) for sample in labels]
    verdict = judge(Judging(cases, bootstrap=50, seed=1))
    assert [round(score.value, 5) for score in verdict.scores] == [0.90696, 0.88158, 0.73829]
    assert [score.faces for score in verdict.scores] == [7211, 13319, 31958]
    assert verdict.counts == {
        "images": 3226, "detections": 297333, "missing predictions": 0, "empty predictions": 0,
    }  # fmt: skip
    for score in verdict.scores:
        assert score.low < score.value < score.high < score.low + 0.06
    assert sum(score.faces for score in verdict.slices["height"]) == 31958
    assert sum(score.faces for score in verdict.slices["event, easy"]) == 7211
    assert len(verdict.slices["event, hard"]) == 61


def test_it_agrees_with_the_loops_of_the_original() -> None:
    chance = np.random.default_rng(5)
    cases = []
    for number in range(40):
        corners = chance.integers(0, 60, (chance.integers(0, 6), 2))
        boxes = np.hstack([corners, corners + chance.integers(0, 30, corners.shape)])
        near = np.repeat(boxes, 3, axis=0) + chance.integers(-6, 7, (len(boxes) * 3, 4))
        far = chance.integers(0, 90, (chance.integers(0, 5), 4))
        rows = np.concatenate([near, far])
        found = [(row.tolist(), float(score)) for row, score in zip(rows, chance.random(len(rows)), strict=True)]
        kept = (chance.random(len(boxes)) < 0.7).astype(int).tolist()
        cases.append(case(str(number), boxes.tolist(), found if number % 7 else None, kept))
    assert values(*cases) == pytest.approx([plain(cases, name) for name in SETTINGS], abs=1e-12)


FACE = (0, 0, 99, 99)
FAR = (500, 500, 599, 599)


def test_what_is_found_first_is_worth_all() -> None:
    assert values(case("a", [FACE], [(FACE, 0.9), (FAR, 0.1)])) == [1.0] * 3


def test_what_is_found_after_a_mistake_is_worth_half() -> None:
    """Only the top score is at or above 0.999, so the recall grows where the precision is 1/2."""
    assert values(case("a", [FACE], [(FAR, 0.9), (FACE, 0.1)])) == [0.5] * 3


def test_thresholds_at_which_nothing_is_proposed_do_not_spread() -> None:
    """The best detection is of an ignored face: until the next there are no proposals, and the precision is 0/0."""
    found = [(FAR, 1.0), (FACE, 0.5), ((900, 0, 950, 50), 0.0)]
    assert values(case("a", [FACE, FAR], found, [1, 0])) == [1.0] * 3


def test_a_second_detection_of_a_face_is_a_mistake() -> None:
    twice = [(FACE, 0.9), (FACE, 0.8), (FAR, 0.7)]
    assert values(case("a", [FACE, FAR], twice)) == pytest.approx([0.5 + 0.5 * 2 / 3] * 3)


def test_a_second_detection_of_an_ignored_face_is_none() -> None:
    found = [(FAR, 0.9), (FAR, 0.8), (FACE, 0.7), ((900, 0, 950, 50), 0.0)]
    assert values(case("a", [FACE, FAR], found, [1, 0])) == [1.0] * 3


def test_a_detection_goes_to_the_face_it_overlaps_most_even_if_that_is_ignored() -> None:
    """It overlaps the face that counts by more than half, too."""
    counts, ignored, found = (0, 0, 99, 99), (0, 0, 99, 79), (0, 0, 99, 81)
    assert values(case("a", [counts, ignored], [(found, 0.9), (FAR, 0.1)], [1, 0])) == [0.0] * 3


def test_the_order_of_the_file_does_not_matter() -> None:
    found = [(FAR, 0.1), (FACE, 0.9), ((200, 200, 299, 299), 0.5)]
    faces = [FACE, (200, 200, 299, 299)]
    assert values(case("a", faces, found)) == values(case("a", faces, sorted(found, key=lambda f: -f[1]))) == [1.0] * 3


def test_boxes_are_counted_in_pixels() -> None:
    """Of 10 and 5 pixels: 50 of 100. In continuous coordinates it would be 4 of 9."""
    assert values(case("a", [(0, 0, 9, 9)], [((0, 0, 9, 4), 0.9), (FAR, 0.1)])) == [1.0] * 3
    assert values(case("a", [(0, 0, 9, 10)], [((0, 0, 9, 4), 0.9), (FAR, 0.1)])) == [0.0] * 3


def test_boxes_without_extent_are_no_number_nowhere() -> None:
    """A detection of width -1 has no pixels, nor has the face: 0 of 0."""
    nothing = (10, 10, 9, 9)
    assert values(case("a", [nothing, FACE], [(nothing, 0.9), (FACE, 0.5), (FAR, 0.1)])) == [0.25] * 3
    assert values(case("a", [(5, 5, 5, 5)], [((5, 5, 5, 5), 0.9), (FAR, 0.1)])) == [1.0] * 3


def test_missing_and_empty_predictions_leave_faces_unfound_and_are_counted() -> None:
    cases = [case("a", [FACE], [(FACE, 0.9), (FAR, 0.0)]), case("b", [FACE], None), case("c", [FACE], [])]
    verdict = judge(Judging(cases))
    assert [score.value for score in verdict.scores] == pytest.approx([1 / 3] * 3)
    assert verdict.counts["missing predictions"] == verdict.counts["empty predictions"] == 1


def test_detections_in_an_image_without_faces_do_not_count_but_set_the_scale() -> None:
    """With the image that has none, 0.5 is normalised to 0.5 and lies no longer at the top."""
    lone = case("a", [FACE], [(FACE, 0.5), (FAR, 0.4)])
    scale = case("b", [], [(FAR, 1.0), (FAR, 0.0)])
    assert values(lone, scale) == values(lone) == [1.0] * 3
    (curve, *_) = judge(Judging([lone, scale])).curves
    assert curve.recall[498] == 0 and curve.recall[499] == 1
    assert curve.precision[-1] == 0.5


def test_all_scores_alike() -> None:
    assert values(case("a", [FACE], [(FACE, 0.7)])) == [1.0] * 3


def test_nothing_to_find_has_no_figure() -> None:
    verdict = judge(Judging([case("a", [FACE], [(FACE, 0.7)], [0])], bootstrap=5))
    assert np.isnan([score.value for score in verdict.scores]).all()
    assert verdict.to_dict()["values"] == dict.fromkeys(SETTINGS)
    assert np.isnan([score.value for score in judge(Judging([])).scores]).all()


def test_intervals_are_the_same_with_the_same_seed() -> None:
    cases = [case(str(n), [FACE], [(FACE if n % 3 else FAR, n / 9)]) for n in range(9)]

    def limits(seed: int) -> list[tuple[float, float]]:
        verdict: Verdict = judge(Judging(cases, bootstrap=200, seed=seed))
        return [(score.low, score.high) for score in verdict.scores]

    assert limits(1) == limits(1) != limits(2)
    assert all(0 <= low < high <= 1 for low, high in limits(1))


def test_slices_by_height_ignore_other_faces_and_detections() -> None:
    small, large = (0, 0, 10, 10), (100, 0, 400, 300)
    verdict = judge(Judging([case("e/a", [small, large], [(large, 0.9), (FAR, 0.8), (small, 0.7), (FAR, 0.1)])]))
    by_height = {score.name: score for score in verdict.slices["height"]}
    assert by_height["0 to 16 px"].value == by_height["256 px and more"].value == 1.0
    assert by_height["64 to 128 px"].faces == 0
    assert [(score.name, score.faces) for score in verdict.slices["event, hard"]] == [("e", 2)]


def test_truth_without_settings_is_refused() -> None:
    boxes = np.zeros((1, 4), np.float32)
    with pytest.raises(InputError, match="which faces of a are easy"):
        judge(Judging([Case("a", Annotation(boxes), None)]))


def test_truth_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="evaluation tools"):
        truth(tmp_path)


@pytest.mark.parametrize("place", ["labelv2/val/gt", "ground_truth", ""])
def test_the_usual_trees_are_found(place: str, fixtures: Path, tmp_path: Path) -> None:
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    for path in (fixtures / "wider" / "gt").glob("*.mat"):
        (tmp_path / place / path.name).symlink_to(path)
    first = next(truth(tmp_path).labels())
    assert first.key.startswith("0--Parade/") and first.faces is not None and first.faces.attributes is not None
    assert set(SETTINGS) <= set(first.faces.attributes)


def test_files_of_different_images_are_refused(fixtures: Path, tmp_path: Path) -> None:
    """The lists of a setting that are of fewer images, or of others."""
    scipy_io = pytest.importorskip("scipy.io", reason="writes MATLAB files")
    for path in (fixtures / "wider" / "gt").glob("*.mat"):
        shutil.copy(path, tmp_path)
    content = scipy_io.loadmat(tmp_path / "wider_easy_val.mat")
    for name in ("event_list", "file_list", "face_bbx_list", "gt_list"):
        content[name] = content[name][1:]
    names = ("event_list", "file_list", "face_bbx_list", "gt_list")
    scipy_io.savemat(tmp_path / "wider_easy_val.mat", {name: content[name] for name in names})
    with pytest.raises(InputError, match="not of the same images"):
        list(truth(tmp_path).labels())
    (tmp_path / "wider_easy_val.mat").write_bytes((tmp_path / "wider_hard_val.mat").read_bytes()[:2000])
    with pytest.raises(InputError, match="damaged"):
        list(truth(tmp_path).labels())
