"""TensorFlow's graphs are programs. What does more than compute is refused before anything of it runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo_tensorflow import cards, graphs, operations, savedmodel, sniff
from zoo_tensorflow.session import TensorFlowSession

from tests.converters import slim
from zoo.errors import ModelError

tf = pytest.importorskip("tensorflow", reason="these are attacks on it")
pytestmark = pytest.mark.xdist_group("tensorflow")

Make = Callable[[Any, Path], Any]


def writes(images: Any, goal: Path) -> Any:
    with tf.control_dependencies([tf.io.write_file(str(goal), "here")]):
        return images * 2


def reads(images: Any, goal: Path) -> Any:
    return images + tf.cast(tf.strings.length(tf.io.read_file("/etc/passwd")), tf.float32)


def calls_python(images: Any, goal: Path) -> Any:
    return tf.compat.v1.py_func(lambda value: value, [images], tf.float32)


def hidden_in_a_function(images: Any, goal: Path) -> Any:
    return tf.function(lambda value: writes(value, goal))(images)


def hidden_in_a_loop(images: Any, goal: Path) -> Any:
    return tf.while_loop(lambda i, _: i < 2, lambda i, value: (i + 1, writes(value, goal)), (0, images))[1]


ATTACKS = (writes, reads, calls_python, hidden_in_a_function, hidden_in_a_loop)


def frozen(make: Make, goal: Path) -> bytes:
    with tf.Graph().as_default() as graph:
        make(tf.compat.v1.placeholder(tf.float32, (1, 4), name="input"), goal)
    data: bytes = graph.as_graph_def().SerializeToString()
    return data


@pytest.mark.parametrize("make", ATTACKS)
def test_frozen_graphs_that_do_more_than_compute(tmp_path: Path, make: Make) -> None:
    path, goal = tmp_path / "net.pb", tmp_path / "goal"
    path.write_bytes(frozen(make, goal))
    with pytest.raises(ModelError, match="has the operation"):
        TensorFlowSession(path)
    assert not goal.exists()


@pytest.mark.parametrize("make", ATTACKS)
def test_signatures_that_do_more_than_compute(tmp_path: Path, make: Make) -> None:
    path, goal = tmp_path / "net", tmp_path / "goal"
    module = tf.Module()
    module.serve = tf.function(lambda images: {"out": make(images, goal)}, [tf.TensorSpec((1, 4), name="input")])
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})
    with pytest.raises(ModelError, match="has the operation"):
        TensorFlowSession(path)
    assert not goal.exists()


@pytest.fixture
def saved(fixtures: Path, tmp_path: Path) -> Path:
    """A SavedModel that is in order."""
    folder = fixtures / "written_by_originals" / slim.FOLDERS[0]
    slim.carry(folder, tmp_path / "net.saved", slim.card_of(folder))
    return tmp_path / "net.saved"


def change(saved: Path, edit: Callable[[Any], None]) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    path = saved / "saved_model.pb"
    document = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    edit(document.meta_graphs[0])
    path.write_bytes(document.SerializeToString())


@pytest.mark.parametrize("way", ["main", "legacy", "signature", "restore"])
def test_what_loading_would_run(saved: Path, tmp_path: Path, way: str) -> None:
    goal = tmp_path / "goal"
    attack = tf.compat.v1.GraphDef.FromString(frozen(writes, goal))
    operation = next(node.name for node in attack.node if node.op == "WriteFile")

    def edit(meta: Any) -> None:
        for node in attack.node:
            copy = meta.graph_def.node.add()
            copy.CopyFrom(node)
            copy.name = f"evil/{node.name}"
            copy.input[:] = [name.replace("^", "^evil/") if "^" in name else f"evil/{name}" for name in node.input]
        start = meta.graph_def.node.add(name="evil/start", op="NoOp")
        start.input.append(f"^evil/{operation}")
        if way == "restore":
            meta.saver_def.restore_op_name = "evil/start"
        elif way == "signature":
            meta.signature_def["__saved_model_init_op"].outputs["op"].name = "evil/start:0"
        else:
            key = {"main": "saved_model_main_op", "legacy": "legacy_init_op"}[way]
            meta.collection_def[key].node_list.value.append("evil/start")

    change(saved, edit)
    with pytest.raises(ModelError, match="has the operation WriteFile"):
        graphs.read_saved_model(saved)
    assert not goal.exists()


def test_nodes_that_hide_behind_others(tmp_path: Path) -> None:
    definition = tf.compat.v1.GraphDef.FromString(frozen(hidden_in_a_function, tmp_path / "goal"))
    for nodes in (definition.library.function[0].node_def, definition.node):
        attack = definition.__class__.FromString(definition.SerializeToString())
        harmless = nodes.add(name=nodes[0].name, op="NoOp")
        (tmp_path / "net.pb").write_bytes(definition.SerializeToString())
        with pytest.raises(ModelError, match="two of its nodes are called"):
            graphs.read_frozen(tmp_path / "net.pb")
        nodes.remove(harmless)
        assert definition == attack


def test_tables_with_files_of_their_own(saved: Path) -> None:
    change(saved, lambda meta: meta.object_graph_def.nodes.add().resource.SetInParent())
    with pytest.raises(ModelError, match="tables or files of its own"):
        graphs.read_saved_model(saved)


def test_graphs_that_were_frozen_while_training(tmp_path: Path) -> None:
    """The original's own scripts made such files; default attributes may be left out of a file."""
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, (1, 8, 8, 3), name="input")
        ones = np.ones(3, "f4")
        tf.compat.v1.nn.fused_batch_norm(images, ones, ones, is_training=True)
    definition = graph.as_graph_def()
    for strip in (False, True):
        node = next(node for node in definition.node if node.op.startswith("FusedBatchNorm"))
        if strip:
            del node.attr["is_training"]
        (tmp_path / "net.pb").write_bytes(definition.SerializeToString())
        with pytest.raises(ModelError, match="training graph"):
            graphs.read_frozen(tmp_path / "net.pb")
    node.attr["is_training"].b = False
    operations.require_inference(definition.node, "net.pb")


