"""The task ``export`` on the command line: which model it takes, what it is called, what is told of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Zoo, zoo

__all__ = ["zoo"]


@pytest.fixture
def desk(fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files of two methods, in which the command works."""
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", str(fixtures))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    shutil.copy(fixtures / "yunet" / "yunet_s_dynamic.onnx", tmp_path / "mine.onnx")
    shutil.copy(fixtures / "scrfd" / "scrfd_500m_dynamic.onnx", tmp_path / "other.onnx")
    return tmp_path


def test_it_is_told_and_named_by_what_it_is(zoo: Zoo, desk: Path) -> None:
    done = zoo("run", "yunet", "export", "--weights", "mine.onnx", "--out", "out", "photo=none")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "onnx: same as the original: largest difference 0.0e+00 (output cls_8)",
        "yunet_s: 1 file",
        "wrote out/yunet_s.onnx",
        "wrote out/yunet_s.onnx.zoo.json",
    ]


def test_as_json_there_is_a_line_a_file(zoo: Zoo, desk: Path) -> None:
    done = zoo("run", "yunet", "export", "--weights", "mine.onnx", "--out", "out", "photo=none", "--json")
    (told,) = map(json.loads, done.stdout.splitlines())
    assert (told["target"], told["hops"][0]["holds"]) == ("out/yunet_s.onnx", True)


def test_the_receipt_names_the_model_that_was_exported(zoo: Zoo, desk: Path) -> None:
    assert zoo("run", "yunet", "export", "--weights", "mine.onnx", "--out", "out", "photo=none").returncode == 0
    assert json.loads((desk / "out" / "export.zoo.json").read_text())["model"] == "yunet_s"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--weights", "other.onnx"], "other.onnx is a model of scrfd: zoo run scrfd export exports it."),
        (["--weights", "mine.onnx", "--model", "yunet_n"], "mine.onnx is a file of yunet_s, not of yunet_n."),
        (["format=onxx"], "There is no format called 'onxx'. Did you mean onnx?"),
        (["format=coco"], "A model cannot be written as coco"),
        (["--weights", "mine.onnx", "convert=opset"], "The option convert takes NAME=VALUE"),
        (["--weights", "nowhere.pth"], "nowhere.pth"),
        (["convert=card=yunet_n"], "There is no option 'card' for torch -> onnx. It has "),
        (["photo.jpg"], "There is no model file and no run folder photo.jpg."),
    ],
)
def test_what_it_refuses(zoo: Zoo, desk: Path, words: list[str], sentence: str) -> None:
    done = zoo("run", "yunet", "export", *words, "--out", "out")
    assert done.returncode in (1, 2)
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (desk / "out").exists()
