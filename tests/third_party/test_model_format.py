"""The model format of the guide: its very text is built into a wheel, installed and used."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.third_party.conftest import BUILD_SYSTEM, Site

GUIDE = ROOT / "docs" / "models.md"

DRIFT = """
import onnx
from onnx import numpy_helper
from zoo.hookspecs import hookimpl
from zoo.specs import ConverterSpec, FormatSpec

ZOO_API = 1

@hookimpl
def zoo_formats():
    yield FormatSpec("drifted", "ONNX with other weights.", ("model",), (".drifted",))

@hookimpl
def zoo_converters():
    yield ConverterSpec("onnx", "drifted", run="zoo_drift:drift", loss="a little of every weight")
    yield ConverterSpec("drifted", "onnx", run="zoo_drift:back")

def drift(edge):
    model = onnx.load(str(edge.source))
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == "float32" and values.ndim == 4:
            tensor.CopyFrom(numpy_helper.from_array(values * values.dtype.type(1.02), tensor.name))
    onnx.save(model, str(edge.target))
    return edge.card

def back(edge):
    edge.target.write_bytes(edge.source.read_bytes())
    return edge.card
"""


@pytest.fixture
def onnxgz(site: Site, tmp_path: Path) -> Site:
    if not GUIDE.is_file():
        pytest.skip("the guide is not beside the tests")
    files = dict(re.findall(r"```\w+\n# ([\w.]+)\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL))
    assert set(files) == {"zoo_onnxgz.py", "pyproject.toml"}
    wheel = '[tool.hatch.build.targets.wheel]\ninclude = ["zoo_onnxgz.py"]\n'
    files["pyproject.toml"] = BUILD_SYSTEM + files["pyproject.toml"] + wheel
    site.install("onnxgz", files, tmp_path / "source")
    return site


def test_a_format_of_models_with_its_edges_and_runtime(onnxgz: Site, fixtures: Path, tmp_path: Path) -> None:
    source, photo = str(fixtures / "yunet" / "yunet_n_dynamic.onnx"), str(fixtures / "images" / "insightface_t1.jpg")
    done = onnxgz.zoo("convert", source, "small.onnxgz", f"photo={photo}", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["photos"][0]["faces"] == 6
    assert told["hops"][0]["holds"]
    assert onnxgz.zoo("verify", "small.onnxgz", cwd=tmp_path).returncode == 0
    back = onnxgz.zoo("convert", "small.onnxgz", "back.onnx", f"photo={photo}", "card=yunet_n", cwd=tmp_path)
    assert back.returncode == 0, back.stderr
    found = onnxgz.zoo("run", "yunet", "infer", "--model", "back.onnx", photo, "--json", cwd=tmp_path)
    assert len(json.loads(found.stdout)["faces"]) == 6, found.stderr


def test_a_model_that_drifts_is_not_kept(install: object, fixtures: Path, tmp_path: Path) -> None:
    site = install("drift", DRIFT)  # type: ignore[operator]
    source = str(fixtures / "yunet" / "yunet_n_dynamic.onnx")
    words = ("convert", source, "other.onnx", "--via", "drifted", "photo=none", "--to", "onnx")
    lossy = site.zoo(*words, cwd=tmp_path)
    assert lossy.returncode == 2
    assert "onnx -> drifted -> onnx loses a little of every weight; --allow-loss" in lossy.stderr
    drifted = site.zoo(*words, "--allow-loss", cwd=tmp_path)
    assert drifted.returncode == 4, drifted.stderr
    assert "cls_8 differs on noise 0 320x320" in drifted.stderr
    assert "DIFFERS" in drifted.stderr
    assert not [path for path in tmp_path.iterdir() if "other" in path.name]
    kept = site.zoo(*words, "--allow-loss", "--accept-drift", cwd=tmp_path)
    assert kept.returncode == 0, kept.stderr
    assert "kept although it differs" in kept.stdout
    assert json.loads((tmp_path / "other.onnx.zoo.json").read_bytes())["drift"] is True
    told = site.zoo("explain", "other.onnx", cwd=tmp_path)
    assert "drift     accepted" in told.stdout
