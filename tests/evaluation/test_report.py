"""What an evaluation leaves: mistakes as pictures, curves, predictions that read back as they were."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from zoo.datasets.dataset import open_dataset
from zoo.datasets.sample import Annotation
from zoo.errors import InputError, UsageError, ZooError
from zoo.evaluation import mosaic, plot, report
from zoo.evaluation.curves import Curve
from zoo.evaluation.predictions import Predictions, read
from zoo.evaluation.verdict import Case
from zoo.types import Faces

ONE, TWO, FAR = (0, 0, 40, 40), (50, 50, 90, 90), (0, 60, 30, 90)


def case(key: str, found: dict[tuple[int, ...], float] | None, ignored: bool = False) -> Case:
    truth = Annotation(np.array([ONE, TWO], np.float32), ignored=np.array([False, ignored]))
    if found is None:
        return Case(key, truth, None)
    return Case(key, truth, Faces(np.array([*found], np.float32).reshape(-1, 4), np.array([*found.values()])))


def test_mistakes_at_a_threshold() -> None:
    made = mosaic.mistakes(case("a", {ONE: 0.9, FAR: 0.8, TWO: 0.1}), 0.5)
    assert made.found.tolist() == [True, False] and made.false.tolist() == [list(FAR)]
    assert made.hits.tolist() == [list(ONE)] and made.count == 2 and made.caption == "1 of 2 missed, 1 false"
    assert mosaic.mistakes(case("a", {ONE: 0.9, TWO: 0.8}, ignored=True), 0.5).count == 0
    assert mosaic.mistakes(case("a", None), 0.5).count == 2


def test_the_worst_come_first() -> None:
    loose = (0, 0, 40, 30)
    cases = [case("good", {ONE: 1.0, TWO: 1.0}), case("bad", {}), case("loose", {loose: 1.0, TWO: 1.0})]
    assert [made.key for made in mosaic.worst(cases, 0.5, 9)] == ["bad", "loose", "good"]
    assert len(mosaic.worst(cases, 0.5, 1)) == 1


def test_the_picture_has_the_faces_in_their_colours(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.zeros((100, 100, 3), np.uint8))
    (tmp_path / "labelv2.txt").write_text("# a.png 100 100\n0 0 40 40\n50 50 90 90\n")
    dataset = open_dataset(tmp_path / "labelv2.txt")
    picture = mosaic.draw(mosaic.worst([case("a", {ONE: 0.9, FAR: 0.8})], 0.5, 4), dataset, "title")
    assert picture is not None
    tile = picture[60:].reshape(-1, 3).tolist()  # below the legend
    for colour in (mosaic.FOUND, mosaic.MISSED, mosaic.FALSE):
        assert list(colour) in tile
    assert mosaic.draw(mosaic.worst([case("gone", {})], 0.5, 4), dataset, "title") is None


def test_curves_are_drawn_whatever_they_have() -> None:
    falling = Curve("x", np.array([0.5, 0.1]), np.array([1.0, 0.5]), np.array([0.4, 0.9]))
    empty = Curve("y", np.zeros(0), np.zeros(0), np.zeros(0))
    with_line, without = plot.draw([falling], ["x"], "t"), plot.draw([empty], ["x"], "t")
    assert with_line.shape == without.shape and (with_line != without).any()


def test_predictions_read_back_as_they_were(tmp_path: Path) -> None:
    chance, found = np.random.default_rng(1), Predictions()
    corners = chance.uniform(-20, 2000, (500, 2))
    boxes = np.hstack([corners, corners + chance.lognormal(3, 2, (500, 2))]).astype(np.float32)
    found.add("event/one", Faces(boxes, chance.random(500).astype(np.float32)))
    found.add("two", Faces.empty())
    folder = report.write_predictions(tmp_path, found)
    back = read(folder, "wider-predictions").found
    assert back.keys() == found.found.keys()
    assert (back["event/one"].boxes == boxes).all()
    assert (back["event/one"].scores == found.found["event/one"].scores).all()


def test_only_the_predictions_of_an_earlier_evaluation_are_replaced(tmp_path: Path) -> None:
    found, other = Predictions(), Predictions()
    found.add("one", Faces.empty())
    other.add("two", Faces.empty())
    report.write_predictions(tmp_path, found)
    with pytest.raises(UsageError, match="not from an earlier evaluation"):
        report.require_own(tmp_path)
    (tmp_path / report.RECEIPT).write_text("{}")
    report.require_own(tmp_path)
    report.write_predictions(tmp_path, other)
    assert [path.name for path in (tmp_path / report.FOLDER).iterdir()] == ["two.txt"]


def test_keys_that_lead_out_of_the_folder_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    found = Predictions()
    found.add("good", Faces.empty())
    found.add("../bad", Faces.empty())
    with pytest.raises(InputError):
        report.write_predictions(tmp_path / "out", found)
    assert list((tmp_path / "out").iterdir()) == [] and not (tmp_path / "bad.txt").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooError, match="Cannot write"):
        report.write_predictions(tmp_path / "file", found)
