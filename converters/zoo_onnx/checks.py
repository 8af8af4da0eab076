"""Health checks: a tiny network, really run."""

from __future__ import annotations

import functools
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.specs import Health


def onnxruntime() -> Health:
    """Whether ONNX Runtime is there and works, and on which devices."""
    if importlib.util.find_spec("onnxruntime") is None:
        advice = "pip install 'facezoo[cpu]' for several times the speed of OpenCV DNN, or 'facezoo[gpu]' for NVIDIA"
        return Health("onnxruntime", "warning", "not installed", advice)
    return _try("onnxruntime", _onnxruntime)


def opencv() -> Health:
    """Whether OpenCV DNN works."""
    return _try("opencv", _opencv)


def _onnxruntime() -> str:
    import onnxruntime as engine

    from zoo_onnx.ort import OrtSession, devices

    _run(OrtSession)
    return f"{engine.__version__}, devices: {', '.join(devices())}"


def _opencv() -> str:
    import cv2

    from zoo_onnx.opencv import OpenCVSession

    _run(OpenCVSession)
    return f"{cv2.__version__}, threads: {cv2.getNumThreads()}"


def _try(name: str, check: Callable[[], str]) -> Health:
    try:
        return Health(name, "ok", check())
    except (ImportError, ZooError) as error:
        return Health(name, "error", str(error), "install it again: pip install --force-reinstall 'facezoo[cpu]'")


def _run(session: Callable[[Path], Any]) -> None:
    """Compute relu(x) on a session of the tiny network. Raises `ZooError` when the result is wrong."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "relu.onnx"
        path.write_bytes(_relu())
        (result,) = session(path).run({"x": np.array([[-1.0, 2.0]], np.float32)})
    if not np.array_equal(result, [[0.0, 2.0]]):
        raise ZooError(f"relu of -1 and 2 came out as {np.ravel(result).tolist()}")


@functools.cache
def _relu() -> bytes:
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "check", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    data: bytes = model.SerializeToString()
    return data
