"""ONNX to TFLite by onnx2tf itself, in the environment that the zoo builds for it: Python 3.12 and some 700 MB.

``ZOO_ORACLES`` names the folder in which it is kept between runs, ``ZOO_PYTHON312`` a Python 3.12 (``python3.12``).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from zoo_tflite import environment, to_tflite
from zoo_tflite.options import Onnx2tfOptions
from zoo_tflite.session import TFLiteSession

from zoo.errors import ModelError
from zoo.models.edges import Edge
from zoo.plugins import catalogue
from zoo.runtimes import open_session

MODELS = {
    "yunet/yunet_n_320_320.onnx": ("yunet_n", (320, 320)),
    "yunet/yunet_n_dynamic.onnx": ("yunet_n", (320, 256)),
    "scrfd/scrfd_500m_dynamic.onnx": ("scrfd_500m", (256, 320)),
    "recognition/foamliu_MobileFaceNet.onnx": ("mobilefacenet_foamliu", (112, 112)),
    "landmarks/peppa_slim160_68.onnx": ("peppa_slim160", (160, 160)),
}


@pytest.fixture
def python(monkeypatch: pytest.MonkeyPatch) -> str:
    pytest.importorskip("ai_edge_litert", reason="it runs what became TFLite")
    folder = os.environ.get("ZOO_ORACLES", "")
    if not folder:
        pytest.skip("ZOO_ORACLES must name a folder for onnx2tf's environment")
    monkeypatch.setenv("ZOO_CACHE", str(Path(folder) / "onnx2tf"))
    try:
        return environment.fitting_python(os.environ.get("ZOO_PYTHON312", "python3.12"))
    except ModelError as error:
        pytest.skip(f"ZOO_PYTHON312 must name a Python 3.12: {error}")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dynamic", [frozenset(), frozenset(("batch", "height", "width"))], ids=["fixed", "open"])
def test_the_same_numbers(fixtures: Path, tmp_path: Path, python: str, name: str, dynamic: frozenset[str]) -> None:
    source, (id, size) = fixtures / name, MODELS[name]
    options = Onnx2tfOptions(build_environment=True, python=python)
    edge = Edge(source, tmp_path / "net.tflite", catalogue().cards[id], tmp_path, size, dynamic, options)
    card = to_tflite.from_onnx(edge)
    assert environment.interpreter(environment.folder()).exists()
    assert card.preprocess.layout == "nhwc"
    before, after = open_session(source, "onnx"), TFLiteSession(edge.target)
    width, height = size
    count = 2 if before.inputs[0].shape[0] is None and dynamic else 1
    images = np.random.default_rng(0).uniform(-1, 1, (count, 3, height, width)).astype(np.float32)
    wanted = before.run({before.inputs[0].name: images})
    got = after.run({after.inputs[0].name: np.ascontiguousarray(images.transpose(0, 2, 3, 1))})
    assert [info.name for info in before.outputs] == [info.name for info in after.outputs]
    for old, new in zip(wanted, got, strict=True):
        assert old.shape == new.shape
        assert np.abs(old - new).max() < 1e-5 * max(1.0, float(np.abs(old).max()))
