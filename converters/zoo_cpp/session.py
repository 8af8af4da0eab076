"""Generated C++ executed: compiled into the zoo's cache when it is first run, and called."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ModelError
from zoo.runtimes import TensorInfo
from zoo.runtimes.sessions import failed, require_cpu, require_fit
from zoo.specs import ModelCard
from zoo_cpp import compiler
from zoo_cpp.calling import Native, NativeError
from zoo_cpp.cards import Description, folder_of, read
from zoo_cpp.engine import MAX_THREADS

_LARGEST = 1 << 31
"""Bytes of the largest file of a program that is read."""


@dataclass(frozen=True)
class Sources:
    """A program's files in memory: what ``model.json`` says, the sources by name, and the weights where they are in a
    file of their own."""

    described: Description
    texts: Mapping[str, bytes]
    weights: bytes | None

    @classmethod
    def of(cls, folder: Path) -> Sources:
        """The program in `folder`. Raises `ModelError`."""
        described = read(folder)
        main, header, *binary = (_read(folder / name) for name in described.files)
        names = described.files
        return cls(described, {names[0]: main, names[1]: header}, binary[0] if binary else None)


class CppSession:
    """A `zoo.runtimes.Session` of generated C++: of a folder of it, or of an ONNX file of which it is made.

    Looking at one compiles nothing: a folder of C++ is a program, which is run only when the model is. Raises
    `ModelError` for files that are damaged, and for ONNX files that C++ cannot be made of, `RuntimeMissingError` where
    there is no compiler. Several threads may run it at once.
    """

    runtime = "cpp"
    device = "cpu"

    def __init__(self, path: Path, *, threads: int = 1, device: str = "auto", card: ModelCard) -> None:
        require_cpu(self.runtime, device)
        compiler.find()
        self._path, self._lock = path, threading.Lock()
        self._threads = min(max(1, threads), MAX_THREADS)
        folder = folder_of(path)
        if not folder.is_dir():
            from zoo_cpp.passing import program

            folder = program(path, card)
        self._program = Sources.of(folder)
        described = self._program.described
        height, width = reversed(described.fixed or (None, None))
        sides = (height, width, 3) if described.layout == "nhwc" else (3, height, width)
        self.inputs = (TensorInfo(described.input, (1, *sides)),)
        self._whole = not card.preprocess.crop.kind
        rows = (None,) if self._whole else ()
        self.outputs = tuple(TensorInfo(name, (1, *rows, columns)) for name, columns in described.outputs)

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See `zoo.runtimes.Session.run`: one image, (1, 3, H, W) or (1, H, W, 3) float32."""
        require_fit(self._path, self.inputs, feeds)
        images = np.require(feeds[self.inputs[0].name], np.float32, ["C", "A"])
        described = self._program.described
        height, width = images.shape[1:3] if described.layout == "nhwc" else images.shape[2:]
        try:
            outputs = self._native.run(images, width, height)
        except NativeError as error:
            raise failed(self._path, feeds, error) from None
        columns = [columns for _, columns in described.outputs]
        if any(output.size % wide for output, wide in zip(outputs, columns, strict=True)):
            raise ModelError(f"{self._path} gives other outputs than its model.json says.")
        if not self._whole:
            return [output.reshape(1, -1) for output in outputs]
        return [output.reshape(1, -1, wide) for output, wide in zip(outputs, columns, strict=True)]

    @property
    def _native(self) -> Native:
        with self._lock:
            return self._compiled

    @functools.cached_property
    def _compiled(self) -> Native:
        program = self._program
        path = compiler.library(program.texts, program.described.files[0])
        described = program.described
        return Native(path, described.name, len(described.outputs), self._threads, program.weights)


def _read(path: Path) -> bytes:
    try:
        if path.exists() and (not path.is_file() or path.stat().st_size > _LARGEST):
            raise ModelError(f"{path} is no file, or too large for a part of a program.")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error.strerror or error}.") from None
