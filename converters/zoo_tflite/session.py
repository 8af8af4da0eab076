"""TFLite files on LiteRT, which is what TensorFlow Lite is called now."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ModelError, RuntimeMissingError, UsageError
from zoo.models.quiet import hushed
from zoo.runtimes import TensorInfo
from zoo_tflite.model import FLOAT32, Tensor, describe


class TFLiteSession:
    """A `zoo.runtimes.Session` of LiteRT. Raises `ModelError` when `path` is no TFLite file that can be run.

    An interpreter keeps the state of a run and serves one thread, so each thread gets one of its own. Where the file
    leaves sizes of its input open, the interpreter is sized for what it is given.
    """

    runtime = "tflite"
    device = "cpu"

    def __init__(self, path: Path, *, threads: int = 1, device: str = "auto") -> None:
        _require_cpu(device)
        self._path, self._threads = path, threads
        described = describe(path)
        _require_floats((*described.inputs, *described.outputs), path)
        self.inputs = tuple(map(_info, described.inputs))
        self._local = threading.local()
        with hushed():  # the engine's greeting
            details = self._interpreter().get_output_details()  # a file that it cannot load is refused now
        fixed = all(size is not None for info in self.inputs for size in info.shape)
        self.outputs = tuple(
            TensorInfo(tensor.name, tuple(detail["shape"].tolist()) if fixed else tensor.shape)
            for tensor, detail in zip(described.outputs, details, strict=True)
        )

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See `zoo.runtimes.Session.run`."""
        self._require_fit(feeds)
        interpreter = self._interpreter()
        inputs = [info["index"] for info in interpreter.get_input_details()]
        try:
            self._resize(interpreter, feeds)
            for index, info in zip(inputs, self.inputs, strict=True):
                interpreter.set_tensor(index, np.ascontiguousarray(feeds[info.name], np.float32))
            interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"{self._path} cannot process an input of {_shapes(feeds)}: {_reason(error)}.") from error
        return [interpreter.get_tensor(info["index"]) for info in interpreter.get_output_details()]

    def _resize(self, interpreter: Any, feeds: Mapping[str, NDArray[Any]]) -> None:
        """Give the inputs the sizes of what comes, which is seldom another than before."""
        changed = False
        for detail, info in zip(interpreter.get_input_details(), self.inputs, strict=True):
            shape = feeds[info.name].shape
            if tuple(detail["shape"]) != shape:
                interpreter.resize_tensor_input(detail["index"], shape, strict=True)
                changed = True
        if changed:
            interpreter.allocate_tensors()

    def _require_fit(self, feeds: Mapping[str, NDArray[Any]]) -> None:
        for info in self.inputs:
            got = feeds[info.name].shape
            if len(got) != len(info.shape) or any(map(_differs, info.shape, got)):
                wanted = "x".join("?" if size is None else str(size) for size in info.shape)
                raise ModelError(
                    f"{self._path} cannot process an input of {'x'.join(map(str, got))}: it takes {wanted}."
                )

    def _interpreter(self) -> Any:
        if not hasattr(self._local, "interpreter"):
            from ai_edge_litert.interpreter import Interpreter

            try:
                interpreter = Interpreter(model_path=str(self._path), num_threads=self._threads)
                interpreter.allocate_tensors()
            except (RuntimeError, ValueError) as error:
                raise ModelError(f"LiteRT cannot load {self._path}: {_reason(error)}.") from error
            self._local.interpreter = interpreter
        return self._local.interpreter


def _require_cpu(device: str) -> None:
    if device in ("auto", "cpu"):
        return
    if device.partition(":")[0] == "cuda":
        raise RuntimeMissingError("The runtime tflite runs on the cpu only; convert the model to ONNX for cuda.")
    raise UsageError(f"The runtime tflite has no device {device!r}; it has: auto, cpu.")


def _require_floats(tensors: tuple[Tensor, ...], path: Path) -> None:
    for tensor in tensors:
        if tensor.type != FLOAT32:
            raise ModelError(
                f"{path} takes or gives {tensor.kind} ({tensor.name}), and the zoo runs networks of float32 numbers:"
                " convert it anew with float inputs and outputs."
            )


def _info(tensor: Tensor) -> TensorInfo:
    return TensorInfo(tensor.name, tensor.shape)


def _differs(wanted: int | None, got: int) -> bool:
    return wanted is not None and wanted != got


def _shapes(feeds: Mapping[str, NDArray[Any]]) -> str:
    return ", ".join("x".join(map(str, array.shape)) for array in feeds.values())


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(". ")
