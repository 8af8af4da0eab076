"""Which runtime executes a file."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.runtimes.test_sessions import conv_model
from zoo import runtimes
from zoo.errors import RuntimeMissingError, UsageError


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of Python modules that are not there."""
    absent: set[str] = set()
    monkeypatch.setattr(runtimes, "importable", lambda name: name not in absent)
    runtimes._note_better.cache_clear()
    return absent


def test_the_best_runtime_is_the_default(tmp_path: Path) -> None:
    path = conv_model(tmp_path / "m.onnx")
    assert runtimes.open_session(path, "onnx", threads=1).runtime == "onnxruntime"
    assert runtimes.open_session(path, "onnx", runtime="opencv", threads=1).runtime == "opencv"
    assert runtimes.usable("onnx")


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no runtime 'onnxruntme' for onnx files\. Did you mean onnxruntime"):
        runtimes.open_session(tmp_path / "m.onnx", "onnx", runtime="onnxruntme")
    with pytest.raises(RuntimeMissingError, match="No installed runtime can execute caffe files"):
        runtimes.open_session(tmp_path / "m.caffe", "caffe")
    assert not runtimes.usable("caffe")
    assert not runtimes.usable("onnx", "onnxruntme")


def test_the_lesser_runtime_says_once_how_to_get_the_better(
    without: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    without.add("onnxruntime")
    with caplog.at_level(logging.WARNING, "zoo"):
        assert [runtimes.choose("onnx").name for _ in range(3)] == ["opencv"] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "Running on opencv; for more speed get onnxruntime with pip install 'facezoo[cpu]'."
    ]


def test_what_is_not_installed(without: set[str]) -> None:
    without.update(("onnxruntime", "onnx"))
    with pytest.raises(RuntimeMissingError, match=r"needs the Python module onnxruntime.*pip install 'facezoo\[cpu\]'"):
        runtimes.choose("onnx", "onnxruntime")
    with pytest.raises(RuntimeMissingError, match=r"No installed runtime can execute onnx files; install one with pip"):
        runtimes.choose("onnx")
    assert not runtimes.usable("onnx")
