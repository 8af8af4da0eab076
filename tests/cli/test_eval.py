"""``zoo eval`` and the task ``eval``, on the photographs of the fixtures laid out as WIDER FACE is."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.cli.conftest import Zoo

NEEDED = ("results.json", "curves.json", "pr.png", "worst.jpg", "predictions", "eval.zoo.json")
EVENT = "0--Photographs"


@pytest.fixture
def tree(fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``data/widerface`` with five photographs whose faces are known: of each image the first is easy, those up to the
    third are medium, and all are hard."""
    scipy_io = pytest.importorskip("scipy.io", reason="writes the MATLAB files")
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", str(fixtures))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "data" / "widerface"
    folder, truth = root / "WIDER_val" / "images" / EVENT, root / "labelv2" / "val" / "gt"
    folder.mkdir(parents=True)
    truth.mkdir(parents=True)
    names, boxes = [], []
    for image in ElementTree.parse(fixtures / "dlib" / "testing.xml").getroot().iter("image"):
        name = image.attrib["file"]
        shutil.copy(fixtures / "dlib" / name, folder)
        names.append(Path(name).stem)
        sides = ("left", "top", "width", "height")
        boxes.append([[int(box.attrib[side]) for side in sides] for box in image.iter("box")])
    lists = {"file_list": names, "face_bbx_list": [np.array(rows, np.int32) for rows in boxes]}
    for setting, most in (("face", 0), ("easy", 1), ("medium", 3), ("hard", 100)):
        kept = [np.arange(1, min(most, len(rows)) + 1, dtype=np.uint8)[:, None] for rows in boxes]
        cells = {**lists, **({"gt_list": kept} if most else {})}
        content = {"event_list": column([EVENT]), **{name: column([column(rows)]) for name, rows in cells.items()}}
        scipy_io.savemat(truth / f"wider_{setting}_val.mat", content, do_compression=True)
    return root


def column(values: list[Any]) -> Any:
    """A column of cells."""
    cells = np.empty((len(values), 1), object)
    for row, value in enumerate(values):
        cells[row, 0] = value
    return cells


def test_a_model_is_judged_as_the_original_was(zoo: Zoo, tree: Path, tmp_path: Path) -> None:
    done = zoo("eval", "yunet_n", "--data", "widerface:data/widerface", "--protocol", "widerface", "--out", "out")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("easy    1.00000  of 5 faces")
    assert [line.split()[0] for line in lines[:3]] == ["easy", "medium", "hard"]
    assert "5 images" in lines[3] and "0 missing predictions, 0 empty predictions" in lines[3]
    for name in NEEDED:
        assert (tmp_path / "out" / name).exists(), name
    receipt = json.loads((tmp_path / "out" / "eval.zoo.json").read_text("utf-8"))
    assert receipt["options"]["thresholds"] == "protocol" and receipt["model"] == "yunet_n"
    assert receipt["counts"] == {"inputs": 5, "done": 5, "skipped": 0}
    assert cv2.imread(str(tmp_path / "out" / "pr.png")) is not None
    assert cv2.imread(str(tmp_path / "out" / "worst.jpg")) is not None
    curves = json.loads((tmp_path / "out" / "curves.json").read_text("utf-8"))
    assert list(curves) == ["easy", "medium", "hard"] and len(curves["hard"]["recall"]) == 1000
    assert zoo("verify", "out").returncode == 0


def test_predictions_that_were_kept_have_the_same_figures(zoo: Zoo, tree: Path, tmp_path: Path) -> None:
    common = ("--data", "widerface:data/widerface", "--json", "--bootstrap", "20", "--seed", "3")
    model = json.loads(zoo("eval", "yunet_s", *common, "--out", "out", "max_faces=50").stdout)
    kept = json.loads(zoo("eval", "--predictions", "out/predictions", *common).stdout)
    for name in ("scores", "slices", "best", "counts"):
        assert model[name] == kept[name], name
    assert model["counts"]["detections"] <= 250


