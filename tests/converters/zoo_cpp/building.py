"""Compiling the C++ that converters/zoo_cpp is made of, and calling it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conftest import ROOT

SOURCE = ROOT / "converters" / "zoo_cpp" / "source"
STRICT = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-fno-exceptions", "-fno-rtti", "-O2")
PRELUDE = "".join(f"#include <{name}>\n" for name in ("cmath", "cstddef", "cstdint", "cstring", "new"))
VECTORS = "#if defined(__SSE2__)\n#include <immintrin.h>\n#endif\n"


def compilers() -> list[str]:
    """Those that there are of g++ and clang++; skips the test where there is none."""
    found = [name for name in ("g++", "clang++") if shutil.which(name)]
    if not found:
        pytest.skip("there is no C++ compiler")
    return found


def parts(*names: str) -> str:
    return "".join((SOURCE / f"{name}.inc").read_text("utf-8") for name in names)


def assembled(constants: str, body: str, harness: str) -> str:
    """One source of everything: `body` in an anonymous namespace, `harness` behind it."""
    return f"{PRELUDE}{VECTORS}namespace {{\n{constants}\n{body}\n}}  // namespace\n{harness}"


def compiled(folder: Path, source: str, compiler: str, flags: Sequence[str] = (), shared: bool = True) -> Path:
    """The shared library, or the programme, that `compiler` makes of `source` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "all.cpp").write_text(source, "utf-8")
    target = folder / ("all.so" if shared else "all")
    kind = ("-shared", "-fPIC") if shared else ()
    command = [compiler, *STRICT, *kind, *flags, str(folder / "all.cpp"), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def loaded(path: Path) -> ctypes.CDLL:
    return ctypes.CDLL(str(path))


def address(array: NDArray[np.generic] | None) -> ctypes.c_void_p:
    """Where `array` lies, null for none."""
    if array is None:
        return ctypes.c_void_p(None)
    assert array.flags["C_CONTIGUOUS"] or array.ndim == 3
    return ctypes.c_void_p(array.ctypes.data)


def stride(image: NDArray[np.uint8]) -> ctypes.c_ssize_t:
    return ctypes.c_ssize_t(image.strides[0])