@pytest.mark.parametrize("name", ["notes.txt", "variables/run.sh", "assets/deep/er.txt", "saved_model.pbtxt"])
def test_folders_with_odd_files(saved: Path, name: str) -> None:
    (saved / name).parent.mkdir(parents=True, exist_ok=True)
    (saved / name).write_text("something")
    with pytest.raises(ModelError, match="a SavedModel has no file"):
        savedmodel.files(saved)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="links are made")
def test_folders_with_links(saved: Path, tmp_path: Path) -> None:
    index = saved / "variables" / "variables.index"
    shutil.move(index, tmp_path / "elsewhere")
    index.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="is a link"):
        savedmodel.files(saved)


@pytest.mark.parametrize("name", ["variables/variables.index", "variables/variables.data-00000-of-00001"])
def test_cut_and_missing_variables(saved: Path, name: str) -> None:
    path = saved / name
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ModelError, match="damaged"):
        graphs.read_saved_model(saved)
    path.unlink()
    with pytest.raises(ModelError):
        graphs.read_saved_model(saved)


def test_cut_graphs(saved: Path, fixtures: Path, tmp_path: Path) -> None:
    whole = (fixtures / "written_by_originals" / slim.FOLDERS[0] / "frozen_model.pb").read_bytes()
    path = tmp_path / "net.pb"
    for size in (0, 1, 30, 100, 50000, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ModelError):
            graphs.read_frozen(path)
    for data in (whole[:50000], b"\x0a\xff\xff\xff\xff\x0f", b"PK\x03\x04"):
        path.write_bytes(data)
        assert sniff.graph(path)[0] in (0.0, 0.95)
        with pytest.raises(ModelError, match="damaged or no frozen graph"):
            cards.write_node(path, "{}")
        assert path.read_bytes() == data
    pb = saved / "saved_model.pb"
    pb.write_bytes(pb.read_bytes()[:-100])
    with pytest.raises(ModelError, match="damaged"):
        graphs.read_saved_model(saved)
    pb.unlink()
    with pytest.raises(ModelError, match="no SavedModel"):
        graphs.read_saved_model(saved)


def test_damage_at_random_is_refused_or_harmless(fixtures: Path, tmp_path: Path) -> None:
    whole = (fixtures / "written_by_originals" / slim.FOLDERS[0] / "frozen_model.pb").read_bytes()
    path, rng = tmp_path / "net.pb", np.random.default_rng(0)
    for _ in range(25):
        data = bytearray(whole)
        for at in rng.integers(3000, size=4):
            data[at] = int(rng.integers(256))
        path.write_bytes(data)
        try:
            graphs.read_frozen(path)
        except ModelError as error:
            assert str(error).endswith(".")
