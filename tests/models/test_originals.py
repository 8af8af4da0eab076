"""The originals' own weights, moved by the command, against the originals' own exports and recorded answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from zoo.cli.app import run
from zoo.errors import DONE
from zoo.models.parity import probes
from zoo.plugins import catalogue

pytest.importorskip("torch", reason="the originals' weights are torch's")

Convert = Callable[..., dict[str, Any]]

EXACT = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture
def convert(
    fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Convert:
    """``zoo convert`` of a file to `target` in an empty folder, with the weights of the fixtures at hand and without a
    network; what ``--json`` prints."""
    folders = [str(fixtures / name) for name in ("yunet", "scrfd", "retinaface", "recognition", "landmarks")]
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", ":".join(folders))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    photo = fixtures / "images" / "insightface_t1.jpg"

    def call(source: Path, target: str, *words: str) -> dict[str, Any]:
        code = run(["convert", str(source), target, "samples=1", f"photo={photo}", "--json", *words])
        said = capsys.readouterr()
        assert code == DONE, said.err
        document: dict[str, Any] = json.loads(said.out)
        return document

    return call


def outputs(path: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    """What onnxruntime makes of `images`, by name."""
    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    given = session.run(None, {session.get_inputs()[0].name: images})
    return dict(zip(names, map(np.asarray, given), strict=True))


def assert_same(ours: Path, theirs: Path, images: np.ndarray) -> None:
    """The same outputs in the same order, each within 1e-5."""
    got, wanted = outputs(ours, images), outputs(theirs, images)
    assert len(got) == len(wanted)
    for (name, one), other in zip(got.items(), wanted.values(), strict=True):
        np.testing.assert_allclose(one.reshape(other.shape), other, **EXACT, err_msg=name)


def noise(card: str, width: int, height: int, batch: int = 1) -> np.ndarray:
    """What the network is given for a picture of noise."""
    (probe,) = probes(catalogue().cards[card], [(width, height)], (batch,), 1)
    return probe.images


DETECTORS: dict[str, tuple[str, list[tuple[str, Sequence[tuple[int, int, int]]]]]] = {
    "yunet_n": (
        "yunet/yunet_n.pth",
        [
            ("yunet/yunet_n_dynamic.onnx", [(320, 320, 1), (224, 96, 3)]),
            ("yunet/yunet_n_320_320.onnx", [(320, 320, 1)]),
            ("yunet/yunet_n_640_640.onnx", [(640, 640, 1)]),
        ],
    ),
    "yunet_s": (
        "yunet/yunet_s.pth",
        [
            ("yunet/yunet_s_dynamic.onnx", [(320, 320, 1), (224, 96, 3)]),
            ("yunet/yunet_s_320_320.onnx", [(320, 320, 1)]),
            ("yunet/yunet_s_640_640.onnx", [(640, 640, 1)]),
        ],
    ),
    "scrfd_500m_bnkps": (
        "scrfd/scrfd_500m_bnkps.pth",
        [
            ("scrfd/scrfd_500m_bnkps_dynamic.onnx", [(640, 640, 1), (224, 96, 3)]),
            ("scrfd/official_det_500m.onnx", [(640, 640, 1), (224, 96, 1)]),
        ],
    ),
}
"""Of each model its weights, and the originals' exports with width, height and number of images to try."""


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors_become_what_the_originals_exported(convert: Convert, fixtures: Path, name: str) -> None:
    weights, exports = DETECTORS[name]
    done = convert(fixtures / weights, "own.onnx")
    assert done["photos"][0]["faces"] == done["photos"][0]["others"] == 6
    for export, tried in exports:
        for width, height, batch in tried:
            assert_same(Path("own.onnx"), fixtures / export, noise(name, width, height, batch))
    names = [list(outputs(path, noise(name, 96, 96))) for path in (Path("own.onnx"), fixtures / exports[0][0])]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("name", "weights", "export", "side"),
    [
        (
            "mobilefacenet_foamliu",
            "recognition/foamliu_mobilefacenet.pt",
            "recognition/foamliu_MobileFaceNet.onnx",
            112,
        ),
        ("peppa_slim160", "landmarks/peppa_slim160_68.pth", "landmarks/peppa_slim160_68.onnx", 160),
    ],
)
def test_networks_of_one_face_become_what_the_originals_exported(
    convert: Convert, fixtures: Path, name: str, weights: str, export: str, side: int
) -> None:
    done = convert(fixtures / weights, "own.onnx")
    assert done["photos"][0]["faces"] == 6
    assert_same(Path("own.onnx"), fixtures / export, noise(name, side, side))
    pair = noise(name, side, side, 2)
    (together,) = outputs(Path("own.onnx"), pair).values()
    for one, image in zip(together, pair, strict=True):
        (alone,) = outputs(fixtures / export, image[None]).values()
        np.testing.assert_allclose(one, alone[0], **EXACT)


