"""What ``zoo inspect`` says of model files, known ones and unknown ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import ModelError, UsageError
from zoo.models.facts import facts, tell


def test_a_known_onnx_file(fixtures: Path) -> None:
    found = facts(fixtures / "scrfd" / "official_det_500m.onnx")
    assert (found["format"], found["model"], found["known"]) == ("onnx", "scrfd_500m_bnkps", "known by its hash")
    assert found["inputs"] == [{"name": "input.1", "shape": [1, 3, "?", "?"]}]
    assert [one["name"] for one in found["outputs"]][:3] == ["443", "468", "493"]
    assert found["preprocess"]["scale"] == 0.0078125
    assert found["files"][0]["size"] == 2_524_817
    assert "problems" not in found


def test_weights_are_counted_as_their_paper_counts(fixtures: Path) -> None:
    pytest.importorskip("torch", reason="it builds the network that is counted")
    found = facts(fixtures / "scrfd" / "scrfd_500m_bnkps.pth")
    assert (found["tensors"], found["parameters"], found["counted at"]) == (285, 631_410, "640x480")
    assert found["multiply-accumulates"] == 550_159_200
    assert found["flops as papers count them"] == 584_070_600
    lines = tell(found)
    assert "model: scrfd_500m_bnkps, known by its hash" in lines
    assert "flops as papers count them: 584,070,600 at 640x480" in lines


def test_of_a_file_that_nobody_knows_it_tells_what_the_file_itself_says(fixtures: Path, tmp_path: Path) -> None:
    unknown = tmp_path / "mine.onnx"
    unknown.write_bytes((fixtures / "yunet" / "yunet_s_320_320.onnx").read_bytes() + b"\x3a\x00")
    found = facts(unknown)
    assert found["inputs"] == [{"name": "input", "shape": [1, 3, 320, 320]}]
    assert len(found["outputs"]) == 12
    assert "model" not in found
    assert found["problems"] == [
        f"Nothing tells what model {unknown} is: say with card=MODEL whose onnx file it is.",
    ]
    assert tell(found)[-1].startswith("not told: Nothing tells what model")
    with pytest.raises(UsageError, match="no model called 'yunet_x'"):
        facts(unknown, card="yunet_x")


def test_weights_that_nobody_knows(fixtures: Path) -> None:
    found = facts(fixtures / "retinaface" / "mobilenetV1X0.25_pretrain.tar")
    assert (found["format"], found["tensors"]) == ("torch", 164)
    assert "inputs" not in found
    assert len(found["files"]) == len(found["problems"]) == 1


def test_mxnets_files_are_told_by_their_network(fixtures: Path) -> None:
    found = facts(fixtures / "mxnet" / "mtcnn_det1-0001.params")
    assert found["inputs"] == [{"name": "data", "shape": ["?", 3, "?", "?"]}]
    assert [one["file"] for one in found["files"]] == ["mtcnn_det1-symbol.json", "mtcnn_det1-0001.params"]
    assert "output: prob1_output" in tell(found)
    alone = facts(fixtures / "mxnet" / "legacy_ndarray.v0")
    assert alone["tensors"] == 6
    assert any("stands in a file legacy_ndarray.v0-symbol.json" in problem for problem in alone["problems"])


def test_a_damaged_file_is_refused_and_told(fixtures: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.onnx"
    cut.write_bytes((fixtures / "yunet" / "yunet_s_320_320.onnx").read_bytes()[:100_000])
    with pytest.raises(ModelError, match=r"cut\.onnx"):
        facts(cut)


def test_a_file_that_holds_its_network_is_counted_when_asked(fixtures: Path) -> None:
    pytest.importorskip("torch", reason="it builds the network that is counted")
    path = fixtures / "yunet" / "yunet_s_dynamic.onnx"
    assert "parameters" not in facts(path)
    assert facts(path, count=True)["parameters"] == 54_608


def test_a_damaged_file_is_said_to_be_of_no_use(fixtures: Path, tmp_path: Path) -> None:
    damaged, whole = tmp_path / "cut.onnx", (fixtures / "yunet" / "yunet_s_320_320.onnx").read_bytes()
    assert "unusable" not in facts(fixtures / "yunet" / "yunet_s_320_320.onnx")
    damaged.write_bytes(whole.replace(b"\x22\x04Conv", b"\x22\x04Corn", 1))
    found = facts(damaged, card="yunet_s")
    assert found["unusable"] is True
    assert "damaged or not an ONNX model" in found["problems"][0]
