"""What `benchmarks.native` compiles, and calls: generated C++, and libfacedetection where it is on this machine.

libfacedetection is ShiqiYu's, with the weights of yunet_s in it; ``ZOO_LIBFACEDETECTION`` names a checkout. Its Highway
build needs Google's Highway 1.3 or newer: the system's, or that in the folder that ``ZOO_HIGHWAY`` names.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from zoo_cpp import compiler
from zoo_cpp.cards import read

from benchmarks.harness import run, seconds

SCORE, OVERLAP = 0.2, 0.45
"""The thresholds built into libfacedetection: root of the product of both scores, intersection over union."""
CAPACITY = 1024
"""As many faces as libfacedetection has room for."""
MODEL = "yunet_s"
"""The model that libfacedetection holds."""
AVX2 = ("-mavx2", "-mfma")
PLAIN, OPENMP = "libfacedetection, AVX2", "libfacedetection, AVX2 and OpenMP"
HIGHWAY, HIGHWAY_AVX2 = "libfacedetection, Highway", "libfacedetection, Highway, AVX2"
_BUILDS: dict[str, tuple[str, ...]] = {
    PLAIN: AVX2,
    OPENMP: (*AVX2, "-fopenmp"),
    HIGHWAY: ("-march=native",),
    # With the two flags of the library's CMake file Highway uses SSSE3; it uses AVX2 only with these.
    HIGHWAY_AVX2: (*AVX2, "-mbmi", "-mbmi2", "-mf16c", "-mlzcnt", "-maes", "-mpclmul"),
}
_RESULT, _ROW = 0x9000, 16
_EXPORT = '#define FACEDETECTION_EXPORT extern "C" __attribute__((visibility("default")))\n'
"""Stands in the header that its CMake would make, so that the function can be found by its name."""

Faces = np.ndarray
"""(N, 5) float32: left, top, right, bottom in pixels of the image, score."""


@dataclass(frozen=True)
class Library:
    """A shared library that was compiled here: `name` is what its functions begin with, or its only one's; `seconds`
    are the compiler's, `source` the bytes of what it read."""

    path: Path
    name: str
    seconds: float
    source: int

    def facts(self) -> dict[str, Any]:
        """What it costs before it is called."""
        return {
            "compiled in s": round(self.seconds, 1),
            "source, KiB": round(self.source / 1024),
            "stripped library, KiB": round(stripped(self.path) / 1024),
        }


def stripped(path: Path) -> int:
    """Bytes of the library at `path` without its symbols."""
    bare = path.with_suffix(".stripped")
    run([shutil.which("strip") or "strip", "--strip-all", "-o", bare, path])
    return bare.stat().st_size


def compiled(out: Path, name: str, flags: Sequence[str | Path], sources: Sequence[Path], links: str = "") -> Library:
    """The library `out` of `sources`. Raises `RuntimeError` with what the compiler complained of."""
    words = [*compiler.find().command, *flags, *sources, "-o", out, *links.split()]
    took = seconds(lambda: run(words))
    return Library(out, name, took, sum(path.stat().st_size for path in sources))


def generated(folder: Path, out: Path, flags: Sequence[str] = ()) -> Library:
    """The library of the generated C++ in `folder`: as the runtime ``cpp`` compiles it, or with `flags` in the place of
    those for this processor."""
    name = read(folder).name
    return compiled(out, name, (*compiler.FLAGS, *flags) if flags else compiler.flags(), [folder / f"{name}.cpp"])


def libfacedetection(work: Path) -> tuple[dict[str, Library], dict[str, str]]:
    """Its builds by name, and why others are left out. `work` is a folder for what is compiled."""
    named = os.environ.get("ZOO_LIBFACEDETECTION", "")
    place = Path(named)
    if not named or not (place / "src" / "facedetectcnn.cpp").is_file():
        return {}, {"libfacedetection": "left out: ZOO_LIBFACEDETECTION names no checkout of it"}
    (work / "facedetection_export.h").write_text(_EXPORT, encoding="ascii")
    found, missing = dict[str, Library](), dict[str, str]()
    for number, (title, flags) in enumerate(_BUILDS.items()):
        build = _highway if title in (HIGHWAY, HIGHWAY_AVX2) else _plain
        try:
            found[title] = build(place, work, work / f"build{number}.so", flags)
        except RuntimeError as error:
            lines = [line for line in str(error).splitlines() if "error" in line]
            missing[title] = f"left out: it does not compile: {' '.join(lines[:1])}"
    return found, missing


def _plain(place: Path, work: Path, out: Path, chosen: Sequence[str]) -> Library:
    """As its CMake file compiles it with ENABLE_AVX2, with the flags that are `chosen`."""
    flags = ("-O3", *chosen, "-D_ENABLE_AVX2", "-fPIC", "-shared", f"-I{work}")
    return compiled(out, "facedetect_cnn", flags, sorted((place / "src").glob("*.cpp")))


