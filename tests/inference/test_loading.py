"""From names and files to loaded models."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

import zoo
from zoo.errors import ModelError, RuntimeMissingError, UsageError, WeightsError, ZooError
from zoo.inference.loading import find_card


@pytest.fixture
def local(fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights of the fixtures, and no network."""
    folders = [str(fixtures / name) for name in ("yunet", "scrfd", "retinaface")]
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", os.pathsep.join(folders))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    return fixtures


def test_by_id_by_method_and_by_file(local: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "downloaded (1).bin"
    renamed.write_bytes((local / "yunet" / "yunet_s_dynamic.onnx").read_bytes())
    for model, expected in (
        ("yunet_n", "yunet_n"),
        ("yunet", "yunet_n"),
        (renamed, "yunet_s"),
        (str(renamed), "yunet_s"),
    ):
        detector = zoo.load(model, threads=1)
        assert detector.card.id == expected
        assert len(detector(local / "images" / "insightface_t1.jpg")) == 6


def test_choices_reach_the_model(local: Path) -> None:
    detector = zoo.load(
        "yunet_n", runtime="opencv", threads=1, device="cpu", size="640x480", score="product", max_faces=2
    )
    assert detector.session.runtime == "opencv"
    assert detector.options.score == "product"
    assert len(detector(local / "images" / "insightface_t1.jpg")) == 2


def test_weights_of_ones_own(local: Path, tmp_path: Path) -> None:
    tuned = tmp_path / "tuned.onnx"
    tuned.write_bytes((local / "yunet" / "yunet_n_dynamic.onnx").read_bytes() + b"\x3a\x00")
    assert zoo.load("yunet_n", weights=tuned).card.id == "yunet_n"
    assert zoo.load(tuned, card="yunet_n").card.id == "yunet_n"
    with pytest.raises(UsageError, match=r"Nothing tells what model .*tuned\.onnx is: say with card=MODEL"):
        zoo.load(tuned)
    with pytest.raises(ModelError, match=r"tuned\.onnx does not fit the card scrfd_500m"):
        zoo.load("scrfd_500m", weights=tuned)


def test_files_of_other_models_are_named(local: Path) -> None:
    with pytest.raises(ModelError, match="is a file of yunet_s, not of yunet_n"):
        zoo.load("yunet_n", weights=local / "yunet" / "yunet_s_dynamic.onnx")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": "yunet_m"}, UsageError, "Did you mean yunet_"),
        ({"model": "absent.onnx"}, UsageError, "There is no model file absent.onnx"),
        ({"model": "yunet_n", "weights": "absent.onnx"}, WeightsError, "no file of weights at absent.onnx"),
        ({"model": "yunet_n", "card": "yunet_x"}, UsageError, "no model called 'yunet_x'"),
        ({"model": "yunet_n", "sise": "640"}, UsageError, "Did you mean size"),
        ({"model": "yunet_n", "size": "huge"}, UsageError, "size 'huge' is not understood"),
        ({"model": "yunet_n", "score": "sum"}, UsageError, "geometric or product"),
        ({"model": "scrfd_500m", "score": "product"}, UsageError, "no option 'score'"),
        ({"model": "yunet_n", "thresholds": "phot"}, UsageError, "Did you mean photo"),
        ({"model": "yunet_n", "runtime": "openvc"}, UsageError, "Did you mean opencv"),
        ({"model": "yunet_n", "device": "tpu"}, UsageError, "no device 'tpu'"),
        ({"model": "scrfd_34g"}, WeightsError, "Nobody publishes weights of scrfd_34g that can be fetched"),
        ({"model": "arcface_r200"}, ModelError, "Nobody publishes weights of arcface_r200; give your own"),
    ],
)
def test_one_sentence_for_what_cannot_be(
    arguments: dict[str, str], error: type[ZooError], message: str, local: Path
) -> None:
    with pytest.raises(error, match=message) as caught:
        zoo.load(**arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(find_spec("torch") is not None, reason="torch is installed and runs them")
def test_files_that_nothing_installed_can_run(local: Path) -> None:
    with pytest.raises(RuntimeMissingError, match="torch"):
        zoo.load("yunet_n", weights=local / "yunet" / "yunet_n.pth")


def test_files_that_are_no_model(local: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes.onnx"
    text.write_text("not a model")
    with pytest.raises(ModelError, match=r"notes\.onnx is in no model format that the zoo knows"):
        zoo.load("yunet_n", weights=text)
    cut = tmp_path / "cut.onnx"
    cut.write_bytes((local / "yunet" / "yunet_n_dynamic.onnx").read_bytes()[:100_000])
    for runtime in ("onnxruntime", "opencv"):
        with pytest.raises(ModelError, match=r"cut\.onnx is cut off, damaged or not an ONNX model"):
            zoo.load("yunet_n", weights=cut, runtime=runtime)


def test_offline_overrides_the_environment(fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_OFFLINE", "0")
    with pytest.raises(WeightsError, match="offline"):
        zoo.load("yunet_n", offline=True)


def test_find_card() -> None:
    assert find_card("scrfd").id == "scrfd_2.5g_bnkps"
    assert find_card("yunet_s", "yunet_s").id == "yunet_s"
    with pytest.raises(UsageError, match="card=yunet_s describes a model file, and yunet_n is none"):
        find_card("yunet_n", "yunet_s")


def test_names_go_before_files(local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("yunet", "yunet_n"):
        (tmp_path / name).write_text("a file that is called like a model")
        assert zoo.load(name).card.id == "yunet_n"
