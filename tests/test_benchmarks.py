"""Each benchmark runs, with tiny settings, and says what it found in the agreed words. No test looks at a time."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import NAMES
from benchmarks.harness import Report, in_turn
from benchmarks.reading import PEER, interpreter
from tests.conftest import ROOT

KEYS = {"name", "holds", "contended", "comparisons", "facts", "load", "others", "cores", "machine", "versions"}
COMPARISON = {"what", "peer", "ratio", "bar", "holds", "ours", "theirs"}
TINY = {
    "startup": ["--rounds", "1"],
    "latency": ["--rounds", "2"],
    "nms": ["--rounds", "1", "--largest", "1000"],
    "throughput": ["--rounds", "1", "--images", "4", "--others", "2"],
    "memory": ["--rounds", "1", "--images", "20", "--few", "10"],
    "conversion": ["--rounds", "1", "--images", "60", "--few", "40"],
    "models": ["--rounds", "2", "yunet_n", "slim56"],
    "quantised": ["--rounds", "2", "peppa_slim160"],
    "native": ["--rounds", "1"],
    "widerface": ["--rounds", "1", "--images", "30"],
    "training": ["scrfd_500m_bnkps", "--rounds", "1", "--images", "8", "--steps", "2", "--batch", "2", "--side", "64"],
    "learning": ["finetuned"],
}
WITHOUT_FIXTURES = ("startup", "nms", "conversion", "training")


def report(name: str) -> dict[str, Any]:
    """What ``python -m benchmarks.NAME`` prints."""
    words = [sys.executable, "-m", f"benchmarks.{name}", *TINY[name]]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    return json.loads(line)


def check(document: dict[str, Any], name: str) -> None:
    assert set(document) == KEYS
    assert document["name"] == name
    assert document["comparisons"]
    for comparison in document["comparisons"]:
        assert set(comparison) == COMPARISON
        assert comparison["ratio"] > 0
        for side in (comparison["ours"], comparison["theirs"]):
            assert 0 < side["low"] <= side["median"] <= side["high"]
    assert document["holds"] == all(comparison["holds"] for comparison in document["comparisons"])


@pytest.mark.slow
@pytest.mark.parametrize("name", WITHOUT_FIXTURES)
def test_a_benchmark_prints_one_report(name: str) -> None:
    if name == "training":
        pytest.importorskip("torch", reason="training needs PyTorch")
    document = report(name)
    check(document, name)
    if name == "training":
        facts = document["facts"]["scrfd_500m_bnkps"]
        assert facts["greatest difference of the weights"] < 1e-4
        assert 0 <= facts["share of the time spent waiting for data"] < 1
    if name == "conversion":
        peers = {comparison["peer"] for comparison in document["comparisons"]}
        assert (PEER in peers) is bool(interpreter())
        assert ("left out" in document["facts"]) is not bool(interpreter())


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT_FIXTURES])
def test_a_benchmark_of_real_models_prints_one_report(name: str, fixtures: Path) -> None:
    if name == "models":
        pytest.importorskip("litert_torch", reason="measures what exporting to TFLite costs")
        pytest.importorskip("tf2onnx", reason="measures TensorFlow's network, too")
    if name == "native" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        pytest.skip("there is no C++ compiler")
    if name == "learning":
        pytest.importorskip("torch", reason="training needs PyTorch")
    document = report(name)
    check(document, name)
    if name == "quantised":
        assert document["facts"]["peppa_slim160, onnx"]["loss"]["share"] < 1
    if name == "native":
        assert document["facts"]["yunet_s"]["faces"] == 6
    if name == "widerface":
        assert document["facts"]["difference from the port"] == 0
    if name == "learning":
        assert document["holds"]
        held = document["facts"]["finetuned"]["two held out"]
        assert held["after"]["scores"]["AP"] > held["before"]["scores"]["AP"]
    if name == "throughput":
        agreed = document["facts"]["yunet_n"]["opencv"]
        assert agreed["same_count"] == agreed["images"] == 4
        assert agreed["box_pixels"] < 0.5
        assert agreed["score"] < 0.01


def test_what_is_compared_runs_in_turn_after_a_warm_up() -> None:
    calls: list[str] = []

    def action(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    taken = in_turn(2, {"a": lambda: action("a"), "b": lambda: action("b")}, warm_up=1)
    assert calls == ["a", "b"] * 3
    assert taken == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_a_ratio_is_the_median_of_the_pairs_and_is_held_to_its_bar() -> None:
    found = Report("x", load=0.0)
    assert found.compare("a", "b", [1.0, 30.0, 3.0], [1.0, 10.0, 1.5], "s", most=2.0).ratio == 2.0
    assert found.document()["holds"]
    assert not found.compare("a", "b", [1.0], [1.0], "images/s", least=1.4).holds
    assert not found.document()["holds"]
    assert Report("x", load=1e9).document()["contended"]
