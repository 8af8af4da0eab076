"""YuNet's network against the shipped checkpoints and ONNX files, and the ways to say which YuNet is meant."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest
from zoo_yunet.config import CONFIGS, Config, read, recognise

from tests.conftest import ROOT
from zoo.errors import ModelError, UsageError
from zoo.networks.configs import configure

torch = pytest.importorskip("torch", reason="networks need PyTorch")

from zoo_yunet.network import build, initialise  # noqa: E402

from zoo.models.edges import network  # noqa: E402
from zoo.networks.complexity import complexity, parameters  # noqa: E402
from zoo.networks.state import load_state  # noqa: E402
from zoo.plugins import catalogue, resolve  # noqa: E402

NAMES = ("yunet_n", "yunet_s")
OWN = {"stem": 8, "widths": (8, 16, 24, 24, 24, 24), "features": 32, "stacked": 2}


def shapes(module: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def blank(name: str, arguments: dict[str, Any]) -> Any:
    with torch.device("meta"):
        return build(name, arguments)


def checkpoint(fixtures: Path, name: str) -> dict[str, Any]:
    path = fixtures / "yunet" / f"{name}.pth"
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    return state


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_gives_what_the_shipped_file_gives(name: str, fixtures: Path, t1: np.ndarray) -> None:
    state = checkpoint(fixtures, name)
    assert recognise({key: tuple(tensor.shape) for key, tensor in state.items()}) == (name, {})
    loaded = build(name, {})
    load_state(loaded, state, f"{name}.pth")
    session = onnxruntime.InferenceSession(fixtures / "yunet" / f"{name}_dynamic.onnx")
    noise = np.random.default_rng(1).integers(0, 256, (2, 3, 96, 224)).astype(np.float32)
    photograph = cv2.resize(t1, (640, 448)).transpose(2, 0, 1)[None].astype(np.float32)
    assert loaded.outputs == tuple(output.name for output in session.get_outputs())
    for images in (photograph, noise):
        with torch.no_grad():
            given = loaded(torch.from_numpy(images))
        for ours, theirs in zip(given, session.run(None, {"input": images}), strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "numbers", "macs", "flops"),
    [("yunet_n", 75_856, 135_598_400, 148_696_000), ("yunet_s", 54_608, 86_056_000, 96_433_600)],
)
def test_counts_are_the_published_ones(name: str, numbers: int, macs: int, flops: int) -> None:
    counted = complexity(blank(name, {}), 320, 320)
    assert (counted.parameters, counted.macs, counted.flops) == (numbers, macs, flops)
    card = catalogue().cards[name]
    assert parameters(network(card)) == card.parameters
    assert round(counted.flops / 1e6) == card.mflops


def test_maps_become_rows_and_logits_probabilities() -> None:
    torch.manual_seed(0)
    net = build("yunet_s", {})
    images = torch.rand(2, 3, 64, 96) * 255
    with torch.no_grad():
        maps, rows = net.raw(images), net(images)
    assert [tuple(one.shape) for one in maps[::3]] == [(2, channels, 8, 12) for channels in (1, 1, 4, 10)]
    assert [tuple(one.shape) for one in rows[2::3]] == [(2, 6, channels) for channels in (1, 1, 4, 10)]
    assert torch.equal(rows[9][1, 12 + 5], maps[9][1, :, 1, 5])
    assert torch.equal(rows[3][0, 12 + 5], maps[3][0, :, 1, 5].sigmoid())
    assert not net.training


@pytest.mark.parametrize("arguments", [{}, OWN, {"shared": 2, "features": 16}, {"shared": 0}])
def test_a_network_of_ones_own_is_recognised_by_its_tensors(arguments: dict[str, Any]) -> None:
    own = blank("yunet_n", arguments)
    found = recognise(shapes(own))
    assert found is not None
    assert shapes(blank(found[0], dict(found[1]))) == shapes(own)
    assert own(torch.empty(1, 3, 64, 64, device="meta"))[-1].shape == (1, 4, 10)


def test_other_depths_and_strides() -> None:
    deeper = {"widths": (8, 8, 8, 16, 16, 16, 16), "pooled": (0, 2, 3, 4, 5), "taps": (3, 4, 5, 6), "features": 16}
    own = blank("yunet_n", deeper)
    assert own.config.strides == (8, 16, 32, 64)
    assert own.outputs[-1] == "kps_64"
    assert [one.shape[1] for one in own(torch.empty(1, 3, 128, 64, device="meta"))[:4]] == [128, 32, 8, 2]


def test_the_method_names_them() -> None:
    method = catalogue().methods["yunet"]
    assert [resolve(name) for name in (method.network, method.recognise, method.config)] == [build, recognise, read]
    assert tuple(CONFIGS) == method.architectures


def test_tensors_of_others_are_not_taken_for_a_yunet() -> None:
    own = shapes(blank("yunet_n", {}))
    assert recognise({}) is None
    assert recognise({name: shape for name, shape in own.items() if "model0" not in name}) is None
    assert recognise(own | {"backbone.model0.conv2.conv1.weight": ()}) is None
    assert recognise(own | {"backbone.model3.conv2.conv1.weight": (10**12, 64, 1, 1)}) is None
    assert recognise(own | {"backbone.model4.conv2.conv1.weight": (32, 64, 1, 1)}) is None


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("yunet_m", {}, r"no architecture 'yunet_m'; there are yunet_n, yunet_s\. Did you mean"),
        ("yunet_n", {"stages": 3}, "Config has no field 'stages'"),
        ("yunet_n", {"widths": [16, 64, 64, 64, 64, 32]}, "the stages at the taps must be equally wide"),
        ("yunet_n", {"taps": [3, 5]}, "each of the taps must have twice the stride"),
        ("yunet_n", {"taps": []}, "each of the taps"),
        ("yunet_n", {"stem": 0}, r"must be in 1\.\.4096, not 0"),
        ("yunet_n", {"features": 1 << 40}, r"must be in 1\.\.4096"),
        ("yunet_n", {"taps": [4, 5, 6]}, r"pooled and taps must be in 0\.\.5, not 6"),
    ],
)
def test_what_cannot_be_built_is_told(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(name, arguments)


def model(**head: Any) -> dict[str, Any]:
    """The ``model`` part of a training configuration, laid out as the original's."""
    return {
        "type": "YuNet",
        "backbone": {
            "type": "YuNetBackbone",
            "stage_channels": [[3, 16, 16], [16, 64], [64, 64], [64, 64], [64, 64], [64, 64]],
            "downsample_idx": [0, 2, 3, 4],
            "out_idx": [3, 4, 5],
        },
        "neck": {"type": "TFPN", "in_channels": [64, 64, 64], "out_idx": [0, 1, 2]},
        "bbox_head": {
            "type": "YuNet_Head",
            "num_classes": 1,
            "in_channels": 64,
            "shared_stacked_convs": 1,
            "stacked_convs": 0,
            "feat_channels": 64,
            "prior_generator": {"type": "MlvlPointGenerator", "offset": 0, "strides": [8, 16, 32]},
            "use_kps": True,
            "kps_num": 5,
            **head,
        },
        "train_cfg": {"assigner": {"type": "SimOTAAssigner", "center_radius": 2.5}},
    }


