"""Generated C++ under every compiler, instruction set and sanitizer that there is: all warnings are errors, and the
numbers are the same."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo_cpp.generate import generate
from zoo_cpp.options import CppOptions
from zoo_cpp.reference import evaluate

from tests.converters.zoo_cpp.building import STRICT
from tests.converters.zoo_cpp.programs import Executable, executable, pictures
from tests.converters.zoo_cpp.test_engine import CASES, SIZES, assert_close
from zoo.plugins import catalogue

MODELS = {
    "yunet_s": "yunet/yunet_s_dynamic.onnx",
    "mobilefacenet_foamliu": "recognition/foamliu_MobileFaceNet.onnx",
}
SOAK = bool(os.environ.get("ZOO_SOAK"))
X86 = platform.machine().lower() in ("x86_64", "amd64")


@dataclass(frozen=True)
class Toolchain:
    """A compiler, its flags, what runs its programs, and the processor's features that these need."""

    compiler: str
    flags: tuple[str, ...] = ()
    runner: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    quick: bool = True

    def require(self) -> None:
        """Skip the test where something is missing."""
        for program in (self.compiler, *self.runner[:1]):
            if not shutil.which(program):
                pytest.skip(f"there is no {program}")
        if self.needs and not X86:
            pytest.skip("these are instructions of x86-64")
        if missing := [feature for feature in self.needs if feature not in features()]:
            pytest.skip(f"this processor has no {', '.join(missing)}")
        if not SOAK and not self.quick:
            pytest.skip("takes long; make soak runs it")


AVX512 = ("avx512f", "avx512bw", "avx512dq", "avx512vl")
TOOLCHAINS = {
    "g++ sse2": Toolchain("g++", needs=("sse2",)),
    "g++ avx": Toolchain("g++", ("-mavx",), needs=("avx",), quick=False),
    "g++ avx2": Toolchain("g++", ("-mavx2", "-mfma"), needs=("avx2", "fma")),
    "g++ avx512": Toolchain("g++", tuple(f"-m{name}" for name in AVX512), needs=AVX512, quick=False),
    "g++ native": Toolchain("g++", ("-march=native",), quick=False),
    "g++ vectors of others": Toolchain("g++", ("-DZOO_LANES=8",), quick=False),
    "clang++ sse2": Toolchain("clang++", needs=("sse2",), quick=False),
    "clang++ avx2": Toolchain("clang++", ("-mavx2", "-mfma"), needs=("avx2", "fma"), quick=False),
    "clang++ native": Toolchain("clang++", ("-march=native",)),
    "aarch64": Toolchain("aarch64-linux-gnu-g++", ("-static",), ("qemu-aarch64",)),
}
MEMORY = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
SANITIZERS = {
    "address and undefined": Toolchain("g++", MEMORY),
    "address and undefined, native": Toolchain("g++", ("-march=native", *MEMORY), quick=False),
    "address and undefined, clang++": Toolchain("clang++", MEMORY, quick=False),
    "threads": Toolchain("g++", ("-g", "-fsanitize=thread")),
}
FEW = ("convolutions", "depthwise", "activations", "whole_numbers")
"""The cases that each instruction set is tried with in every run: those with code of its own."""


def features() -> set[str]:
    """What the processor says that it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return set()
    return set(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())


@pytest.fixture(params=TOOLCHAINS)
def toolchain(request: pytest.FixtureRequest) -> Toolchain:
    found = TOOLCHAINS[request.param]
    found.require()
    return found


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[str, Path]:
    """The generated C++ of each model."""
    pytest.importorskip("onnxruntime", reason="the self-test's numbers are ONNX Runtime's")
    fixtures: Path = request.getfixturevalue("fixtures")
    made = {name: tmp_path_factory.mktemp("cpp") / name for name in MODELS}
    for name, folder in made.items():
        generate(fixtures / MODELS[name], folder, catalogue().cards[name], CppOptions(data="binary"))
    return made


@pytest.mark.parametrize("name", MODELS)
def test_the_self_test_holds(folders: dict[str, Path], toolchain: Toolchain, name: str, tmp_path: Path) -> None:
    if name != "yunet_s" and not SOAK and "-march=native" in toolchain.flags:
        pytest.skip("takes long; make soak runs it")
    said = self_tested(folders[name], name, toolchain, tmp_path / "test")
    assert said.startswith("There is no error.")


def self_tested(folder: Path, name: str, toolchain: Toolchain, target: Path, *more: str) -> str:
    """What the program of `folder` says, compiled as its own test."""
    upper = name.upper()
    flags = [*STRICT, "-pthread", *toolchain.flags, *more, f"-D{upper}_SELF_TEST", f"-D{upper}_SELF_TEST_MAIN"]
    command = [toolchain.compiler, *flags, f"{name}.cpp", "-o", str(target)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    run = [*toolchain.runner, str(target), str(folder / f"{name}.bin")]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr[-3000:]
    return done.stdout


def cases(names: Sequence[str] = ()) -> list[str]:
    """All cases under soak, else those of `names`."""
    return [name for name in CASES if SOAK or name in names]


def test_every_instruction_set_computes_the_same(toolchain: Toolchain, tmp_path: Path) -> None:
    assert_engines(toolchain, tmp_path, cases(FEW), (1,), "-O1")


@pytest.mark.parametrize("name", SANITIZERS)
def test_sanitizers_are_silent(name: str, tmp_path: Path) -> None:
    toolchain = SANITIZERS[name]
    toolchain.require()
    assert_engines(toolchain, tmp_path, cases(("convolutions", "whole_numbers", "pooling")), (1, 3), "-O1")


def assert_engines(
    toolchain: Toolchain, folder: Path, names: Sequence[str], threads: Sequence[int], *more: str
) -> None:
    """Raise unless the engines of the cases compute what their steps mean, and say nothing."""
    programs = [CASES[name]() for name in names]
    path = executable(folder, programs, toolchain.compiler, (*toolchain.flags, *more))
    made = Executable((*toolchain.runner, str(path)), programs)
    for number, program in enumerate(programs):
        images = [*pictures(program, SIZES)]
        images.append(images[0])
        results: list[Any] = [made.run(number, images, count) for count in threads]
        for image, *found in zip(images, *results, strict=True):
            wanted = evaluate(program, image)
            for outputs in found:
                assert_close(outputs, wanted, program)
                for one, other in zip(outputs, found[0], strict=True):
                    np.testing.assert_array_equal(one, other)
