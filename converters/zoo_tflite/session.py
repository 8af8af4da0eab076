"""TFLite files on LiteRT, which is what TensorFlow Lite is called now."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ModelError
from zoo.models.quiet import hushed
from zoo.runtimes import TensorInfo
from zoo.runtimes.sessions import failed, one_line, require_cpu, require_fit
from zoo_tflite.model import FLOAT32, Tensor, describe


class TFLiteSession:
    """A `zoo.runtimes.Session` of LiteRT. Raises `ModelError` when `path` is no TFLite file that can be run.

    An interpreter keeps the state of a run and serves one thread, so each thread gets one of its own. Where the file
    leaves sizes of its input open, the interpreter is sized for what it is given.
    """

    runtime = "tflite"
    device = "cpu"

    def __init__(self, path: Path, *, threads: int = 1, device: str = "auto") -> None:
        require_cpu(self.runtime, device)
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
        require_fit(self._path, self.inputs, feeds)
        interpreter = self._interpreter()
        inputs = [info["index"] for info in interpreter.get_input_details()]
        try:
            self._resize(interpreter, feeds)
            for index, info in zip(inputs, self.inputs, strict=True):
                interpreter.set_tensor(index, np.ascontiguousarray(feeds[info.name], np.float32))
            interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise failed(self._path, feeds, error) from error
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

    def _interpreter(self) -> Any:
        if not hasattr(self._local, "interpreter"):
            from ai_edge_litert.interpreter import Interpreter

            try:
                interpreter = Interpreter(model_path=str(self._path), num_threads=self._threads)
                interpreter.allocate_tensors()
            except (RuntimeError, ValueError) as error:
                raise ModelError(f"LiteRT cannot load {self._path}: {one_line(error)}.") from error
            self._local.interpreter = interpreter
        return self._local.interpreter


def _require_floats(tensors: tuple[Tensor, ...], path: Path) -> None:
    for tensor in tensors:
        if tensor.type != FLOAT32:
            raise ModelError(
                f"{path} takes or gives {tensor.kind} ({tensor.name}), and the zoo runs networks of float32 numbers:"
                " convert it anew with float inputs and outputs."
            )


def _info(tensor: Tensor) -> TensorInfo:
    return TensorInfo(tensor.name, tensor.shape)
