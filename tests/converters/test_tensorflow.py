"""Ways out of TensorFlow: checkpoint, frozen graph and SavedModel, to each other, to ONNX and to TFLite."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo_tensorflow import cards, edges, graphs, sniff
from zoo_tensorflow.options import OnnxOptions
from zoo_tensorflow.session import TensorFlowSession

from tests.converters import slim
from zoo.errors import ModelError, RuntimeMissingError, UsageError
from zoo.models.edges import Edge
from zoo.runtimes import Session, open_session
from zoo.types import Floats

pytest.importorskip("tensorflow", reason="these are its files")
pytest.importorskip("tf2onnx", reason="it converts TensorFlow's graphs to ONNX")
pytest.importorskip("ai_edge_litert", reason="it runs what became TFLite")
pytestmark = pytest.mark.xdist_group("tensorflow")

FIXED: frozenset[str] = frozenset()


@pytest.fixture(params=slim.FOLDERS)
def folder(fixtures: Path, request: pytest.FixtureRequest) -> Path:
    return fixtures / "written_by_originals" / str(request.param)


def opened(path: Path) -> Session:
    kind = {".onnx": "onnx", ".tflite": "tflite"}.get(path.suffix)
    return open_session(path, kind, threads=1) if kind else TensorFlowSession(path)


def images(count: int) -> Floats:
    return np.random.default_rng(2).uniform(-1, 1, (count, 56, 56, 3)).astype(np.float32)


@pytest.mark.parametrize("target", ["net.pb", "net.saved"])
def test_every_format_answers_as_the_original(folder: Path, tmp_path: Path, target: str) -> None:
    given, wanted = slim.recorded(folder)
    card = slim.carry(folder, tmp_path / target, slim.card_of(folder))
    assert card == slim.card_of(folder)
    for end in ("", "net.onnx", "net.tflite"):
        path = tmp_path / (end or target)
        if end:
            assert slim.carry(tmp_path / target, path, card) == card
        session = opened(path)
        assert np.abs(slim.answer(session, given) - wanted).max() < 1e-5, path
        assert np.abs(slim.answer(session, np.concatenate([images(4), given]))[4:] - wanted).max() < 1e-5, path
        assert [info.name for info in session.inputs] == ["input"]
        assert session.inputs[0].shape == (None, 56, 56, 3)
        named = path.suffix == ".pb"  # whose names are those of the original's frozen graph
        assert [info.name for info in session.outputs] == ["model/lannet/fc7/Relu" if named else "landmarks"]


def test_the_originals_frozen_graph_goes_on_with_any_number_of_images(folder: Path, tmp_path: Path) -> None:
    given, wanted = slim.recorded(folder)
    source, card = folder / "frozen_model.pb", slim.plain_card()
    assert np.abs(slim.answer(opened(source), given) - wanted).max() < 1e-5
    assert opened(source).inputs[0].shape == (1, 56, 56, 3)
    for name in ("net.onnx", "net.tflite"):
        slim.carry(source, tmp_path / name, card)
        many = slim.answer(opened(tmp_path / name), np.concatenate([given, images(2)]))
        assert np.abs(many[:1] - wanted).max() < 1e-5


def test_a_graph_that_reshapes_to_one_image_is_freed(tmp_path: Path) -> None:
    source = tmp_path / "one.pb"
    source.write_bytes(frozen(lambda tf, x: tf.reshape(x * 2, [1, 12], name="flat"), (1, 2, 2, 3)))
    edge = Edge(source, tmp_path, slim.plain_card(), tmp_path, (2, 2), slim.BATCH)
    graph = edges.sized(edges.read(source), edge)
    assert graph.infos(graph.outputs)[0].shape == (None, 12)


def test_what_cannot_be_freed_is_told_and_stays(tmp_path: Path) -> None:
    source, said = tmp_path / "one.pb", list[str]()
    source.write_bytes(frozen(lambda tf, x: tf.reshape(x, [1, 2, 6]) + tf.ones((3, 2, 6)), (1, 2, 2, 3)))
    edge = Edge(source, tmp_path, slim.plain_card(), tmp_path, (2, 2), slim.BATCH, note=said.append)
    graph = edges.sized(edges.read(source), edge)
    assert graph.infos(graph.inputs)[0].shape == (1, 2, 2, 3)
    assert said and "number of images fixed inside" in said[0]


def test_sizes_are_fixed_where_they_are_not_asked_to_stay_open(folder: Path, tmp_path: Path) -> None:
    card = slim.card_of(folder)
    for name in ("net.pb", "net.saved"):
        slim.carry(folder, tmp_path / name, card, FIXED)
        slim.carry(tmp_path / name, tmp_path / f"{name}.onnx", card, FIXED, OnnxOptions(opset=13))
        for path in (tmp_path / name, tmp_path / f"{name}.onnx"):
            assert opened(path).inputs[0].shape == (1, 56, 56, 3)
            assert opened(path).outputs[0].shape == (1, 136)


def test_open_sizes_and_the_opset_have_their_names(fixtures: Path, tmp_path: Path) -> None:
    import onnx

    folder = fixtures / "written_by_originals" / slim.FOLDERS[0]
    slim.carry(folder / "frozen_model.pb", tmp_path / "net.onnx", slim.plain_card(), options=OnnxOptions(opset=13))
    model = onnx.load(tmp_path / "net.onnx")
    assert model.opset_import[0].version == 13
    (given,), (wanted,) = model.graph.input, model.graph.output
    assert [size.dim_param or size.dim_value for size in given.type.tensor_type.shape.dim] == ["batch", 56, 56, 3]
    assert [size.dim_param or size.dim_value for size in wanted.type.tensor_type.shape.dim] == ["batch", 136]


def test_a_channels_first_graph_of_any_size_keeps_what_is_asked(tmp_path: Path) -> None:
    source = tmp_path / "any.pb"
    source.write_bytes(frozen(lambda tf, x: tf.reduce_mean(x, [2, 3], name="mean"), (None, 3, None, None)))
    card = replace(slim.plain_card(), preprocess=replace(slim.plain_card().preprocess, layout="nchw"))
    for dynamic, wanted in (
        (FIXED, (1, 3, 48, 64)),
        (slim.BATCH, (None, 3, 48, 64)),
        (frozenset(("batch", "height", "width")), (None, 3, None, None)),
    ):
        edge = Edge(source, tmp_path, card, tmp_path, (64, 48), dynamic)
        graph = edges.sized(edges.read(source), edge)
        assert graph.infos(graph.inputs)[0].shape == wanted


PROGRAM = """
import sys
from pathlib import Path
from tests.converters import slim
source, target = map(Path, sys.argv[1:])
slim.carry(source, target, slim.plain_card())
"""


def test_the_same_graph_gives_the_same_bytes_in_every_process(fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / "written_by_originals" / slim.FOLDERS[0] / "frozen_model.pb"
    slim.carry(source, tmp_path / "here.onnx", slim.plain_card())
    there = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", PROGRAM, str(source), str(tmp_path / "there.onnx")]
    subprocess.run(command, check=True, capture_output=True, env=there)
    assert (tmp_path / "here.onnx").read_bytes() == (tmp_path / "there.onnx").read_bytes()


def test_cards_travel_and_change_nothing(folder: Path, tmp_path: Path) -> None:
    given, wanted = slim.recorded(folder)
    card = slim.card_of(folder)
    for name, read, write in (
        ("net.pb", cards.read_node, cards.write_node),
        ("net.saved", cards.read_extra, cards.write_extra),
    ):
        path = tmp_path / name
        slim.carry(folder, path, card)
        assert read(path) == ""
        for text in ('{"a": "é"}', '{"b": 2}'):
            write(path, text)
            assert read(path) == text
        assert np.abs(slim.answer(opened(path), given) - wanted).max() < 1e-5
        slim.carry(path, tmp_path / f"{name}.onnx", card)
    again = graphs.read_frozen(tmp_path / "net.pb").definition.SerializeToString()
    assert b"zoo.card" not in again


def test_files_are_recognised(fixtures: Path, tmp_path: Path) -> None:
    folder = fixtures / "written_by_originals" / slim.FOLDERS[0]
    slim.carry(folder, tmp_path / "net.saved", slim.card_of(folder))
    assert sniff.graph(folder / "frozen_model.pb")[0] > 0.9
    assert sniff.saved_model(tmp_path / "net.saved")[0] > 0.9
    assert sniff.saved_model(tmp_path / "net.saved" / "saved_model.pb")[0] > 0.9
    for path in (
        tmp_path / "net.saved" / "saved_model.pb",
        folder / "landmark.float.tflite",
        folder / "io.npz",
        folder,
    ):
        assert sniff.graph(path)[0] == 0, path
    long = tmp_path / "long.pb"
    long.write_bytes(frozen(lambda tf, x: x + tf.constant(np.ones((1, 90, 90, 3), "f4")), (1, 90, 90, 3)))
    nodes = graphs.read_frozen(long).definition
    first = next(node for node in nodes.node if node.op == "Const")
    long.write_bytes(type(nodes)(node=[first, *(node for node in nodes.node if node is not first)]).SerializeToString())
    assert sniff.graph(long)[0] > 0.9


def test_devices_and_inputs_are_checked(fixtures: Path) -> None:
    path = fixtures / "written_by_originals" / slim.FOLDERS[0] / "frozen_model.pb"
    with pytest.raises(UsageError, match="no device"):
        TensorFlowSession(path, device="tpu")
    with pytest.raises(RuntimeMissingError, match="GPU"):
        TensorFlowSession(path, device="cuda")
    with pytest.raises(ModelError, match="cannot process an input of 2x56x56x3"):
        slim.answer(TensorFlowSession(path), images(2))
    with pytest.raises(ModelError, match="card must say"):
        TensorFlowSession(path.parent)
    with pytest.raises(ModelError, match="no model file"):
        TensorFlowSession(path.with_name("absent.pb"))


def frozen(make: Any, shape: tuple[int | None, ...]) -> bytes:
    """The bytes of a graph of one float32 input of this shape."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        make(tf, tf.compat.v1.placeholder(tf.float32, shape, name="input"))
    data: bytes = graph.as_graph_def().SerializeToString()
    return data
