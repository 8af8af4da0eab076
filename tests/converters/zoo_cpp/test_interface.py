"""The C interface of generated programs: the same faces as in Python, and no call that can do harm."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from zoo_cpp import examples, interface
from zoo_cpp.generate import generate
from zoo_cpp.golden import Expected, Golden, noise
from zoo_cpp.options import CppOptions
from zoo_cpp.program import Output, Program

import zoo
from tests.converters.driving import SOAK
from tests.converters.zoo_cpp.building import address, compilers
from zoo import images
from zoo.plugins import catalogue
from zoo.specs import Licence, Licences
from zoo.types import Faces

HERE = Path(__file__).parent
STRICT = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-pthread")
FILES = {
    "yunet_n": "yunet/yunet_n_dynamic.onnx",
    "scrfd_500m_bnkps": "scrfd/scrfd_500m_bnkps_dynamic.onnx",
    "peppa_slim160": "landmarks/peppa_slim160_68.onnx",
    "mobilefacenet_foamliu": "recognition/foamliu_MobileFaceNet.onnx",
}
BINARY = "mobilefacenet_foamliu"
"""A model whose numbers are left in a file: a compiler takes long for a million of them."""

LARGE = 2048


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Any:
    """A folder of generated C++ for each model, written once."""
    made: dict[tuple[str, str], Path] = {}
    fixtures: Path = request.getfixturevalue("fixtures")

    def folder(model: str, data: str = "") -> Path:
        data = data or ("binary" if model == BINARY else "source")
        if (model, data) not in made:
            made[model, data] = tmp_path_factory.mktemp("cpp") / model
            options = CppOptions(data=data)  # type: ignore[arg-type]
            generate(fixtures / FILES[model], made[model, data], catalogue().cards[model], options)
        return made[model, data]

    return folder


@pytest.fixture(scope="module")
def libraries(folders: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The library of each model, compiled once."""
    made: dict[str, ctypes.CDLL] = {}

    def library(model: str) -> ctypes.CDLL:
        if model not in made:
            target = tmp_path_factory.mktemp("library") / f"{model}.so"
            compiled(folders(model), [f"{model}.cpp"], target, "-O2", "-march=native", "-shared", "-fPIC", "-fno-rtti")
            made[model] = ctypes.CDLL(str(target))
            getattr(made[model], f"{model}_memory").restype = ctypes.c_size_t
            getattr(made[model], f"{model}_error").restype = ctypes.c_char_p
        return made[model]

    return library


