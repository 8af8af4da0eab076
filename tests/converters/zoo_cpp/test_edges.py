"""From ONNX to C++ by the commands that users give: planned, converted, run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import zoo
from tests.converters.zoo_cpp.building import compilers
from zoo.errors import ModelError, UsageError
from zoo.inference.artifacts import identify
from zoo.models.convert import Ported, convert
from zoo.models.plan import make_plan
from zoo.models.verify import verify


def command(*words: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-m", "zoo", *map(str, words)]
    environment = {**os.environ, "ZOO_OFFLINE": "1", **variables}
    return subprocess.run(run, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def ported(source: Path, target: Path, **values: Any) -> Ported:
    return convert(make_plan(source, target, {"photo": "none", **values}, target_format="cpp"))


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A network with operators that are nowhere in the zoo."""
    nodes = [helper.make_node("Erf", ["images"], ["a"]), helper.make_node("Celu", ["a"], ["maps"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 32, 32]) for name in ("images", "maps")]
    graph = helper.make_graph(nodes, "odd", ends[:1], ends[1:])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "odd.onnx"
    )
    return tmp_path / "odd.onnx"


def test_an_operator_that_cannot_be_done_is_named_by_the_plan(odd: Path) -> None:
    done = command("convert", odd.name, "out", "--to", "cpp", "--plan", "card=yunet_n", cwd=odd.parent)
    assert done.returncode == 2
    said = "odd.onnx has operators that the generated C++ cannot do: Celu, Erf."
    assert f"would stop: {said}" in done.stdout
    assert said in done.stderr
    plan = make_plan(odd, odd.parent / "out", {"card": "yunet_n"}, target_format="cpp")
    assert plan.describe()["obstacle"] == plan.unable
    with pytest.raises(UsageError, match="cannot do: Celu, Erf"):
        convert(plan)
    assert not (odd.parent / "out").exists()


def test_a_file_that_is_no_onnx_cannot_be_planned(tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(b"\x08\x08\x12\x7f")
    with pytest.raises(ModelError, match=r"cut\.onnx"):
        make_plan(tmp_path / "cut.onnx", tmp_path / "out", {"card": "yunet_n"}, "onnx", "cpp")


def test_a_plan_of_what_can_be_done_has_no_obstacle(fixtures: Path, tmp_path: Path) -> None:
    for name in ("yunet_n_dynamic.onnx", "yunet_s_320_320.onnx"):
        assert not make_plan(fixtures / "yunet" / name, tmp_path / "out", {}, target_format="cpp").obstacle


generated = pytest.mark.usefixtures("compiler")


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch, fixtures: Path) -> None:
    compilers()
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", str(fixtures))
    monkeypatch.setenv("ZOO_CXXFLAGS", "-O1")  # half of the time of -O3


@pytest.fixture
def photo(fixtures: Path) -> Path:
    return fixtures / "images" / "insightface_t1.jpg"


@generated
@pytest.mark.parametrize("precision", ["float32", "float16", "weights8"])
def test_it_is_converted_compared_and_run(fixtures: Path, tmp_path: Path, photo: Path, precision: str) -> None:
    source, target = fixtures / "yunet" / "yunet_n_dynamic.onnx", tmp_path / "out"
    done = ported(source, target, precision=precision, photo=str(photo))
    (hop,) = done.hops
    assert hop.parity.differences
    assert done.photos[0].faces == done.photos[0].others == 6
    if precision == "float32":
        assert hop.parity.worst is not None
        assert hop.parity.worst.relative < 1e-5
    assert identify(target).card.precision == precision
    receipt = json.loads(done.receipt.read_text())
    described = json.loads((target / "model.json").read_text())
    assert receipt["parity"]["hops"][-1]["found"] == [{"self-test": described["golden"]}]
    assert verify(target).exit_code == 0
    assert len(zoo.load(target)(photo)) == 6


@generated
def test_whole_numbers_are_multiplied(fixtures: Path, tmp_path: Path, photo: Path) -> None:
    """A network that was rounded to eight bits on the way: as near to the original as onnxruntime's, or nearer."""
    done = ported(
        fixtures / "yunet" / "yunet_s_dynamic.onnx",
        tmp_path / "out",
        precision="int8",
        photo=str(photo),
        calibrate=str(fixtures / "images"),
        calibration_images=3,
    )
    rounded, written = (hop.parity.worst for hop in done.hops)
    assert rounded is not None and written is not None
    assert written.relative <= rounded.relative * 1.1
    assert done.photos[0].faces == done.photos[0].others == 6
    assert "int8_t kWhole[" in (tmp_path / "out" / "yunet_s.cpp").read_text()
    assert identify(tmp_path / "out").card.precision == "int8"
    assert verify(tmp_path / "out").exit_code == 0


@generated
def test_onnx_is_run_as_cpp(photo: Path) -> None:
    """The model's own file, of which C++ is made in passing."""
    model = zoo.load("yunet_n", runtime="cpp")
    found, wanted = model(photo), zoo.load("yunet_n")(photo)
    assert model.session.runtime == "cpp"
    assert len(found) == len(wanted) == 6
    np.testing.assert_allclose(found.boxes, wanted.boxes, atol=0.01)
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-5)


@generated
def test_a_size_that_is_fixed(fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / "yunet" / "yunet_s_dynamic.onnx"
    ported(source, tmp_path / "out", dynamic="none", size="320x256")
    document = json.loads((tmp_path / "out" / "model.json").read_text())
    assert document["input"]["fixed"] == [320, 256]
    ported(fixtures / "yunet" / "yunet_s_320_320.onnx", tmp_path / "own")
    document = json.loads((tmp_path / "own" / "model.json").read_text())
    assert document["input"]["fixed"] == [320, 320]


@generated
def test_weights_in_a_file_and_a_name_of_ones_own(fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / "yunet" / "yunet_s_dynamic.onnx"
    ported(source, tmp_path / "out", data="binary", name="face finder")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    files = [f"face_finder.{suffix}" for suffix in ("bin", "cpp", "h")]
    assert names == sorted([*files, "CMakeLists.txt", "example.cpp", "model.json"])


@generated
def test_the_commands(fixtures: Path, tmp_path: Path, photo: Path) -> None:
    done = command("run", "yunet", "infer", photo, "--runtime", "cpp", "--json", cwd=tmp_path)
    assert (done.returncode, len(json.loads(done.stdout.splitlines()[0])["faces"])) == (0, 6)
    source = fixtures / "yunet" / "yunet_n_dynamic.onnx"
    done = command("convert", source, "out/", "--to", "cpp", "photo=none", cwd=tmp_path)
    assert "cpp: same as the original" in done.stdout, done.stderr
    done = command("run", "yunet", "infer", photo, "--model", "out", "--json", cwd=tmp_path)
    assert (done.returncode, len(json.loads(done.stdout.splitlines()[0])["faces"])) == (0, 6)
    done = command("run", "yunet", "infer", photo, "--model", "out/", cwd=tmp_path, PATH="", CXX="")
    assert done.returncode == 1
    assert "There is no C++ compiler: c++, g++ and clang++ are not in PATH; install one" in done.stderr