def _highway(place: Path, work: Path, out: Path, chosen: Sequence[str]) -> Library:
    """As its CMake file compiles it by default for x86, Highway and intrinsics where they are faster, with the flags
    that are `chosen`."""
    defined = ("-DFDT_HW_ENABLE_HYBRID_CEILING=1", "-DFDT_HW_ENABLE_X86_AVX2=1")
    named = os.environ.get("ZOO_HIGHWAY", "")
    folders = [work, *([named] if named else []), *(place / name for name in ("highway/include", "highway/src", "src"))]
    flags = ("-std=c++17", "-O3", *chosen, "-fPIC", "-shared", *defined, *(f"-I{folder}" for folder in folders))
    sources = [*sorted((place / "highway" / "src").glob("*.cpp")), place / "src" / "facedetectcnn-data.cpp"]
    return compiled(out, "facedetect_hw_cnn", flags, sources)


class Generated:
    """Generated C++ made for images of up to `width` x `height` pixels. To be closed."""

    def __init__(self, library: Library, outputs: int, width: int, height: int, threads: int) -> None:
        self._functions, self._name = ctypes.CDLL(str(library.path)), library.name
        self._outputs, self._pointer = outputs, ctypes.c_void_p()
        self._require("create", width, height, threads, ctypes.byref(self._pointer))
        self._faces = np.empty((CAPACITY, 15), np.float32)
        self._count, self._kept = ctypes.c_int(), list[np.ndarray]()

    def memory(self, width: int, height: int, threads: int) -> int:
        """The bytes that a model takes, as the program says."""
        function = self._functions[f"{self._name}_memory"]
        function.restype = ctypes.c_size_t
        return int(function(width, height, threads))

    def network(self, tensor: np.ndarray) -> Callable[[], None]:
        """A call of the network alone for one image, (1, 3, H, W) float32."""
        height, width = tensor.shape[2:]
        lengths = (ctypes.c_size_t * self._outputs)()
        self._require("sizes", width, height, lengths)
        outputs = [np.empty(length, np.float32) for length in lengths]
        pointers = (ctypes.c_void_p * self._outputs)(*(output.ctypes.data for output in outputs))
        self._kept += outputs  # a pointer to an array's numbers does not keep the array
        return lambda: self._call("run", _pointer(tensor), width, height, pointers, lengths, self._outputs)

    def detection(self, image: np.ndarray) -> Callable[[], None]:
        """A call of the whole for an image, (H, W, 3) uint8, whose result `faces` gives."""
        height, width = image.shape[:2]
        stride, score, overlap = ctypes.c_ssize_t(image.strides[0]), ctypes.c_float(SCORE), ctypes.c_float(OVERLAP)
        taken, count = (_pointer(self._faces), CAPACITY), ctypes.byref(self._count)
        return lambda: self._call("detect", _pointer(image), width, height, stride, score, overlap, *taken, count)

    def faces(self) -> Faces:
        """What the last detection found."""
        found = self._faces[: self._count.value]
        return np.concatenate([found[:, 1:5], found[:, :1]], axis=1)

    def close(self) -> None:
        """Give its memory back."""
        self._functions[f"{self._name}_destroy"](self._pointer)

    def _call(self, function: str, *words: Any) -> None:
        self._require(function, self._pointer, *words)

    def _require(self, function: str, *words: Any) -> None:
        if code := self._functions[f"{self._name}_{function}"](*words):
            raise RuntimeError(f"{self._name}_{function} ended with {code}")


class Libfacedetection:
    """One of libfacedetection's builds."""

    def __init__(self, library: Library, threads: int) -> None:
        opened = ctypes.CDLL(str(library.path))
        if threads > 1:
            opened.omp_set_num_threads(threads)
        self._function = opened[library.name]
        self._function.restype = ctypes.c_void_p
        self._result = np.zeros(_RESULT, np.uint8)

    def detection(self, image: np.ndarray) -> Callable[[], None]:
        """As `Generated.detection`."""
        height, width = image.shape[:2]
        return lambda: self._function(_pointer(self._result), _pointer(image), width, height, image.strides[0])

    def faces(self) -> Faces:
        """As `Generated.faces`, in whole pixels and hundredths."""
        count = int(self._result[:4].view(np.int32)[0])
        rows = self._result[4 : 4 + 2 * _ROW * count].view(np.int16).reshape(count, _ROW).astype(np.float32)
        corners = rows[:, 1:3]
        return np.concatenate([corners, corners + rows[:, 3:5], rows[:, :1] / 100], axis=1)


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