@pytest.mark.parametrize(
    ("weights", "card"),
    [
        ("m2man_mobilenet0.25_Final.pth", "retinaface_mnet025"),
        ("fd1mb_mobilenet0.25_Final.pth", "retinaface_1mb_mnet025"),
    ],
)
def test_look_alikes_of_retinaface_find_the_six_faces_each_in_its_own_way(
    convert: Convert, fixtures: Path, weights: str, card: str
) -> None:
    done = convert(fixtures / "retinaface" / weights, "own.onnx")
    assert done["photos"][0]["faces"] == done["photos"][0]["others"] == 6
    assert done["model"] == card
    assert list(outputs(Path("own.onnx"), noise(card, 97, 65))) == ["loc", "conf", "landmarks"]


@pytest.mark.parametrize("target", ["own.onnx", "own.safetensors", "own.pth"])
def test_a_lightning_file_gives_what_was_recorded(convert: Convert, fixtures: Path, target: str) -> None:
    pytest.importorskip("timm", reason="the network is one of timm's")
    written = fixtures / "written_by_originals"
    convert(written / "pl_synthetics_test_resnet.ckpt", target)
    if target != "own.onnx":
        convert(Path(target), "own.onnx")
    recorded = np.load(written / "pl_synthetics_test_resnet_io.npz")
    (found,) = outputs(Path("own.onnx"), recorded["x"].astype(np.float32)).values()
    np.testing.assert_allclose(found, recorded["y"], **EXACT)


@pytest.mark.parametrize("folder", ["slim_ckpt_bn_dm05", "slim_ckpt_nobn_dm05"])
@pytest.mark.xdist_group("tensorflow")
def test_tensorflows_checkpoints_give_what_was_recorded(convert: Convert, fixtures: Path, folder: str) -> None:
    pytest.importorskip("tf2onnx", reason="the way leads over TensorFlow")
    source = fixtures / "written_by_originals" / folder
    done = convert(source, "own.onnx")
    assert done["model"] == "slim56"
    recorded = np.load(source / "io.npz")
    (found,) = outputs(Path("own.onnx"), recorded["x"]).values()
    np.testing.assert_allclose(found, recorded["y"], **EXACT)


@pytest.mark.xdist_group("tensorflow")
def test_a_public_tflite_file_becomes_onnx(convert: Convert, fixtures: Path) -> None:
    pytest.importorskip("tf2onnx", reason="it reads TFLite")
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="it runs TFLite")
    source = fixtures / "recognition" / "MobileFaceNet.tflite"  # takes two images at once, channels last
    convert(source, "own.onnx", "card=mobilefacenet_foamliu", "photo=none")
    interpreter = litert.Interpreter(model_path=str(source))
    interpreter.allocate_tensors()
    (given,), (said,) = interpreter.get_input_details(), interpreter.get_output_details()
    images = np.random.default_rng(0).uniform(-1, 1, given["shape"]).astype(np.float32)
    interpreter.set_tensor(given["index"], images)
    interpreter.invoke()
    (found,) = outputs(Path("own.onnx"), images).values()
    np.testing.assert_allclose(found, interpreter.get_tensor(said["index"]), **EXACT)


def test_mxnets_own_arcface_gives_what_was_recorded(convert: Convert, fixtures: Path, tmp_path: Path) -> None:
    for end in ("symbol.json", "0000.params"):
        shutil.copy(fixtures / "written_by_originals" / f"tiny_arcface-{end}", tmp_path)
    convert(tmp_path / "tiny_arcface-0000.params", "own.onnx", "card=arcface_y1", "photo=none", "size=8x8")
    recorded = np.load(fixtures / "written_by_originals" / "tiny_arcface_io.npz")
    (found,) = outputs(Path("own.onnx"), recorded["x"]).values()
    np.testing.assert_allclose(found, recorded["y"], **EXACT)
