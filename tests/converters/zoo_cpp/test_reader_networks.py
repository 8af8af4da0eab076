"""Every network of the zoo as a program that gives what ONNX Runtime gives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="programs are compared with ONNX Runtime")

import onnx
from onnx import numpy_helper
from zoo_cpp.program import Program
from zoo_cpp.reader import read, unsupported

from tests.converters.zoo_cpp.graphs import assert_same, image, kinds
from zoo.models.edges import Edge, network
from zoo.models.parity import probes
from zoo.models.plan import traced_size
from zoo.options import make
from zoo.plugins import catalogue, resolve
from zoo.specs import ModelCard
from zoo.types import Floats

REAL = {
    "yunet/yunet_n_dynamic.onnx": "yunet_n",
    "yunet/yunet_n_320_320.onnx": "yunet_n",
    "yunet/yunet_s_dynamic.onnx": "yunet_s",
    "yunet/yunet_s_640_640.onnx": "yunet_s",
    "scrfd/scrfd_500m_dynamic.onnx": "scrfd_500m",
    "scrfd/scrfd_500m_bnkps_dynamic.onnx": "scrfd_500m_bnkps",
    "scrfd/scrfd_2.5g_bnkps_dynamic.onnx": "scrfd_2.5g_bnkps",
    "scrfd/official_det_500m.onnx": "scrfd_500m_bnkps",
    "landmarks/peppa_slim160_68.onnx": "peppa_slim160",
    "recognition/foamliu_MobileFaceNet.onnx": "mobilefacenet_foamliu",
}
"""Files that others have written, and the card of each."""

FAST = 1_300_000
"""Parameters of the largest network that is exported in every run; each way of building one is among them."""

CARDS = {
    name: catalogue().cards[name]
    for name in catalogue().cards
    if catalogue().methods[catalogue().cards[name].method].network and catalogue().cards[name].method != "slim56"
}
KINDS = {"conv", "depthwise", "maxpool", "avgpool", "mean", "resize", "add", "affine", "groupnorm", "concat", "softmax"}


def sizes(program: Program) -> list[tuple[int, int]]:
    """Widths and heights to try: the one that there is, or three of which no side is another's."""
    one = program.multiple
    if program.fixed:
        return [program.fixed]
    return [(161, 97), (75, 133), (200, 67)] if one == 1 else [(5 * one, 3 * one), (2 * one, 4 * one), (one, 7 * one)]


def pictures(program: Program, card: ModelCard) -> list[Floats]:
    """Noise as the card's network is given it, once for each of the sizes."""
    drawn = [probe.images[0].transpose(1, 2, 0) for probe in probes(card, sizes(program), (1,), 1)]
    return [np.ascontiguousarray(one) for one in drawn]


def assert_network(path: Path, card: ModelCard) -> Program:
    """Read the file, and raise unless its program gives what ONNX Runtime gives, at all sizes, in known steps."""
    assert unsupported(path) == ()
    program = read(path, card)
    for pixels in pictures(program, card):
        assert_same(path, program, pixels)
    assert {step.kind for step in program.steps} <= KINDS, "the networks need no other"
    assert all(
        step.kind in ("conv", "depthwise", "add", "affine", "groupnorm") or step.activation.kind == "none"
        for step in program.steps
    )
    return program


@pytest.mark.parametrize("name", REAL)
def test_files_of_others(fixtures: Path, name: str) -> None:
    program = assert_network(fixtures / name, catalogue().cards[REAL[name]])
    assert (program.fixed is None) == ("dynamic" in name or "official" in name)


