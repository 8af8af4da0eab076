"""What a run of a landmark model or an encoder prints and writes, with real weights and photographs."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import Zoo
from zoo.cli.run import _print_cosines, _print_faces

Run = Callable[..., str]


@pytest.fixture
def run(zoo: Zoo, fixtures: Path) -> Run:
    """``zoo run`` with the weights of the fixtures; what it prints."""
    folders = [str(fixtures / name) for name in ("retinaface", "landmarks", "recognition")]
    environment = {"ZOO_WEIGHTS_PATH": os.pathsep.join(folders), "ZOO_OFFLINE": "1"}

    def call(*words: object) -> str:
        done = zoo("run", *words, environment=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_landmarks(run: Run, fixtures: Path, tmp_path: Path) -> None:
    photograph = fixtures / "images" / "insightface_t1.jpg"
    save = "save=images,jsonl,csv,npz"
    said = run("synthetics", "infer", photograph, "--model", "peppa_slim160", "--out", tmp_path, save).splitlines()
    assert said[0].split() == ["face", "score", "x1", "y1", "x2", "y2", "landmarks"]
    assert [line.split()[-2:] for line in said[1:7]] == [["68", "points"]] * 6
    assert "peppa_slim160: 1 image, 6 faces" in said[8]
    record = json.loads((tmp_path / "faces.jsonl").read_text("utf-8"))
    landmarks = np.load(tmp_path / "npz" / "insightface_t1.npz")["landmarks"]
    np.testing.assert_allclose([face["landmarks"] for face in record["faces"]], landmarks, atol=1e-4)
    with (tmp_path / "faces.csv").open(encoding="utf-8", newline="") as stream:
        row = next(csv.DictReader(stream))
    np.testing.assert_allclose([float(row["lx67"]), float(row["ly67"])], landmarks[0, 67], atol=1e-4)
    receipt = json.loads((tmp_path / "infer.zoo.json").read_text("utf-8"))
    assert receipt["detector"]["model"] == "retinaface_mnet025"
    assert len(receipt["detector"]["weights"]["sha256"]) == 64


def test_embeddings_are_compared(run: Run, fixtures: Path, tmp_path: Path) -> None:
    people = fixtures / "identities"
    given = [people / name for name in ("amy/amy1.png", "amy/amy2.png", "howard/howard1.png", "howard/howard2.png")]
    said = run("arcface", "infer", *given, "--out", tmp_path, "save=npz").splitlines()
    start = next(index for index, line in enumerate(said) if line.startswith("cosine"))
    assert said[start].split() == ["cosine", "1", "2", "3", "4"]
    rows = [line.split() for line in said[start + 1 : start + 5]]
    assert [row[:2] for row in rows] == [[str(number), path.name] for number, path in enumerate(given, 1)]
    printed = np.array([row[2:] for row in rows], float)
    embeddings = np.concatenate([np.load(tmp_path / "npz" / f"{path.stem}.npz")["embeddings"] for path in given])
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    np.testing.assert_allclose(printed, units @ units.T, atol=0.0051)
    assert printed[0, 1] > 0.5
    assert printed[2, 3] > 0.5
    assert printed[:2, 2:].max() < 0.3


def test_one_line_of_json_says_it_all(run: Run, fixtures: Path) -> None:
    said = run("arcface", "infer", fixtures / "identities" / "amy" / "amy1.png", "detector=peppa_slim160", "--json")
    (face,) = json.loads(said)["faces"]
    assert (len(face["embedding"]), len(face["landmarks"]), len(face["keypoints"])) == (128, 68, 5)


def record(name: str, *faces: dict[str, Any]) -> dict[str, Any]:
    return {"image": name, "faces": [{"box": [1, 2, 3, 4], "score": 0.5, **face} for face in faces]}


def test_the_table_of_one_image(capsys: pytest.CaptureFixture[str]) -> None:
    sure = {"landmarks": [[1, 2], [3, 4]], "variances": [1, 7], "embedding": [3, 4]}
    _print_faces(record("a.jpg", sure, {**sure, "variances": [0.01, 0.03]}))
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("landmarks            embedding")
    assert said[1].endswith("2 points, sd 2.0 px  2 numbers, norm 5.00")
    assert "sd 0.1 px" in said[2]


def test_cosines_name_images_and_faces(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = {"embedding": [3.0, 4.0]}, {"embedding": [-4.0, 3.0]}
    _print_cosines([record("a.jpg", one, other)])
    assert capsys.readouterr().out == "cosine     1     2\nface 1  1.00  0.00\nface 2  0.00  1.00\n\n"
    _print_cosines([record("a.jpg", one), record("b.jpg", other, {"embedding": [0.0, 0.0]})])
    said = capsys.readouterr().out.splitlines()
    assert [line[:14].strip() for line in said] == ["cosine", "1 a.jpg", "2 b.jpg face 1", "3 b.jpg face 2", ""]


@pytest.mark.parametrize("count", [0, 1, 13])
def test_one_face_or_a_crowd_is_not_compared(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    _print_cosines([record("a.jpg", *[{"embedding": [1.0, 2.0]}] * count)])
    _print_cosines([record("a.jpg", {}, {})])
    assert capsys.readouterr().out == ""
