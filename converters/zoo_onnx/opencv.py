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

from zoo.errors import ModelError, RuntimeMissingError, UsageError
from zoo.runtimes import TensorInfo
from zoo_onnx.external import whole


class OpenCVSession:
    """A `zoo.runtimes.Session` of OpenCV DNN. Raises `ModelError` when `path` is no ONNX model that OpenCV can load.

    An OpenCV net keeps the state of a run and serves one thread, so each thread gets one of its own. The number of
    threads that work on one net is OpenCV's own, common to the process (`zoo.runtimes.threads.apply`).
    """

    runtime = "opencv"
    device = "cpu"

    def __init__(self, path: Path, *, threads: int = 1, device: str = "auto") -> None:
        _require_cpu(device)
        self._path, self._data = path, whole(path)
        self.inputs, self.outputs = _declared(self._data, path)
        self._names = [info.name for info in self.outputs]
        self._local = threading.local()
        self._net()  # a file that OpenCV cannot load is refused now

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See `zoo.runtimes.Session.run`."""
        net = self._net()
        self._require_fit(feeds)
        try:
            for name, array in feeds.items():
                net.setInput(array, name)
            # The arrays are the net's own memory, which its next run overwrites.
            return [np.array(output) for output in net.forward(self._names)]
        except cv2.error as error:
            shapes = ", ".join("x".join(map(str, array.shape)) for array in feeds.values())
            raise ModelError(f"{self._path} cannot process an input of {shapes}: {_reason(error)}.") from error

    def _require_fit(self, feeds: Mapping[str, NDArray[Any]]) -> None:
        """OpenCV computes something from an input of the wrong shape as well, so the shape is checked here."""
        for info in self.inputs:
            got = feeds[info.name].shape
            if len(got) != len(info.shape) or any(map(_differs, info.shape, got)):
                wanted = "x".join("?" if size is None else str(size) for size in info.shape)
                raise ModelError(
                    f"{self._path} cannot process an input of {'x'.join(map(str, got))}: it takes {wanted}."
                )

    def _net(self) -> Any:
        if not hasattr(self._local, "net"):
            try:
                self._local.net = cv2.dnn.readNetFromONNX(np.frombuffer(self._data, np.uint8))
            except cv2.error as error:
                raise ModelError(f"OpenCV cannot load {self._path}: {_reason(error)}.") from error
        return self._local.net


def _differs(wanted: int | None, got: int) -> bool:
    return wanted is not None and wanted != got


def _require_cpu(device: str) -> None:
    if device in ("auto", "cpu"):
        return
    if device.partition(":")[0] == "cuda":
        raise RuntimeMissingError("The runtime opencv runs on the cpu only; use the runtime onnxruntime for cuda.")
    raise UsageError(f"The runtime opencv has no device {device!r}; it has: auto, cpu.")


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
    return " ".join(str(error).split(") ", 2)[-1].split())[:300].rstrip(". ")