def compiled(folder: Path, sources: Sequence[str | Path], target: Path, *flags: str, compiler: str = "") -> None:
    words = [compiler or compilers()[0], *STRICT, *flags, "-I", ".", *map(str, sources), "-o", str(target)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


class Handle:
    """A model of a library, for inputs of up to `LARGE` pixels a side."""

    def __init__(
        self, library: ctypes.CDLL, name: str, size: tuple[int, int], threads: int = 2, weights: bytes | None = None
    ) -> None:
        self.library, self.name, self.pointer, self.weights = library, name, ctypes.c_void_p(), weights
        given = [weights, ctypes.c_size_t(len(weights))] if weights else []
        assert self("create", *size, threads, *given, ctypes.byref(self.pointer)) == 0

    def __call__(self, function: str, *words: Any) -> int:
        return int(getattr(self.library, f"{self.name}_{function}")(*words))

    def close(self) -> None:
        getattr(self.library, f"{self.name}_destroy")(self.pointer)

    def detect(self, image: NDArray[np.uint8], score: float = -1, overlap: float = -1, capacity: int = 500) -> Faces:
        rows, count = np.zeros((capacity, 15), np.float32), ctypes.c_int(-1)
        height, width = image.shape[:2]
        thresholds = (ctypes.c_float(score), ctypes.c_float(overlap))
        stride = ctypes.c_ssize_t(image.strides[0])
        code = self(
            *("detect", self.pointer, address(image), width, height, stride),
            *(*thresholds, address(rows), capacity, ctypes.byref(count)),
        )
        assert code == 0
        found = rows[: count.value]
        return Faces(found[:, 1:5], found[:, 0], found[:, 5:].reshape(-1, 5, 2))


def photographs(fixtures: Path) -> list[NDArray[np.uint8]]:
    found = [images.read(path) for path in sorted((fixtures / "images").rglob("*.jpg"))]
    return [image for image in found if max(image.shape) <= LARGE][:4]


def spread_out(image: NDArray[np.uint8], spare: int = 7) -> NDArray[np.uint8]:
    """The same image with `spare` bytes between its rows."""
    rows = np.zeros((image.shape[0], image.shape[1] * 3 + spare), np.uint8)
    rows[:, : image.shape[1] * 3] = image.reshape(len(image), -1)
    return np.lib.stride_tricks.as_strided(rows, image.shape, (rows.strides[0], 3, 1))


@pytest.mark.parametrize("model", ["yunet_n", "scrfd_500m_bnkps"])
def test_it_finds_the_faces_that_python_finds(libraries: Any, fixtures: Path, model: str) -> None:
    python = zoo.load(model, weights=fixtures / FILES[model], runtime="onnxruntime")
    handle = Handle(libraries(model), model, (LARGE, LARGE))
    total = 0
    for image in photographs(fixtures):
        wanted, found = python(image), handle.detect(spread_out(image))
        total += len(wanted)
        assert len(found) == len(wanted)
        assert np.abs(found.scores - wanted.scores).max(initial=0) < 1e-3
        assert np.abs(found.boxes - wanted.boxes).max(initial=0) < 0.1
        assert wanted.keypoints is not None and found.keypoints is not None
        assert np.abs(found.keypoints - wanted.keypoints).max(initial=0) < 0.1
        best = handle.detect(image, capacity=1)
        assert np.array_equal(best.boxes, found.boxes[:1])
    assert total > 10
    handle.close()


def test_it_finds_the_points_that_python_finds(libraries: Any, fixtures: Path) -> None:
    model = "peppa_slim160"
    detector = zoo.load("yunet_n", weights=fixtures / FILES["yunet_n"])
    python = zoo.load(model, weights=fixtures / FILES[model], runtime="onnxruntime")
    handle, count = Handle(libraries(model), model, (160, 160), 1), 0
    for image in photographs(fixtures):
        wanted = python(image, detector(image))
        assert wanted.landmarks is not None
        for box, points in zip(wanted.boxes, wanted.landmarks, strict=True):
            found = np.zeros((68, 2), np.float32)
            code = handle(
                *("find", handle.pointer, address(image), *image.shape[1::-1], ctypes.c_ssize_t(image.strides[0])),
                *(address(np.ascontiguousarray(box)), None, address(found), None),
            )
            assert code == 0
            assert np.abs(found - points).max() < 0.1
            count += 1
    assert count > 10
    handle.close()


def test_it_embeds_as_python_does(folders: Any, libraries: Any, fixtures: Path) -> None:
    model = BINARY
    weights = (folders(model) / f"{model}.bin").read_bytes()
    detector = zoo.load("yunet_n", weights=fixtures / FILES["yunet_n"])
    python = zoo.load(model, weights=fixtures / FILES[model], runtime="onnxruntime")
    handle, count = Handle(libraries(model), model, (112, 112), 1, weights), 0
    for image in photographs(fixtures):
        wanted = python(image, detector(image))
        assert wanted.embeddings is not None and wanted.keypoints is not None
        for keypoints, embedding in zip(wanted.keypoints, wanted.embeddings, strict=True):
            found = np.zeros(len(embedding), np.float32)
            stride = ctypes.c_ssize_t(image.strides[0])
            given = address(np.ascontiguousarray(keypoints))
            assert (
                handle("embed", handle.pointer, address(image), *image.shape[1::-1], stride, given, address(found)) == 0
            )
            lengths = np.linalg.norm(found) * np.linalg.norm(embedding)
            assert found @ embedding / lengths > 0.9999  # a crop may differ by one level in a thousandth of its pixels
            count += 1
    assert count > 10
    handle.close()


def test_wrong_arguments_are_told_apart(libraries: Any) -> None:
    library, name = libraries("yunet_n"), "yunet_n"
    handle, image = Handle(library, name, (64, 64)), np.zeros((40, 50, 3), np.uint8)
    rows, count = np.zeros((4, 15), np.float32), ctypes.c_int(-7)

    def detect(**wrong: Any) -> int:
        words = {"model": handle.pointer, "bgr": address(image), "width": 50, "height": 40, "stride": 150, "score": -1}
        words |= {"overlap": -1, "faces": address(rows), "capacity": 4, "count": ctypes.byref(count)} | wrong
        words["stride"] = ctypes.c_ssize_t(words["stride"])
        words |= {key: ctypes.c_float(words[key]) for key in ("score", "overlap")}
        return handle("detect", *words.values())

    null, size, stride, capacity, value = 1, 2, 3, 4, 6
    assert detect() == 0
    assert count.value == 0
    for key in ("model", "bgr", "faces", "count"):
        assert detect(**{key: None}) == null
    for wrong in (
        {"width": 0},
        {"height": -1},
        {"width": 65, "stride": 195},
        {"height": 1 << 30},
        {"width": -(1 << 31)},
    ):
        assert detect(**wrong) == size
    for wrong_stride in (149, 0, -150, (1 << 63) - 1, -(1 << 63)):
        assert detect(stride=wrong_stride) == stride
    assert detect(capacity=-1) == capacity
    assert detect(capacity=0, faces=None) == 0
    assert detect(score=float("nan")) == detect(overlap=float("nan")) == value
    assert (
        library.yunet_n_memory(0, 64, 1)
        == library.yunet_n_memory(64, 64, 0)
        == library.yunet_n_memory(1 << 30, 1, 1)
        == 0
    )
    made = ctypes.c_void_p()
    assert handle("create", 64, 64, 65, ctypes.byref(made)) == 7
    assert handle("create", 64, 16385, 1, ctypes.byref(made)) == size
    assert handle("create", 64, 64, 1, None) == null
    assert handle("sizes", 64, 33, address(np.zeros(12, np.uint64))) == size
    assert {library.yunet_n_error(code) for code in range(13)} != {library.yunet_n_error(99)}
    assert made.value is None
    handle.close()
    library.yunet_n_destroy(None)


def test_faces_that_cannot_be_cut_out_are_told(folders: Any, libraries: Any) -> None:
    image, out = np.zeros((40, 50, 3), np.uint8), np.full(512, -5, np.float32)
    given = (address(image), 50, 40, ctypes.c_ssize_t(150))
    null, size, stride, value, no_face, far = 1, 2, 3, 6, 10, np.float32(3e38)
    handle = Handle(libraries("peppa_slim160"), "peppa_slim160", (160, 160), 1)
    right = np.array([5, 5, 30, 30], np.float32)
    assert handle("find", handle.pointer, *given, None, address(right), address(out), None) == null
    assert handle("find", handle.pointer, *given, address(right), None, None, None) == null
    assert handle("find", handle.pointer, *given, address(right), None, address(out), address(out)) == value
    for box in (
        [5, 5, 5, 9],
        [9, 9, 1, 1],
        [np.nan, 0, 5, 5],
        [far, far, far, far],
        [-far, 0, far, 9],
        [90, 90, 99, 99],
    ):
        words = (address(np.array(box, np.float32)), None, address(out), None)
        assert handle("find", handle.pointer, *given, *words) == no_face, box
    assert handle("find", handle.pointer, address(image), 50, 40, ctypes.c_ssize_t(149), *words) == stride
    assert (out == -5).all(), "nothing is written where there is an error"
    assert handle("find", handle.pointer, *given, address(right), None, address(out), None) == 0
    handle.close()
    library, made = libraries(BINARY), ctypes.c_void_p()
    weights = (folders(BINARY) / f"{BINARY}.bin").read_bytes()
    words = (weights, ctypes.c_size_t(len(weights)), ctypes.byref(made))
    assert library.mobilefacenet_foamliu_create(111, 112, 1, *words) == size
    handle = Handle(library, BINARY, (200, 112), 1, weights)
    for points in (np.full(10, 3), np.full(10, np.nan), [np.inf, *range(9)]):
        words = (address(np.array(points, np.float32)), address(out))
        assert handle("embed", handle.pointer, *given, *words) == no_face
    assert handle("embed", handle.pointer, *given, None, address(out)) == null
    handle.close()


def test_weights_of_another_network_are_refused(folders: Any, tmp_path: Path) -> None:
    folder = folders("yunet_n", "binary")
    compiled(folder, ["yunet_n.cpp"], tmp_path / "one.so", "-shared", "-fPIC")
    library, made = ctypes.CDLL(str(tmp_path / "one.so")), ctypes.c_void_p()
    data = (folder / "yunet_n.bin").read_bytes()
    for given in (b"", data[:-8], data[:-1] + bytes([data[-1] ^ 1]), bytes(len(data))):
        code = library.yunet_n_create(64, 64, 1, given, ctypes.c_size_t(len(given)), ctypes.byref(made))
        assert (code, made.value) == (9, None)
    assert library.yunet_n_create(64, 64, 1, None, ctypes.c_size_t(5), ctypes.byref(made)) == 9
    assert library.yunet_n_create(64, 64, 1, data, ctypes.c_size_t(len(data)), ctypes.byref(made)) == 0
    library.yunet_n_destroy(made)


def beside(folder: Path, tmp_path: Path, model: str) -> Sequence[str]:
    """The flags with which the programs of this folder find the model."""
    (tmp_path / "model.h").write_text(f'#include "{model}.h"\n', "utf-8")
    return ("-I", str(tmp_path), "-I", str(folder), f"-DNAME={model}", f"-DUPPER={model.upper()}")


@pytest.mark.parametrize("sanitizers", ["address,undefined"])
def test_random_calls_do_no_harm(folders: Any, tmp_path: Path, sanitizers: str) -> None:
    folder, program = folders("yunet_n"), tmp_path / "program"
    flags = ("-O1", "-g", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all")
    sources = ["yunet_n.cpp", HERE / "calling_at_random.cpp"]
    compiled(folder, sources, program, *flags, *beside(folder, tmp_path, "yunet_n"))
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1"}
    calls = 1000 if SOAK == 1 else 50_000 * SOAK
    done = subprocess.run([program, str(calls)], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    outcomes = list(map(int, done.stdout.split()))
    assert sum(outcomes) == calls
    assert all(outcomes[code] for code in (0, 1, 2, 3, 4, 5, 6, 7, 8))


def test_models_are_used_by_several_threads_at_once(folders: Any, tmp_path: Path) -> None:
    folder, program = folders("yunet_n"), tmp_path / "program"
    sources = ["yunet_n.cpp", HERE / "calling_at_once.cpp"]
    compiled(folder, sources, program, "-O1", "-g", "-fsanitize=thread", *beside(folder, tmp_path, "yunet_n"))
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


@pytest.mark.parametrize("model", ["yunet_n", "peppa_slim160", BINARY])
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_the_self_test_holds_and_tells_other_weights(folders: Any, tmp_path: Path, model: str, compiler: str) -> None:
    if compiler not in compilers():
        pytest.skip(f"there is no {compiler}")
    folder, program, upper = folders(model), tmp_path / "test", model.upper()
    flags = (f"-D{upper}_SELF_TEST", f"-D{upper}_SELF_TEST_MAIN", "-O1", "-fno-exceptions", "-fno-rtti")
    compiled(folder, [f"{model}.cpp"], program, *flags, compiler=compiler)
    words = [program, *([folder / f"{model}.bin"] if model == BINARY else [])]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    if compiler == compilers()[0] and model == "yunet_n":
        source = (folder / f"{model}.cpp").read_text("utf-8")
        first = source.index("kFloats[")
        at = source.index("\n  ", first) + 3
        changed = source[:at] + "9" + source[at:].lstrip("-0123456789")
        (tmp_path / "changed.cpp").write_text(changed, "utf-8")
        compiled(folder, [tmp_path / "changed.cpp"], program, *flags)
        assert subprocess.run([program], capture_output=True, check=False).returncode == 12


def test_the_self_tests_numbers_are_in_the_description(folders: Any) -> None:
    golden = json.loads((folders("yunet_n") / "model.json").read_text("utf-8"))["golden"]
    header = (folders("yunet_n") / "yunet_n.h").read_text("utf-8")
    assert f"#define YUNET_N_TOLERANCE {golden['tolerance']!r}" in header
    source = (folders("yunet_n") / "yunet_n.cpp").read_text("utf-8")
    assert all(repr(output["sum"]) in source and repr(output["squares"]) in source for output in golden["outputs"])


def test_the_noise_is_splitmix64() -> None:
    first = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F)  # what its author's program prints for 0
    assert noise(1, 1, 0).ravel().tolist() == [number >> 56 for number in first]


def test_the_example_and_the_cmake_file_work(folders: Any, fixtures: Path, tmp_path: Path) -> None:
    image = photographs(fixtures)[0]
    (tmp_path / "raw").write_bytes(image.tobytes())
    words = [str(image.shape[1]), str(image.shape[0]), str(tmp_path / "raw")]
    folder = folders("yunet_n", "binary")
    compiled(folder, ["example.cpp", "yunet_n.cpp"], tmp_path / "example", "-O1")
    done = subprocess.run(
        [tmp_path / "example", *words, folder / "yunet_n.bin"], capture_output=True, text=True, check=True
    )
    wanted = zoo.load("yunet_n", weights=fixtures / FILES["yunet_n"])(image)
    assert len(done.stdout.splitlines()) == len(wanted) > 0
    assert float(done.stdout.split()[1]) == pytest.approx(wanted.boxes[0, 0], abs=0.1)
    assert subprocess.run([tmp_path / "example"], capture_output=True, check=False).returncode == 2
    for model in ("peppa_slim160", BINARY):
        compiled(folders(model), ["example.cpp", f"{model}.cpp"], tmp_path / "other", "-O0")
    if not shutil.which("cmake"):
        pytest.skip("there is no cmake")
    for command in (
        ["cmake", "-S", folder, "-B", ".", "-DYUNET_N_SELF_TEST=ON", "-DCMAKE_BUILD_TYPE=Debug"],
        ["cmake", "--build", "."],
        ["ctest"],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_header_is_c99(folders: Any, tmp_path: Path, compiler: str) -> None:
    if not shutil.which(compiler):
        pytest.skip(f"there is no {compiler}")
    for model in FILES:
        strict_c(folders(model), model, tmp_path, compiler)


def strict_c(folder: Path, name: str, tmp_path: Path, compiler: str = "gcc") -> None:
    upper = name.upper()
    text = f'#define {upper}_SELF_TEST\n#include "{name}.h"\nfloat means[3] = {upper}_MEAN;\n'
    (tmp_path / "use.c").write_text(text + f"int use(void) {{ return {name}_error({upper}_BUSY) != 0; }}\n", "utf-8")
    words = [compiler, "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-I", str(folder), "-c", "use.c"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


HOSTILE = [
    "*/ int evil; /*",
    'a"; system("rm"); //\\',
    "line\nint evil = 1;",
    "??/\n??)",
    "int",
    "7up",
    "size_t",
    "static_cast",
    "",
    "___",
    "pthread_mutex",
    "\u202e\u00e9\u4e2d",
    "x" * 500,
    "$name ${NAME}",
    "back\\",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_breaks_out_of_a_comment_or_becomes_a_word_of_the_language(tmp_path: Path, text: str) -> None:
    card = replace(catalogue().cards["yunet_n"], id=text, summary=text, licences=Licences(weights=Licence(text, text)))
    made = interface.describe(card, named(text), GOLDEN)
    assert made.name.isascii() and made.name.isidentifier() and len(made.name) < 80
    header = interface.header(made)
    (tmp_path / f"{made.name}.h").write_text(header, "utf-8")
    (tmp_path / "example.cpp").write_text(examples.example(made), "utf-8")
    assert header.isascii()
    assert header.count("*/") == header.count("/*")
    assert "??" not in header
    assert "\\\n" not in header
    code = "".join(part.partition("*/")[2] for part in header.split("/*"))
    assert "evil" not in code.replace(made.name, "").replace(made.name.upper(), "")
    strict_c(tmp_path, made.name, tmp_path)
    words = [compilers()[0], *STRICT, "-fsyntax-only", "-trigraphs", "-Wno-trigraphs", "example.cpp"]
    assert subprocess.run(words, cwd=tmp_path, capture_output=True, check=False).returncode == 0


GOLDEN = Golden(32, 32, 1e-4, (Expected(1, 0.0, 0.0, (0.0,) * 16),) * 12)


def named(text: str) -> Program:
    return Program(
        (), tuple(Output(text, (0,), columns) for columns in (*(1,) * 6, *(4,) * 3, *(10,) * 3)), multiple=32
    )


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_a_method_that_brings_no_code_has_its_network_alone(fixtures: Path, tmp_path: Path, compiler: str) -> None:
    if compiler not in compilers():
        pytest.skip(f"there is no {compiler}")
    card = replace(catalogue().cards["yunet_n"], method="nobody", id="own")
    described = generate(fixtures / FILES["yunet_n"], tmp_path / "own", card, CppOptions(data="binary"))
    assert described.name == "own_model"
    header = (tmp_path / "own" / "own_model.h").read_text("utf-8")
    assert "own_model_run" in header
    assert "own_model_detect" not in header
    compiled(tmp_path / "own", ["own_model.cpp", "example.cpp"], tmp_path / "program", "-O0", compiler=compiler)
    weights = tmp_path / "own" / "own_model.bin"
    (tmp_path / "raw").write_bytes(bytes(3))
    done = subprocess.run(
        [tmp_path / "program", "1", "1", "raw", weights], cwd=tmp_path, capture_output=True, check=True
    )
    assert b"output 11: " in done.stdout
