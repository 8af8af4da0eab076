"""Predictions from files, and their pairing with the ground truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from zoo.datasets.sample import Annotation, Sample
from zoo.errors import InputError, UsageError
from zoo.evaluation import predictions
from zoo.evaluation.options import JudgeOptions
from zoo.evaluation.predictions import Predictions, read
from zoo.evaluation.task import judge_predictions
from zoo.types import Faces

ONE = Faces(np.array([[1, 2, 3, 4]], np.float32), np.array([0.5], np.float32))


def found(*keys: str) -> Predictions:
    made = Predictions()
    for key in keys:
        made.add(key, ONE)
    return made


def labelled(*keys: str) -> list[Sample]:
    return [Sample(key, faces=Annotation()) for key in keys]


def paired(made: Predictions, *keys: str) -> list[bool]:
    return [case.found is not None for case in made.cases(labelled(*keys))]


def write(path: Path, *records: object) -> Path:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), "utf-8")
    return path


def test_names_fit_by_their_ends() -> None:
    assert paired(found("a/one", "a/two"), "a/one", "a/two", "a/three") == [True, True, False]
    assert paired(found("run/images/a/one"), "a/one") == [True]
    assert paired(found("one"), "a/one") == [True]


def test_an_end_that_two_share_fits_neither() -> None:
    assert paired(found("x/a/one", "y/a/one", "b/two"), "a/one", "b/two") == [False, True]
    assert paired(found("one", "two"), "a/one", "b/one", "c/two") == [False, False, True]


def test_predictions_of_another_set_are_an_error() -> None:
    with pytest.raises(InputError, match="they are called like b/two, its images like a/one"):
        found("b/two").cases(labelled("a/one"))


def test_json_lines_as_runs_write_them(tmp_path: Path) -> None:
    lines = write(
        tmp_path / "faces.jsonl",
        {"image": "a/one.jpg", "width": 9, "height": 9, "faces": [{"box": [1, 2, 3, 4], "score": 0.5}]},
        {"image": "a/none.png", "width": 9, "height": 9, "faces": []},
        {"image": "a/bad.jpg", "error": "a/bad.jpg is damaged."},
    )
    for path in (lines, tmp_path):
        made = read(path)
        assert made.found["a/one"].boxes.tolist() == [[1, 2, 3, 4]]
        assert len(made.found["a/none"]) == 0
        assert [(skip.where, skip.why) for skip in made.skipped] == [("a/bad.jpg", "is damaged.")]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ([1], "no JSON object"),
        ({"faces": []}, "no record of an image"),
        ({"image": "a.mp4", "frame": 1, "faces": []}, "of a video"),
        ({"image": "a.jpg"}, "without a box"),
        ({"image": "a.jpg", "faces": [{"box": [1, 2, 3], "score": 1}]}, "without a box"),
        ({"image": "a.jpg", "faces": [{"box": [1, 2, 3, 4]}]}, "without a score"),
        ({"image": "a.jpg", "faces": [{"box": [1, 2, 3, float("nan")], "score": 1}]}, "finite"),
        ({"image": "a.jpg", "faces": [{"box": [1, 2, 3, 1e30], "score": 1}]}, "finite"),
        ({"image": "a.jpg", "faces": 7}, "without a box"),
        ({"image": "a.jpg", "faces": {}}, "without a box"),
        ({"image": "a.jpg", "faces": ["box"]}, "without a box"),
        ({"image": "a.jpg", "faces": [{"box": [1, 2, 3, 10**400], "score": 1}]}, "finite"),
        ({"image": "a.jpg", "faces": [{"box": [1, [2], 3, 4], "score": 1}]}, "without a box"),
        ({"image": "a\ud800.jpg", "faces": []}, "no record of an image"),
        ({"image": "", "faces": []}, "no record of an image"),
    ],
)
def test_records_that_do_not_fit_are_said_so(record: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read(write(tmp_path / "x.jsonl", record))


def test_what_is_no_json_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "LONGEST", 200)
    for data in (b"{", b"\xff\xfe{}", b"[" * 190 + b"\n", b'{"image": "' + b"a" * 300 + b'"}\n'):
        (tmp_path / "x.jsonl").write_bytes(data)
        with pytest.raises(InputError, match="not of JSON lines"):
            read(tmp_path / "x.jsonl")


def test_two_predictions_of_one_image(tmp_path: Path) -> None:
    twice = [{"image": name, "faces": []} for name in ("a.jpg", "a.png")]
    with pytest.raises(InputError, match="two predictions for the image a"):
        read(write(tmp_path / "x.jsonl", *twice))


def test_a_folder_of_text_files_with_a_damaged_one(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.txt").write_text("one\n1\n1 2 3 4 0.5\n")
    (tmp_path / "a" / "none.txt").write_text("none\n0\n")
    (tmp_path / "a" / "torn.txt").write_text("torn\n3\n1 2 3 4 0.5\n")
    made = read(tmp_path)
    assert made.found["a/one"].boxes.tolist() == [[1, 2, 4, 6]] and len(made.found["a/none"]) == 0
    assert [skip.where for skip in made.skipped] == ["a/torn"]


def test_labels_are_no_predictions(tmp_path: Path) -> None:
    (tmp_path / "labelv2.txt").write_text("# a/one.jpg 640 480\n10 20 30 45\n")
    with pytest.raises(InputError, match="have no scores"):
        read(tmp_path / "labelv2.txt")
    with pytest.raises(UsageError, match="no file or folder"):
        read(tmp_path / "nothing")


def test_predictions_of_images_that_the_set_does_not_have_are_counted(tmp_path: Path) -> None:
    (tmp_path / "labelv2.txt").write_text("# a/one.jpg 640 480\n10 20 30 45\n# a/two.jpg 640 480\n1 2 three 4\n")
    rows = [{"image": f"a/{name}.jpg", "faces": [{"box": [10, 20, 30, 45], "score": 1}]} for name in ("one", "else")]
    write(tmp_path / "x.jsonl", *rows)
    options = JudgeOptions(bootstrap=0)
    document, result = judge_predictions(str(tmp_path / "x.jsonl"), str(tmp_path / "labelv2.txt"), options)
    assert document["values"]["AP"] == pytest.approx(1.0)
    assert document["counts"]["predictions of other images"] == 1
    assert [skip.where for skip in result.skipped] == ["1"] and result.exit_code == 3