def test_json_lines_of_a_run_are_predictions(zoo: Zoo, tree: Path) -> None:
    run = zoo(
        "run", "yunet", "infer", "data/widerface/WIDER_val/images", "thresholds=protocol", "save=jsonl", "-o", "r"
    )
    assert run.returncode == 0, run.stderr
    for place in ("r", "r/faces.jsonl"):
        done = zoo("eval", "--predictions", place, "--data", "widerface:data/widerface", "--json", "--bootstrap", "0")
        assert json.loads(done.stdout)["values"]["easy"] == 1.0, done.stderr


def test_the_task_judges_any_labelled_set(zoo: Zoo, tree: Path, fixtures: Path, tmp_path: Path) -> None:
    for method in ("yunet", "scrfd", "retinaface"):
        words = ("run", method, "eval", fixtures / "dlib" / "testing.xml", "--out", method, "--bootstrap", "0")
        done = zoo(*words)
        assert done.returncode == 0, done.stderr
        document = json.loads((tmp_path / method / "results.json").read_text("utf-8"))
        assert document["protocol"] == "coco" and document["values"]["AP50"] > 0.9
        assert f"AP50       {document['values']['AP50']:.5f}  of 25 faces" in done.stdout
        assert (tmp_path / method / "worst.jpg").is_file()


def test_images_that_are_missing_or_broken_are_skipped_and_their_faces_count(zoo: Zoo, tree: Path) -> None:
    first, second, *_ = sorted((tree / "WIDER_val" / "images" / EVENT).iterdir())
    first.unlink()
    second.write_bytes(second.read_bytes()[:3000])
    done = zoo("eval", "yunet_n", "--data", "widerface:data/widerface", "--bootstrap", "0", "--json")
    assert done.returncode == 3
    assert "5 inputs = 3 done + 2 skipped" in done.stderr and first.stem in done.stderr
    document = json.loads(done.stdout)
    assert document["counts"]["missing predictions"] == 2
    assert sum(score["faces"] for score in document["scores"][:1]) == 5
    assert document["values"]["easy"] < 0.7


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["yunet_n"], 2, "--data"),
        (["--data", "widerface:data/widerface"], 2, "one model"),
        (["yunet_n", "yunet_s", "--data", "x"], 2, "one model"),
        (["yunet_n", "--data", "nothing"], 2, "nothing"),
        (["yunet_n", "--data", "widerface:data"], 1, "evaluation tools"),
        (["yunet_n", "--data", "data/widerface", "--protocol", "widerfase"], 2, "Did you mean widerface?"),
        (["yunet_nn", "--data", "widerface:data/widerface"], 2, "Did you mean yunet_n?"),
        (["arcface_r18", "--data", "widerface:data/widerface"], 2, "no task 'eval'"),
        (["yunet_n", "--data", "widerface:data/widerface", "bootstrap=-1"], 2, "bootstrap"),
        (["yunet_n", "--data", "widerface:data/widerface", "images=none"], 1, "images=FOLDER"),
        (["--predictions", "nothing", "--data", "widerface:data/widerface"], 2, "nothing"),
        (["--predictions", "data", "--data", "widerface:data/widerface"], 2, "no format"),
        (["--predictions", "other.jsonl", "--data", "widerface:data/widerface"], 1, "they are called like z/y"),
        (["--predictions", "torn.jsonl", "--data", "widerface:data/widerface"], 1, "not of JSON lines"),
        (["--predictions", "other.jsonl", "--data", "data/people"], 2, "no boxes"),
    ],
)
def test_bad_input_is_one_sentence(
    words: list[str], code: int, said: str, zoo: Zoo, tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.jsonl").write_text('{"image": "z/y.jpg", "faces": []}\n')
    (tmp_path / "torn.jsonl").write_text('{"image": "z/y.jpg", "fa\n')
    for name in ("ann", "bob"):
        (tmp_path / "data" / "people" / name).mkdir(parents=True)
        shutil.copy(next((tree / "WIDER_val").rglob("*.jpg")), tmp_path / "data" / "people" / name / "1.jpg")
    done = zoo("eval", "--out", "out", *words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    assert not (tmp_path / "out").exists()
