"""The recognition networks against the originals' tensors, counts and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zoo_arcface import names
from zoo_arcface.architectures import CONFIGS

from zoo.errors import UsageError

torch = pytest.importorskip("torch", reason="the networks are torch's")

# As counted by the originals: the table of arcface_torch's README, and MXNet's own parameter files.
PARAMETERS = {
    "arcface_r18": 24_025_600,
    "arcface_r34": 34_139_328,
    "arcface_r50": 43_590_848,
    "arcface_r100": 65_156_160,
    "arcface_mbf": 2_059_520,
    "arcface_mbf_large": 6_314_880,
    "arcface_lresnet50e_ir": 43_590_848,
    "arcface_lresnet100e_ir": 65_156_160,
    "arcface_y1": 1_003_264,
}
TORCH = ["r18", "r34", "r50", "r100", "mbf", "mbf_large"]
MXNET = {"r50": "lresnet50e_ir", "r100": "lresnet100e_ir", "m1": "m1", "y1": "y1"}


def listed(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of an original's tensors."""
    rows = [line.split("\t")[:2] for line in path.read_text("utf-8").splitlines()]
    return {name: () if shape == "scalar" else tuple(map(int, shape.split("x"))) for name, shape in rows}


def shapes(architecture: str, **arguments: Any) -> dict[str, tuple[int, ...]]:
    """Names and shapes of our network's tensors, none of which is made."""
    from zoo_arcface.network import build

    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in build(architecture, arguments).state_dict().items()}


def counted(found: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {name: shape for name, shape in found.items() if not name.endswith("num_batches_tracked")}


@pytest.mark.parametrize("name", TORCH)
def test_tensors_are_those_of_arcface_torch_in_its_order(fixtures: Path, name: str) -> None:
    wanted = listed(fixtures / "keys" / f"torch_arcface_{name}.tsv")
    assert list(shapes(f"arcface_{name}").items()) == list(wanted.items())
    assert names.recognise(wanted) == (f"arcface_{name}", {})


@pytest.mark.parametrize("name", MXNET)
def test_tensors_are_mxnets_under_other_names(fixtures: Path, name: str) -> None:
    wanted = listed(fixtures / "keys" / f"mxnet_{name}.tsv")
    assert names.from_mxnet(wanted) == counted(shapes(f"arcface_{MXNET[name]}"))
    assert names.recognise(wanted) == (f"arcface_{MXNET[name]}", {})


def test_parameters_are_as_many_as_published() -> None:
    from zoo_arcface.network import build

    from zoo.networks.complexity import parameters

    with torch.device("meta"):
        assert {name: parameters(build(name, {})) for name in PARAMETERS} == PARAMETERS


def test_foamlius_weights_load_and_give_what_its_onnx_gives(fixtures: Path) -> None:
    engine = pytest.importorskip("onnxruntime", reason="it runs the original's export")
    from zoo_arcface.network import build

    from zoo.networks.state import load_state

    torch.set_num_threads(1)
    stored = torch.load(fixtures / "recognition" / "foamliu_mobilefacenet.pt", "cpu", weights_only=True)
    found = names.recognise({name: tuple(value.shape) for name, value in stored.items()})
    assert found == ("mobilefacenet_foamliu", {})
    network = build(*found)
    load_state(network, stored, "foamliu_mobilefacenet.pt")
    images = np.random.default_rng(0).standard_normal((1, 3, 112, 112)).astype(np.float32)
    (wanted,) = engine.InferenceSession(fixtures / "recognition" / "foamliu_MobileFaceNet.onnx").run(
        None, {"input0": images}
    )
    with torch.no_grad():
        (got,) = network(torch.from_numpy(images))
    assert got.shape == (1, 128)
    np.testing.assert_allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "arguments"),
    [
        ("arcface_r18", {"blocks": [1, 2, 1, 3], "embedding": 64}),
        ("arcface_r18", {"size": 64}),
        ("arcface_mbf", {"blocks": [3, 1, 1, 1], "scale": 1}),
        ("arcface_m1", {"base": 16, "embedding": 16}),
        ("arcface_y1", {"blocks": [2, 1, 1, 1]}),
        ("mobilefacenet_foamliu", {"embedding": 32}),
    ],
)
def test_own_variants_are_built_recognised_and_run(architecture: str, arguments: dict[str, Any]) -> None:
    from zoo_arcface.network import build

    found = names.recognise(shapes(architecture, **arguments))
    assert found is not None
    assert counted(shapes(found[0], **found[1])) == counted(shapes(architecture, **arguments))
    with torch.device("meta"):
        (embeddings,) = build(*found)(torch.empty(2, 3, *[arguments.get("size", 112)] * 2))
    assert embeddings.shape == (2, arguments.get("embedding", CONFIGS[architecture].embedding))


def test_mxnets_networks_normalise_themselves() -> None:
    from zoo_arcface.network import build

    torch.manual_seed(0)
    inside = build("arcface_y1", {"blocks": [1, 1, 1, 1]})
    outside = build("arcface_y1", {"blocks": [1, 1, 1, 1], "normalise": False})
    outside.load_state_dict(inside.state_dict())
    pixels = torch.randint(0, 256, (1, 3, 112, 112)).float()
    with torch.no_grad():
        torch.testing.assert_close(inside(pixels), outside((pixels - 127.5) / 128))


def test_batch_norm_adds_what_the_originals_add() -> None:
    from zoo_arcface.network import build

    with torch.device("meta"):
        found = {name: build(name, {}) for name in ("arcface_r18", "arcface_lresnet34e_ir", "arcface_y1", "arcface_m1")}
    added = {name: [one.eps for one in net.modules() if hasattr(one, "running_var")] for name, net in found.items()}
    assert set(added["arcface_r18"]) == {1e-5}
    assert set(added["arcface_lresnet34e_ir"]) == {2e-5}
    for name in ("arcface_y1", "arcface_m1"):
        assert set(added[name][:-1]) == {1e-3}
        assert added[name][-1] == 2e-5


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"conv1.weight": (64, 3, 3, 3)},
        {"fc.weight": (), "fc.bias": (512,)},
        {"conv1.weight": (64, 3, 7, 7), "layer1.0.conv1.weight": (64, 64, 1, 1), "layer1.0.relu.x": (1,)},
        {"arg:conv0_weight": (64, 3, 3, 3), "arg:fc7_weight": (85742, 512)},
        {"arg:conv1_weight": (10, 3, 3, 3), "arg:prelu1_gamma": (10,)},
        {"arg:": (1,)},
        {"layers.0.layers.0.weight": (7,)},
        {"conv_1.conv2d.weight": (1 << 40, 3, 3, 3), "pre_fc1.weight": (128, 512)},
    ],
)
def test_other_networks_are_not_taken_for_ours(found: dict[str, tuple[int, ...]]) -> None:
    assert names.recognise(found) is None
    assert names.translate({name: np.empty(()) for name in found}) is None


def test_what_cannot_be_built_is_said_in_one_sentence() -> None:
    from zoo_arcface.network import build

    with pytest.raises(UsageError, match=r"There is no architecture 'arcface_r51'.*Did you mean arcface_r5?0"):
        build("arcface_r51", {})
    with pytest.raises(UsageError, match="blocks must be 4 numbers, not 3"):
        build("arcface_r50", {"blocks": [1, 2, 3]})
    with pytest.raises(UsageError, match="base must be a multiple of 16, not 8"):
        build("arcface_m1", {"base": 8})
    with pytest.raises(UsageError, match=r"has no field 'depth'"):
        build("arcface_mbf", {"depth": 3})
