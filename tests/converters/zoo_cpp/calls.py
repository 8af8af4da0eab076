"""A generated program in a folder, compiled into the zoo's cache and called through its own C interface."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zoo_cpp.compiler import library
from zoo_cpp.session import Sources

from tests.converters.zoo_cpp.building import address, loaded, stride
from zoo.types import Faces, Floats, Image


class Program:
    """The library of the program in `folder`; as a context it is one model for images of up to `size` pixels."""

    def __init__(self, folder: Path, size: tuple[int, int], threads: int = 1) -> None:
        found = Sources.of(folder)
        self.described, self.weights = found.described, found.weights
        self.library, self.size, self.threads = loaded(library(found.texts, self.described.files[0])), size, threads
        self.pointer = ctypes.c_void_p()

    def __enter__(self) -> Program:
        given = [self.weights, ctypes.c_size_t(len(self.weights))] if self.weights is not None else []
        self("create", *self.size, self.threads, *given, ctypes.byref(self.pointer))
        return self

    def __exit__(self, *_: object) -> None:
        getattr(self.library, f"{self.described.name}_destroy")(self.pointer)

    def __call__(self, function: str, *given: Any) -> None:
        code = getattr(self.library, f"{self.described.name}_{function}")(*given)
        assert code == 0, f"{function}: error {code}"

    def detect(self, image: Image, score: float = -1.0, overlap: float = -1.0, capacity: int = 2000) -> Faces:
        rows, count = np.zeros((capacity, 15), np.float32), ctypes.c_int(-1)
        thresholds = ctypes.c_float(score), ctypes.c_float(overlap)
        self("detect", self.pointer, *seen(image), *thresholds, address(rows), capacity, ctypes.byref(count))
        found = rows[: count.value]
        return Faces(found[:, 1:5], found[:, 0], found[:, 5:].reshape(-1, 5, 2))

    def find(self, image: Image, faces: Faces, landmarks: int) -> Floats:
        """(N, landmarks, 2), the points of each of `faces`."""
        made = np.zeros((len(faces), landmarks, 2), np.float32)
        for index, points in enumerate(made):
            keypoints = None if faces.keypoints is None else np.ascontiguousarray(faces.keypoints[index], np.float32)
            box = np.ascontiguousarray(faces.boxes[index], np.float32)
            self("find", self.pointer, *seen(image), address(box), address(keypoints), address(points), None)
        return made

    def embed(self, image: Image, faces: Faces, length: int) -> Floats:
        """(N, length), the embedding of each of `faces`."""
        made = np.zeros((len(faces), length), np.float32)
        assert faces.keypoints is not None
        for keypoints, embedding in zip(faces.keypoints, made, strict=True):
            given = np.ascontiguousarray(keypoints, np.float32)
            self("embed", self.pointer, *seen(image), address(given), address(embedding))
        return made


def seen(image: NDArray[np.uint8]) -> tuple[Any, ...]:
    """An image (H, W, 3) as the C interface takes it."""
    return address(image), image.shape[1], image.shape[0], stride(image)
