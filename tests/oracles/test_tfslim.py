"""The 56-pixel network against TF-slim itself, which lives in an environment of its own.

``ZOO_ORACLES`` names the folder of the oracles' environments; TF-slim's is ``tfslim`` in it, made with ``python3.11 -m
venv tfslim && tfslim/bin/pip install tensorflow-cpu==2.15.1 tf-keras==2.15.1 tf-slim==1.1.0 pluggy google-crc32c``.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from zoo_slim56 import network
from zoo_tensorflow import checkpoint, sniff

from tests.conftest import ROOT

THEIRS = """
import importlib, json, sys
import numpy as np, tensorflow as tf
# TF-slim looks for Keras 2's layers, and for the class of tensors, where an older TensorFlow had them.
for part in ("", ".base", ".core", ".convolutional", ".pooling", ".normalization"):
    sys.modules["tf_keras.legacy_tf_layers" + part] = importlib.import_module("tf_keras.src.legacy_tf_layers" + part)
from tensorflow.python.framework import ops
ops.Tensor = tf.Tensor
import tf_slim as slim
tf.compat.v1.logging.set_verbosity("ERROR")
folder, batch_norm, multiplier, gamma, version = sys.argv[1], *map(json.loads, sys.argv[2:])

def lannet(images, training):
    width = lambda base: int((base * multiplier) ** gamma)
    normal = {"normalizer_fn": slim.batch_norm, "normalizer_params": {"is_training": training}} if batch_norm else {}
    with tf.compat.v1.variable_scope("model/lannet", reuse=tf.compat.v1.AUTO_REUSE):
        net = images
        for number, base in enumerate((8, 16, 32, 64, 128), start=1):
            net = slim.conv2d(net, width(base), [3, 3], scope=f"conv{number}", **normal)
            if number < 5:
                net = slim.max_pool2d(net, [2, 2], padding="SAME", scope=f"pool{number}")
        net = slim.fully_connected(slim.flatten(net), width(256), scope="fc6", **normal)
        return slim.fully_connected(net, 136, scope="fc7", **normal)

rng = np.random.default_rng(0)
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    images = tf.compat.v1.placeholder(tf.float32, (None, 56, 56, 3), name="input")
    answer, training = lannet(images, False), lannet(images, True)
    session.run(tf.compat.v1.global_variables_initializer())
    for variable in tf.compat.v1.global_variables():
        if "BatchNorm" in variable.name or "biases" in variable.name:
            low = 0.5 if "variance" in variable.name else -0.3
            variable.load(rng.uniform(low, low + 1, variable.shape).astype("f4"), session)
    given = rng.uniform(-1, 1, (3, 56, 56, 3)).astype("f4")
    np.savez(f"{folder}/io.npz", x=given, y=session.run(answer, {images: given}))
    if batch_norm:
        frozen = tf.compat.v1.graph_util.convert_variables_to_constants(
            session, session.graph.as_graph_def(), [training.op.name])
        with open(f"{folder}/training.pb", "wb") as stream:
            stream.write(frozen.SerializeToString())
    saver = tf.compat.v1.train.Saver(write_version=getattr(tf.compat.v1.train.SaverDef, version))
    saver.save(session, f"{folder}/model.ckpt", global_step=7)
    print(json.dumps({v.op.name: v.shape.as_list() for v in tf.compat.v1.global_variables()}))
"""

OURS = """
import json, sys
from pathlib import Path
import numpy as np
from zoo.errors import ModelError
from zoo_slim56 import network
from zoo_tensorflow import checkpoint, graphs
from zoo_tensorflow.quiet import tensorflow
folder = Path(sys.argv[1])
arrays = np.load(folder / "io.npz")
graph = graphs.read_checkpoint(folder, network.build(*network.recognise(checkpoint.tensors(folder))))
with tensorflow().compat.v1.Session(graph=graph.imported()) as session:
    (answer,) = session.run(list(graph.outputs.values()), {graph.inputs["input"]: arrays["x"]})
try:
    graphs.read_frozen(folder / "training.pb")
    refusal = ""
except ModelError as error:
    refusal = str(error)
print(json.dumps([float(np.abs(answer - arrays["y"]).max()), float(np.abs(answer).max()), refusal]))
"""


@pytest.fixture(scope="module")
def python() -> str:
    folder = os.environ.get("ZOO_ORACLES", "")
    path = Path(folder) / "tfslim" / "bin" / "python"
    if not folder or not path.exists():
        pytest.skip("TF-slim is not there; ZOO_ORACLES must name a folder with its environment, tfslim")
    return str(path)


def ask(python: str, program: str, *arguments: Any) -> Any:
    """What the program prints when TF-slim's Python runs it, with this project to import."""
    paths = os.pathsep.join(str(ROOT / name) for name in ("", "plugins", "converters"))
    env = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [python, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("batch_norm", "multiplier", "gamma", "version"),
    [(True, 0.5, 1.0, "V1"), (False, 0.5, 1.0, "V2"), (True, 1.3, 0.9, "V2"), (False, 0.25, 1.1, "V1")],
)
def test_the_network_answers_as_tf_slims(
    python: str, tmp_path: Path, batch_norm: bool, multiplier: float, gamma: float, version: str
) -> None:
    said = [json.dumps(each) for each in (batch_norm, multiplier, gamma, version)]
    shapes = {name: tuple(shape) for name, shape in ask(python, THEIRS, tmp_path, *said).items()}
    assert sniff.checkpoint(tmp_path)[0] > 0.9
    assert checkpoint.tensors(tmp_path) == shapes
    found = network.recognise(shapes)
    assert found is not None and network.build(*found).variables == shapes
    assert ("channels" in found[1]) == (gamma != 1)
    difference, largest, refusal = ask(python, OURS, tmp_path)
    assert largest > 0.1
    assert difference < 1e-5 * max(1, largest)
    if batch_norm:
        assert "is a training graph" in refusal
