"""mmcv's own answers against ours: its layers with the tensors of SCRFD's, and its count of what a network computes.

``ZOO_ORACLES`` names the folder of the oracles' environments; mmcv's is ``mmcv`` in it, made with
``python -m venv mmcv && mmcv/bin/pip install torch==2.13.0 mmcv-lite==2.2.0 pluggy``.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import zoo

torch = pytest.importorskip("torch", reason="networks need PyTorch")

import zoo_scrfd  # noqa: E402
import zoo_yunet  # noqa: E402
from zoo_scrfd.layers import Layer, Separable  # noqa: E402

from zoo.models.edges import network  # noqa: E402
from zoo.networks.complexity import complexity  # noqa: E402
from zoo.plugins import catalogue  # noqa: E402

RUN = """
import sys
import torch
from mmcv import cnn
cases = torch.load(sys.argv[1], weights_only=True)
answers = {}
for name, case in cases.items():
    module = getattr(cnn, case["kind"])(**case["arguments"]).eval()
    module.load_state_dict(case["state"], strict=True)
    with torch.no_grad():
        answers[name] = module(case["images"])
torch.save(answers, sys.argv[1])
"""

COUNT = """
import importlib, json, sys
from mmcv.cnn import get_model_complexity_info
found = {}
for module, architecture, height, width in json.load(sys.stdin):
    built = importlib.import_module(module).build(architecture, {})
    shape = (3, height, width)
    found[architecture] = get_model_complexity_info(built, shape, print_per_layer_stat=False, as_strings=False)
print(json.dumps(found))
"""
"""mmcv counts modules of torch; the zoo's networks are some, and their code needs nothing else but pluggy."""

BATCH, GROUP = {"type": "BN", "requires_grad": True}, {"type": "GN", "num_groups": 8, "requires_grad": True}
SQUARE = {"kernel_size": 3, "padding": 1}
PLAIN, SEPARABLE = "ConvModule", "DepthwiseSeparableConvModule"

LAYERS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "batch-norm": (Layer(24, 48, 3, groups=0), PLAIN, {**SQUARE, "norm_cfg": BATCH}),
    "group-norm": (Layer(24, 48, 3, groups=8), PLAIN, {**SQUARE, "norm_cfg": GROUP}),
    "lateral": (Layer(24, 48, 1), PLAIN, {"kernel_size": 1, "act_cfg": None}),
    "downsampling": (Layer(24, 48, 3, stride=2), PLAIN, {**SQUARE, "stride": 2, "act_cfg": None}),
    "separable, batch-norm": (Separable(24, 48, 0), SEPARABLE, {**SQUARE, "norm_cfg": BATCH}),
    "separable, group-norm": (Separable(24, 48, 8), SEPARABLE, {**SQUARE, "norm_cfg": GROUP}),
}
"""Our layers of 24 to 48 channels, and what of mmcv's makes the same."""

COUNTED = {
    "yunet_n": (320, 320, 148.70e6),
    "yunet_s": (320, 320, 96.43e6),
    "scrfd_500m_bnkps": (480, 640, 0.0),
    "scrfd_1g": (480, 640, 0.0),
    "scrfd_2.5g": (480, 640, 0.0),
    "scrfd_34g": (480, 640, 0.0),
}
"""Height and width, and where the papers' repository says it to that many digits the count."""


@pytest.fixture(scope="module")
def python() -> str:
    folder = os.environ.get("ZOO_ORACLES", "")
    path = Path(folder) / "mmcv" / "bin" / "python"
    if not folder or not path.exists():
        pytest.skip("mmcv is not there; ZOO_ORACLES must name a folder with its environment, mmcv")
    return str(path)


def ask(python: str, program: str, *arguments: Any, stdin: str = "") -> str:
    """What the program prints when mmcv's Python runs it; it can import the zoo's networks."""
    places = {str(Path(str(package.__file__)).parents[1]) for package in (zoo, zoo_scrfd, zoo_yunet)}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sorted(places))}
    command = [python, "-c", program, *map(str, arguments)]
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, cwd="/", env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def randomised(layer: Any) -> Any:
    with torch.no_grad():
        for tensor in (*layer.parameters(), *layer.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5) if tensor.ndim == 1 else tensor.normal_(std=0.2)
    return layer.eval()


def test_layers_are_mmcvs_with_the_same_tensors_under_the_same_names(python: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path, images = tmp_path / "layers.pth", torch.randn(2, 24, 17, 23)
    ends = {"in_channels": 24, "out_channels": 48}
    cases = {
        name: {"kind": kind, "arguments": {**ends, **said}, "state": randomised(ours).state_dict(), "images": images}
        for name, (ours, kind, said) in LAYERS.items()
    }
    torch.save(cases, path)
    ask(python, RUN, path)
    for name, wanted in torch.load(path, weights_only=True).items():
        with torch.no_grad():
            got = LAYERS[name][0](images)
        assert float(wanted.std()) > 0.1
        torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5, msg=lambda said, name=name: f"{name}: {said}")


def test_mmcv_counts_as_we_do(python: str) -> None:
    cards = {name: catalogue().cards[name] for name in COUNTED}
    modules = {name: catalogue().methods[card.method].network.partition(":")[0] for name, card in cards.items()}
    asked = [[modules[name], cards[name].architecture, height, width] for name, (height, width, _) in COUNTED.items()]
    found = json.loads(ask(python, COUNT, stdin=json.dumps(asked)))
    for name, (height, width, published) in COUNTED.items():
        counted = complexity(network(cards[name]), height, width)
        assert (counted.flops, counted.parameters) == tuple(found[cards[name].architecture]), name
        if published:
            assert counted.flops == pytest.approx(published, rel=1e-4)