def test_configurations_of_the_training_repository() -> None:
    assert read(model()) == ("yunet_n", {})
    small = model(shared_stacked_convs=0)
    small["backbone"]["stage_channels"][1:3] = [[16, 32], [32, 64]]
    assert read(small) == ("yunet_s", {})
    own = model(stacked_convs=1, feat_channels=32)
    own["backbone"]["stage_channels"] = [[3, 8, 12], [12, 24], [24, 24], [24, 24], [24, 24], [24, 24]]
    own["neck"]["in_channels"], own["bbox_head"]["in_channels"] = [24, 24, 24], 24
    found = read(own)
    assert found is not None
    assert configure(CONFIGS, *found) == Config(8, (12, 24, 24, 24, 24, 24), features=32, stacked=1)
    assert read({"type": "SCRFD"}) is None
    assert read({}) is None


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("neck", "type"), "FPN", r"neck is FPN; the zoo knows TFPN\."),
        (("backbone",), None, r"backbone is missing; the zoo knows YuNetBackbone\."),
        (("bbox_head", "num_classes"), 2, r"bbox_head has num_classes 2; the zoo's network has 1\."),
        (("bbox_head", "use_kps"), False, "use_kps False"),
        (("bbox_head", "in_channels"), 32, "in_channels 32; the zoo's network has 64"),
        (("neck", "in_channels"), [64, 64, 32], "in_channels"),
        (("bbox_head", "prior_generator", "strides"), [4, 8, 16], "prior_generator has strides"),
        (("backbone", "stage_channels"), [[3, 16, 16], [32, 64]], "no chain of stages"),
        (("backbone", "stage_channels"), "wide", "no chain of stages"),
        (("backbone", "out_idx"), [3, 4, 9], "must be in"),
        (("backbone", "out_idx"), None, "must be a list"),
        (("bbox_head", "feat_channels"), "many", "must be int"),
    ],
)
def test_configurations_that_it_cannot_be(path: tuple[str, ...], value: Any, message: str) -> None:
    changed = copy.deepcopy(model())
    part = changed
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    with pytest.raises((ModelError, UsageError), match=message):
        read(changed)


def test_training_starts_from_the_originals_numbers() -> None:
    torch.manual_seed(0)
    net = build("yunet_n", {})
    net.backbone.model0.bn1.weight.data.zero_()
    net.backbone.model0.bn1.running_mean.fill_(3)
    initialise(net)
    state = net.state_dict()
    assert all((state[name] == 0.02).all() for name in state if name.endswith(("conv1.bias", "conv2.bias")))
    weight = state["backbone.model3.conv2.conv1.weight"]
    assert weight.std().item() == pytest.approx((2 / (64 + 64)) ** 0.5, rel=0.05)
    assert (state["backbone.model0.bn1.weight"] == 1).all()
    assert (state["backbone.model0.bn1.running_mean"] == 0).all()


def test_the_example_on_its_page_runs() -> None:
    page = ROOT / "plugins" / "zoo_yunet" / "README.md"
    if not page.is_file():
        pytest.skip("the source tree is not beside the tests")
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    with torch.no_grad():
        assert len(names["network"](torch.zeros(1, 3, 64, 64))) == len(names["network"].outputs)


def test_it_is_exported_with_any_batch_and_size(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, path = build("yunet_s", OWN | {"stacked": 0}), tmp_path / "own.onnx"
    axes = {"input": {0: "batch", 2: "height", 3: "width"}}
    torch.onnx.export(
        net, (torch.rand(1, 3, 64, 64),), path, dynamo=False, input_names=["input"], dynamic_axes=axes, opset_version=17
    )
    images = torch.rand(3, 3, 32, 96) * 255
    given = onnxruntime.InferenceSession(path).run(None, {"input": images.numpy()})
    with torch.no_grad():
        for ours, theirs in zip(net(images), given, strict=True):
            np.testing.assert_allclose(theirs, ours.numpy(), rtol=1e-5, atol=1e-5)