def test_a_file_from_tflite(fixtures: Path, tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx", reason="TFLite is read by tf2onnx")
    card = catalogue().cards["mobilefacenet_foamliu"]
    source = fixtures / "recognition" / "MobileFaceNet.tflite"
    program = assert_network(exported(source, "tflite", tmp_path / "m.onnx", card), card)
    assert kinds(program).count("depthwise+prelu") + kinds(program).count("conv+prelu") == 33, "no PRelu is spelt out"


@pytest.mark.xdist_group("tensorflow")
@pytest.mark.parametrize("folder", ["slim_ckpt_bn_dm05", "slim_ckpt_nobn_dm05"])
def test_files_from_tensorflow(fixtures: Path, tmp_path: Path, folder: str) -> None:
    pytest.importorskip("tf2onnx", reason="frozen graphs are read by tf2onnx")
    pytest.importorskip("tensorflow", reason="frozen graphs are read by TensorFlow")
    card = catalogue().cards["slim56"]
    source = fixtures / "written_by_originals" / folder
    path = exported(source / "frozen_model.pb", "tf-graph", tmp_path / "m.onnx", card)
    program = read(path, card)
    recorded = np.load(source / "io.npz")
    assert_same(path, program, recorded["x"][0])
    assert sorted(kinds(program)) == ["conv+relu"] * 7 + ["maxpool"] * 4


def exported(source: Path, form: str, target: Path, card: ModelCard) -> Path:
    """Take the edge from a format to ONNX: what open sizes the card's network has stay open."""
    spec = next(edge for edge in catalogue().converters.values() if (edge.src, edge.dst) == (form, "onnx"))
    work = target.parent / "work"
    work.mkdir()
    dynamic = frozenset({"batch"} if card.preprocess.crop.kind else {"batch", "height", "width"})
    settings: Any = resolve(spec.options) if spec.options else None
    options = make(settings, {}) if settings else None
    resolve(spec.run)(Edge(source, target, card, work, traced_size(card, ""), dynamic, options))
    return target


def weights(card: ModelCard, folder: Path) -> Path:
    """A file with random weights that leave neither noise nor zeros."""
    pytest.importorskip("timm", reason="landmark networks need timm")
    from tests.models import networks

    return networks.saved(networks.settled(card), folder / "weights.pth")


def every() -> list[Any]:
    """The ids of all cards; those with many parameters are slow, and left out unless a soak is asked for."""
    asked = bool(os.environ.get("ZOO_SOAK"))
    slow = [pytest.mark.slow, pytest.mark.skipif(not asked, reason="takes long; make soak runs it")]
    return [pytest.param(name, marks=[] if card.parameters <= FAST else slow) for name, card in CARDS.items()]


@pytest.mark.parametrize("name", every())
def test_every_network(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="networks need PyTorch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    card = CARDS[name]
    path = exported(weights(card, tmp_path), "torch", tmp_path / "m.onnx", card)
    torch.set_num_threads(threads)
    program = assert_network(path, card)
    assert (program.fixed is not None) == bool(card.preprocess.crop.kind)
    assert program.multiple == (1 if program.fixed else card.preprocess.multiple)


@pytest.mark.parametrize("name", ["arcface_r18", "retinaface_r18"])
def test_large_networks_have_the_steps_of_their_layers(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="networks need PyTorch")
    pytest.importorskip("timm", reason="landmark networks need timm")
    from tests.models import networks

    card = CARDS[name]
    path = exported(networks.saved(network(card), tmp_path / "weights.pth"), "torch", tmp_path / "m.onnx", card)
    program = read(path, card)
    layers = [m for m in network(card).modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert sum(step.kind in ("conv", "depthwise") for step in program.steps) == len(layers)
    assert not [step for step in program.steps if step.kind == "activation"]


def test_a_size_is_fixed_where_the_file_fixes_it(fixtures: Path) -> None:
    program = read(fixtures / "yunet" / "yunet_n_320_320.onnx", catalogue().cards["yunet_n"])
    assert (program.fixed, program.multiple, program.channels) == ((320, 320), 1, 3)


def test_other_names_change_nothing(fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / "scrfd" / "scrfd_500m_bnkps_dynamic.onnx"
    model = onnx.load(str(source))
    model.graph.input[0].name = model.graph.node[0].input[0] = "images"
    for i, output in enumerate(model.graph.output):
        (maker,) = [node for node in model.graph.node if output.name in node.output]
        output.name = maker.output[0] = f"out{i}"
    onnx.save(model, str(tmp_path / "m.onnx"))
    program = read(tmp_path / "m.onnx", catalogue().cards["scrfd_500m_bnkps"])
    assert [output.name for output in program.outputs] == [f"out{i}" for i in range(9)]
    assert [output.columns for output in program.outputs] == [1, 1, 1, 4, 4, 4, 10, 10, 10]
    assert_same(tmp_path / "m.onnx", program, image(96, 64))


def test_the_numbers_of_a_program_are_those_of_the_file(fixtures: Path) -> None:
    path = fixtures / "recognition" / "foamliu_MobileFaceNet.onnx"
    held = sum(numpy_helper.to_array(one).size for one in onnx.load(str(path)).graph.initializer)
    assert read(path, catalogue().cards["mobilefacenet_foamliu"]).parameters == held
