"""Both ONNX runtimes: the protocol, agreement, and what they say about bad files."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from zoo_onnx.checks import onnxruntime as check_onnxruntime
from zoo_onnx.checks import opencv as check_opencv
from zoo_onnx.opencv import OpenCVSession
from zoo_onnx.ort import OrtSession
from zoo_onnx.sniff import sniff

from zoo.errors import ModelError, RuntimeMissingError, UsageError
from zoo.runtimes import Session

ENGINES = [OrtSession, OpenCVSession]
Engine = Callable[..., Session]


def conv_model(path: Path, batch: int | str = "n", size: int | str = "s") -> Path:
    """A network with one convolution and a sigmoid, written to `path`."""
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(0).normal(0, 0.01, (2, 3, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), helper.make_node("Sigmoid", ["c"], ["y"])]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, size, size])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 2, size, size])
    graph = helper.make_graph(nodes, "conv", [x], [y], [numpy_helper.from_array(weight, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("engine", ENGINES)
def test_a_session_tells_what_it_is(engine: Engine, tmp_path: Path) -> None:
    session = engine(conv_model(tmp_path / "m.onnx", 1), threads=1)
    assert session.inputs[0].name == "x"
    assert session.inputs[0].shape == (1, 3, None, None)
    assert [output.name for output in session.outputs] == ["y"]
    assert session.device == "cpu"
    assert session.runtime in ("onnxruntime", "opencv")


def test_the_runtimes_agree_on_any_size_and_batch(tmp_path: Path) -> None:
    path = conv_model(tmp_path / "m.onnx")
    sessions = [engine(path) for engine in ENGINES]
    for shape in ((1, 3, 8, 8), (3, 3, 17, 5), (1, 3, 1, 1)):
        x = np.random.default_rng(1).uniform(0, 255, shape).astype(np.float32)
        ort, opencv = (session.run({"x": x})[0] for session in sessions)
        assert ort.shape == opencv.shape
        assert np.abs(ort - opencv).max() < 1e-5


@pytest.mark.parametrize("engine", ENGINES)
def test_outputs_stay_after_the_next_run(engine: Engine, tmp_path: Path) -> None:
    session = engine(conv_model(tmp_path / "m.onnx"))
    (first,) = session.run({"x": np.zeros((1, 3, 8, 8), np.float32)})
    before = first.copy()
    session.run({"x": np.full((1, 3, 8, 8), 255, np.float32)})
    assert np.array_equal(first, before)


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_share_a_session(engine: Engine, tmp_path: Path) -> None:
    session = engine(conv_model(tmp_path / "m.onnx"))
    inputs = [np.full((1, 3, 32, 32), value, np.float32) for value in range(8)]
    expected = [session.run({"x": x})[0] for x in inputs]
    wrong: list[int] = []

    def work(index: int) -> None:
        results = [session.run({"x": inputs[index]})[0] for _ in range(20)]
        wrong.extend(index for result in results if not np.array_equal(result, expected[index]))

    workers = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("content", [b"", b"hello, world " * 9, b"\x08\x06", None])
def test_bad_files_get_one_sentence(
    engine: Engine, content: bytes | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.onnx"
    if content is None:
        content = conv_model(path).read_bytes()[:-40]
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.onnx") as caught:
        engine(path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_missing_file(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.onnx"):
        engine(tmp_path / "absent.onnx")


@pytest.mark.parametrize("engine", ENGINES)
def test_an_input_that_does_not_fit(engine: Engine, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    session = engine(conv_model(tmp_path / "m.onnx"))
    with pytest.raises(ModelError, match="cannot process an input of 1x4x8x8") as caught:
        session.run({"x": np.zeros((1, 4, 8, 8), np.float32)})
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_device_that_is_not_there(engine: Engine, tmp_path: Path) -> None:
    path = conv_model(tmp_path / "m.onnx")
    with pytest.raises(UsageError, match="no device 'cudda'"):
        engine(path, device="cudda")
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers() or engine is OpenCVSession:
        with pytest.raises(RuntimeMissingError, match="cpu"):
            engine(path, device="cuda:0")
    assert engine(path, device="cpu").device == "cpu"


def test_onnxruntime_prints_no_warnings_about_wrong_declared_sizes(
    fixtures: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    session = OrtSession(fixtures / "scrfd" / "official_det_500m.onnx")
    outputs = session.run({"input.1": np.zeros((1, 3, 320, 320), np.float32)})
    assert outputs[0].shape == (3200, 1)
    assert session.outputs[0].shape == (12800, 1)
    assert capfd.readouterr() == ("", "")


def test_health_checks_run_a_network() -> None:
    for check in (check_onnxruntime, check_opencv):
        health = check()
        assert health.status == "ok", health
        assert health.detail[0].isdecimal()
        assert "azure" not in health.detail


def test_sniff(tmp_path: Path, fixtures: Path) -> None:
    confidence, reason = sniff(conv_model(tmp_path / "m.onnx"))
    assert confidence > 0.9
    assert "ONNX version 6" in reason
    conv_model(tmp_path / "m.bin")
    assert 0 < sniff(tmp_path / "m.bin")[0] < 0.5
    assert sniff(fixtures / "yunet" / "yunet_n.pth")[0] == 0
    assert sniff(fixtures / "images" / "insightface_t1.jpg")[0] == 0
    assert sniff(tmp_path / "absent.onnx")[0] == 0
