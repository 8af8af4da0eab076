"""A compiled program called through its C interface: models of the size that is needed, one for each caller at once."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ModelError

ALIGNMENT = 64
_SPARE = 2
"""A handle is made for the widest and the highest input so far, unless that is this many times what is needed."""


class NativeError(ModelError):
    """What the program itself says is wrong."""


@dataclass(frozen=True)
class Handle:
    """A model in the program's memory, for inputs of up to `width` x `height` pixels."""

    pointer: ctypes.c_void_p
    width: int
    height: int


class Native:
    """The functions of a library whose names begin with `name`, for `count` outputs.

    `weights` are the bytes of its file of weights, None where they are in the library. Several threads may call `run`
    at once. Raises `ModelError` for a library that lacks a function.
    """

    def __init__(self, path: Path, name: str, count: int, threads: int, weights: bytes | None = None) -> None:
        try:
            self._library = ctypes.CDLL(str(path))
            self._sizes, self._run, self._error, self._destroy, self._create = (
                getattr(self._library, f"{name}_{function}")
                for function in ("sizes", "run", "error", "destroy", "create")
            )
        except (OSError, AttributeError) as error:
            raise ModelError(f"The library that was compiled of {name}.cpp cannot be used: {error}.") from None
        self._error.restype, self._destroy.restype = ctypes.c_char_p, None
        self._destroy.argtypes = [ctypes.c_void_p]
        self._count, self._threads = count, threads
        self._weights = None if weights is None else _aligned(weights)
        self._lock, self._idle, self._process = threading.Lock(), list[Handle](), os.getpid()
        weakref.finalize(self, _destroy_all, self._destroy, self._idle, self._process)

    def lengths(self, width: int, height: int) -> tuple[int, ...]:
        """How many numbers each output has for an input of `width` x `height`. Raises `NativeError` for a size that the
        program does not take."""
        found = (ctypes.c_size_t * self._count)()
        self._require(self._sizes(ctypes.c_int(width), ctypes.c_int(height), found))
        return tuple(found)

    def run(self, images: NDArray[Any], width: int, height: int) -> list[NDArray[Any]]:
        """The outputs (numbers in a row) for a float32 array whose numbers are one image of `width` x `height`, laid
        out as the program wants it. Raises `NativeError`."""
        outputs = [np.empty(length, np.float32) for length in self.lengths(width, height)]
        pointers = (ctypes.c_void_p * self._count)(*(output.ctypes.data for output in outputs))
        capacities = (ctypes.c_size_t * self._count)(*(output.size for output in outputs))
        size = (ctypes.c_int(width), ctypes.c_int(height))
        with self._handle(width, height) as handle:
            given = ctypes.c_void_p(images.ctypes.data)
            code = self._run(handle.pointer, given, *size, pointers, capacities, ctypes.c_int(self._count))
        self._require(code)
        return outputs

    @contextmanager
    def _handle(self, width: int, height: int) -> Iterator[Handle]:
        """A handle for inputs of that size which nobody else has meanwhile."""
        handle = self._taken(width, height)
        try:
            yield handle
        finally:
            with self._lock:
                self._idle.append(handle)

    def _taken(self, width: int, height: int) -> Handle:
        with self._lock:
            if self._process != os.getpid():  # the threads of a handle stay behind in the process that was forked
                self._idle, self._process = [], os.getpid()
            fitting = [one for one in self._idle if one.width >= width and one.height >= height]
            taken = min(fitting or self._idle[-1:], key=lambda one: one.width * one.height, default=None)
            if taken:
                self._idle.remove(taken)
        if taken is None:
            return self._made(width, height)
        if fitting:
            return taken
        self._destroy(taken.pointer)
        grown = max(width, taken.width), max(height, taken.height)
        spare = grown[0] * grown[1] <= _SPARE * width * height
        return self._made(*(grown if spare else (width, height)))

    def _made(self, width: int, height: int) -> Handle:
        pointer = ctypes.c_void_p()
        numbers = [ctypes.c_int(number) for number in (width, height, self._threads)]
        weights: list[Any] = []
        if self._weights is not None:
            weights = [ctypes.c_void_p(self._weights.ctypes.data), ctypes.c_size_t(self._weights.size)]
        self._require(self._create(*numbers, *weights, ctypes.byref(pointer)))
        return Handle(pointer, width, height)

    def _require(self, code: int) -> None:
        if code:
            said: bytes = self._error(ctypes.c_int(code)) or b""
            raise NativeError(said.decode("utf-8", "replace").rstrip(". ") or f"error {code}")


def _aligned(data: bytes) -> NDArray[np.uint8]:
    """A copy of `data` that begins where vectors may be read."""
    room = np.empty(len(data) + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    aligned = room[start : start + len(data)]
    aligned[:] = np.frombuffer(data, np.uint8)
    return aligned


def _destroy_all(destroy: Any, idle: Sequence[Handle], process: int) -> None:
    if process == os.getpid():
        for handle in idle:
            destroy(handle.pointer)
