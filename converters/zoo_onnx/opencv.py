"""ONNX files on OpenCV's DNN module."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray

from zoo.errors import ModelError
from zoo.runtimes import TensorInfo
from zoo.runtimes.sessions import failed, one_line, require_cpu, require_fit
from zoo_onnx.external import whole


class OpenCVSession:
    """A `zoo.runtimes.Session` of OpenCV DNN. Raises `ModelError` when `path` is no ONNX model that OpenCV can load.

    An OpenCV net keeps the state of a run and serves one thread, so each thread gets one of its own. The number of
    threads that work on one net is OpenCV's own, common to the process (`zoo.runtimes.threads.apply`).
    """

    runtime = "opencv"
    device = "cpu"

    def __init__(self, path: Path, *, threads: int = 1, device: str = "auto") -> None:
        require_cpu(self.runtime, device, "use the runtime onnxruntime for cuda")
        self._path, self._data = path, whole(path)
        self.inputs, self.outputs = _declared(self._data, path)
        self._names = [info.name for info in self.outputs]
        self._local = threading.local()
        self._net()  # a file that OpenCV cannot load is refused now

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See `zoo.runtimes.Session.run`."""
        net = self._net()
        require_fit(self._path, self.inputs, feeds)  # OpenCV computes something of any shape
        try:
            for name, array in feeds.items():
                net.setInput(array, name)
            # The arrays are the net's own memory, which its next run overwrites.
            return [np.array(output) for output in net.forward(self._names)]
        except cv2.error as error:
            raise failed(self._path, feeds, _reason(error)) from error

    def _net(self) -> Any:
        if not hasattr(self._local, "net"):
            try:
                self._local.net = cv2.dnn.readNetFromONNX(np.frombuffer(self._data, np.uint8))
            except cv2.error as error:
                raise ModelError(f"OpenCV cannot load {self._path}: {_reason(error)}.") from error
        return self._local.net


def _declared(data: bytes, path: Path) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    """The inputs and outputs that the file declares: OpenCV itself does not tell which sizes are open."""
    try:
        graph = onnx.load_model_from_string(data).graph
    except DecodeError:
        raise ModelError(f"{path} is damaged or not an ONNX model.") from None
    if not graph.node:
        raise ModelError(f"{path} is damaged or not an ONNX model: it holds no network.")
    constants = {tensor.name for tensor in graph.initializer}  # old writers list the weights among the inputs
    inputs = tuple(_info(value) for value in graph.input if value.name not in constants)
    return inputs, tuple(_info(value) for value in graph.output)


def _info(value: Any) -> TensorInfo:
    sizes = value.type.tensor_type.shape.dim
    return TensorInfo(value.name, tuple(size.dim_value if size.HasField("dim_value") else None for size in sizes))


def _reason(error: cv2.error) -> str:
    """OpenCV's message in one line, without the place in its source code."""
    return one_line(str(error).split(") ", 2)[-1])
