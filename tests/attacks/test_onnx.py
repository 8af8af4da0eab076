"""ONNX files whose weights lie elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.models.conftest import tiny_onnx
from zoo.errors import ModelError, UsageError
from zoo.inference.artifacts import Artifact
from zoo.models.convert import convert
from zoo.models.plan import make_plan
from zoo.plugins import catalogue
from zoo.runtimes import open_session

RUNTIMES = ("onnxruntime", "opencv")


def outside(path: Path, location: str, offset: str = "0", length: str = "432") -> Path:
    """The tiny network with its 432 bytes of weights in another file."""
    model = onnx.load(str(tiny_onnx(path)))
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": offset, "length": length}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "model"
    inner.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(432))
    (inner / "link.bin").symlink_to(tmp_path / "secret.bin")
    (inner / "weights.bin").write_bytes(np.ones(108, np.float32).tobytes())
    return inner


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("location", ["../secret.bin", "{}/secret.bin", "link.bin", "gone.bin", ""])
def test_weights_from_elsewhere_are_refused(folder: Path, location: str, runtime: str) -> None:
    path = outside(folder / "net.onnx", location.format(folder.parent))
    with pytest.raises(ModelError, match=r"net\.onnx"):
        open_session(path, "onnx", runtime=runtime)


@pytest.mark.parametrize(("offset", "length"), [("4", "432"), ("0", "4000000000"), ("-1", "4"), ("x", "4")])
def test_weights_beyond_their_file_are_refused(folder: Path, offset: str, length: str) -> None:
    path = outside(folder / "net.onnx", "weights.bin", offset, length)
    with pytest.raises(ModelError, match="is damaged: weights at"):
        open_session(path, "onnx", runtime="opencv")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_weights_beside_the_model_are_read(folder: Path, runtime: str) -> None:
    path = outside(folder / "net.onnx", "weights.bin")
    (maps,) = open_session(path, "onnx", runtime=runtime).run({"images": np.ones((1, 3, 4, 4), np.float32)})
    assert maps[0, 0, 1, 1] == pytest.approx(27)


def test_all_files_of_a_model_are_known(folder: Path, tmp_path: Path) -> None:
    path = outside(folder / "net.onnx", "weights.bin")
    assert Artifact(path, "onnx", catalogue().cards["yunet_n"]).files == (path, folder / "weights.bin")
    with pytest.raises(UsageError, match=r"consists of net\.onnx, weights\.bin"):
        convert(make_plan(path, tmp_path / "copy.onnx", {"card": "yunet_n", "photo": "none"}))
