"""The 56-pixel network without TensorFlow: names, shapes, what tells them, and what the trainer noted."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from zoo_slim56 import network, settings

from zoo.errors import ModelError, UsageError

KEYS = {
    "bn_dm05": {"batch_norm": True, "depth_multiplier": 0.5},
    "bn_dm2": {"batch_norm": True, "depth_multiplier": 2.0},
    "bn_dm4_dg09": {"batch_norm": True, "channels": [22, 42, 78, 147, 274, 512]},
    "nobn_dm05": {"depth_multiplier": 0.5},
    "nobn_dm2": {"depth_multiplier": 2.0},
}


def keys(fixtures: Path, name: str) -> dict[str, tuple[int, ...]]:
    with (fixtures / "keys" / f"tfslim_lannet_{name}.tsv").open(encoding="utf-8") as stream:
        return {row[0]: tuple(map(int, row[1].split("x"))) for row in csv.reader(stream, delimiter="\t")}


@pytest.mark.parametrize("name", KEYS)
def test_names_and_shapes_are_the_originals_and_tell_the_network(fixtures: Path, name: str) -> None:
    shapes = keys(fixtures, name)
    found = network.recognise(shapes)
    assert found == ("slim56", KEYS[name])
    assert network.build(*found).variables == shapes
    assert network.build("slim56", json.loads(json.dumps(found[1]))).variables == shapes


def test_what_a_training_keeps_besides_is_passed_over(fixtures: Path) -> None:
    shapes = keys(fixtures, "bn_dm05")
    more = {"global_step": (), "model/lannet/conv1/weights/Adam": (3, 3, 3, 4), "beta1_power": ()}
    assert network.recognise(shapes | more) == network.recognise(shapes)


def test_other_networks_are_none_of_ours(fixtures: Path) -> None:
    shapes = keys(fixtures, "bn_dm05")
    assert network.recognise({}) is None
    for name, shape in (
        ("model/lannet/conv3/weights", (5, 5, 8, 16)),
        ("model/lannet/conv1/weights", (3, 3, 1, 4)),  # of grey images
        ("model/lannet/fc7/weights", (128, 140)),
        ("model/lannet/conv1/weights", ()),
        ("model/lannet/fc6/weights", (1024, 1 << 40)),
        ("model/lannet/fc6/weights", (1024, 0)),
    ):
        assert network.recognise(shapes | {name: shape}) is None, name
    assert network.recognise({name: shape for name, shape in shapes.items() if "fc6/BatchNorm" not in name}) is None


def test_the_trainers_formula(fixtures: Path) -> None:
    built = network.build("slim56", {"batch_norm": True, "depth_multiplier": 4, "depth_gamma": 0.9})
    assert built.variables == keys(fixtures, "bn_dm4_dg09")
    assert network.build("slim56", {}).config.widths == network.BASE


@pytest.mark.parametrize(
    "arguments",
    [{"depth": 1}, {"depth_multiplier": 0}, {"depth_multiplier": 1e9}, {"channels": [1, 2, 3]}, {"depth_gamma": "x"}],
)
def test_unfit_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="slim56"):
        network.build("slim56", arguments)


SETTING = """/home/somebody/train/run
train_tfr: /data/x.train.tfrecord
is_color: True
input_size: 56
use_batch_norm: True
lambda1: 0.000100, lambda2: 0.000200
depth_multiplier: 4.000000
depth_gamma: 0.900000
"""


def test_the_trainers_note_says_multiplier_and_gamma(tmp_path: Path, fixtures: Path) -> None:
    found = network.recognise(keys(fixtures, "bn_dm4_dg09"))
    assert found
    built = network.build(*found)
    assert built.settled(tmp_path) == found[1]
    (tmp_path / settings.NAME).write_text(SETTING)
    said = built.settled(tmp_path)
    assert said == {"batch_norm": True, "depth_multiplier": 4.0, "depth_gamma": 0.9}
    assert network.build("slim56", said).variables == built.variables


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("depth_multiplier: 2.0", "tells of a network of"),
        ("depth_multiplier: many", "no number"),
        ("depth_multiplier: -1", "cannot be built"),
        ("is_color: False", "grey"),
        ("use_batch_norm: False", "without batch-norm"),
    ],
)
def test_a_note_of_another_network_is_told(tmp_path: Path, fixtures: Path, line: str, reason: str) -> None:
    key = line.partition(":")[0]
    kept = [said for said in SETTING.splitlines() if not said.startswith(key)]
    (tmp_path / settings.NAME).write_text("\n".join([*kept, line]))
    found = network.recognise(keys(fixtures, "bn_dm4_dg09"))
    assert found
    with pytest.raises((ModelError, UsageError), match=reason):
        network.build(*found).settled(tmp_path)


def test_recognising_imports_no_tensorflow() -> None:
    program = (
        "import sys; from zoo_slim56 import network; from zoo_tensorflow import sniff, checkpoint, cards;"
        "network.build('slim56', {}).variables; network.recognise({});"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'ai_edge_litert', 'tf2onnx')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
