"""SCRFD's networks against a checkpoint and ONNX files of the original, and the ways to say which SCRFD is meant."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from zoo_scrfd.config import CONFIGS, Config, recognise
from zoo_scrfd.upstream import read

from tests.conftest import ROOT
from zoo.errors import ModelError, UsageError
from zoo.networks.configs import configure

torch = pytest.importorskip("torch", reason="networks need PyTorch")

from torch import nn  # noqa: E402
from zoo_scrfd.network import build, initialise  # noqa: E402

from zoo.models.edges import network  # noqa: E402
from zoo.networks.complexity import complexity  # noqa: E402
from zoo.networks.state import load_state  # noqa: E402
from zoo.plugins import catalogue, resolve  # noqa: E402

GFLOPS = {
    "scrfd_500m": 0.511,
    "scrfd_500m_bnkps": 0.584,
    "scrfd_1g": 0.986,
    "scrfd_2.5g": 2.532,
    "scrfd_2.5g_bnkps": 2.605,
    "scrfd_10g": 9.985,
    "scrfd_10g_bnkps": 10.076,
    "scrfd_34g": 34.143,
}


def shapes(module: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def blank(name: str, arguments: dict[str, Any]) -> Any:
    with torch.device("meta"):
        return build(name, arguments)


def prepared(image: np.ndarray, width: int, height: int) -> np.ndarray:
    return cv2.dnn.blobFromImage(image, 1 / 128, (width, height), (127.5, 127.5, 127.5), swapRB=True)


def session_of(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options)


def assert_equal_outputs(net: Any, session: onnxruntime.InferenceSession, t1: np.ndarray, batch: bool = True) -> None:
    """A photograph, and noise in a batch of an odd size where `session` takes batches."""
    noise = np.random.default_rng(0).normal(size=(2 if batch else 1, 3, 104, 232)).astype(np.float32)
    for images in (prepared(t1, 448, 320), noise):
        with torch.no_grad():
            given = net(torch.from_numpy(images))
        for ours, theirs in zip(given, session.run(None, {"input.1": images}), strict=True):
            np.testing.assert_allclose(ours.numpy().reshape(theirs.shape), theirs, rtol=1e-5, atol=1e-5)


def test_the_checkpoint_gives_what_both_generations_of_files_give(fixtures: Path, t1: np.ndarray) -> None:
    path = fixtures / "scrfd" / "scrfd_500m_bnkps.pth"
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    assert recognise({name: tuple(tensor.shape) for name, tensor in state.items()}) == ("scrfd_500m_bnkps", {})
    loaded = build("scrfd_500m_bnkps", {})
    load_state(loaded, state, path.name)
    assert list(loaded.state_dict()) == list(state)
    session = session_of(fixtures / "scrfd" / "scrfd_500m_bnkps_dynamic.onnx")
    assert loaded.outputs == tuple(output.name for output in session.get_outputs())
    assert_equal_outputs(loaded, session, t1)
    assert_equal_outputs(loaded, session_of(fixtures / "scrfd" / "official_det_500m.onnx"), t1, batch=False)


def load_graph(net: Any, path: Path) -> None:
    """Fill `net` from an ONNX file in the order of calls, since norms are folded into nameless tensors there.

    Raises where a convolution, a group-norm or a scale of the file has another shape or place than in the network.
    """
    graph = onnx.load(path).graph
    tensors = {tensor.name: torch.from_numpy(onnx.numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    calls: list[Any] = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.GroupNorm) or type(module).__name__ == "Scale":
            module.register_forward_hook(lambda module, *_: calls.append(module))
    net(torch.zeros(1, 3, 64, 64))
    nodes = iter(graph.node)
    for index, module in enumerate(calls):
        with torch.no_grad():
            if isinstance(module, nn.Conv2d):
                node = next(node for node in nodes if node.op_type == "Conv")
                module.weight.data = same_shape(tensors[node.input[1]], module.weight)
                after = calls[index + 1] if module.bias is None else module
                if module.bias is not None or isinstance(after, nn.BatchNorm2d):
                    after.bias.data = same_shape(tensors[node.input[2]], after.bias)
            elif isinstance(module, nn.GroupNorm):
                next(node for node in nodes if node.op_type == "InstanceNormalization")
                for parameter, kind in ((module.weight, "Mul"), (module.bias, "Add")):
                    value = tensors[next(node for node in nodes if node.op_type == kind).input[1]]
                    parameter.data = same_shape(value.flatten(), parameter)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.fill_((1 + module.eps) ** 0.5)
            else:
                value = tensors[next(node for node in nodes if node.op_type == "Mul").input[1]]
                module.scale.data = same_shape(value.reshape(()), module.scale)
    assert not [node for node in nodes if node.op_type == "Conv"]


def same_shape(value: torch.Tensor, old: torch.Tensor) -> torch.Tensor:
    assert value.shape == old.shape
    return value


@pytest.mark.parametrize("name", ["scrfd_500m", "scrfd_2.5g_bnkps"])
def test_networks_without_a_checkpoint_are_those_of_the_onnx_files(name: str, fixtures: Path, t1: np.ndarray) -> None:
    path = fixtures / "scrfd" / f"{name}_dynamic.onnx"
    filled = build(name, {})
    load_graph(filled, path)
    session = session_of(path)
    assert filled.outputs == tuple(output.name for output in session.get_outputs())
    assert_equal_outputs(filled, session, t1)


@pytest.mark.parametrize("name", CONFIGS)
def test_counts_are_the_published_ones(name: str) -> None:
    net, card = blank(name, {}), catalogue().cards[name]
    counted = complexity(net, 480, 640)
    assert counted.parameters == card.parameters
    assert counted.flops / 1e9 == pytest.approx(GFLOPS[name], abs=0.001)
    assert counted.flops / 1e6 == pytest.approx(card.mflops, rel=0.18)
    assert recognise(shapes(net)) == (name, {})


def test_every_card_builds_its_network() -> None:
    cards = [card for card in catalogue().cards.values() if card.method == "scrfd" and "34g" not in card.id]
    assert len(cards) == 7
    for card in cards:
        assert bool(card.keypoints) == network(card).config.keypoints


@pytest.mark.parametrize("name", CONFIGS)
def test_maps_and_rows(name: str) -> None:
    net = blank(name, {})
    images = torch.empty(2, 3, 64, 96, device="meta")
    maps, rows = net.raw(images), net(images)
    kinds = (1, 4, 10)[: len(rows) // 3]
    cells = (96, 24, 6)
    assert [tuple(one.shape) for one in maps[::3]] == [(2, 2 * kind, 8, 12) for kind in kinds]
    assert [tuple(one.shape[1:]) for one in rows] == [(2 * count, kind) for kind in kinds for count in cells]
    assert len(net.outputs) == len(rows)


def test_the_anchors_of_a_cell_follow_one_another() -> None:
    torch.manual_seed(0)
    net = build("scrfd_500m_bnkps", {})
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        maps, rows = net.raw(images), net(images)
    assert torch.equal(rows[6][1, 2 * (12 + 5) + 1], maps[6][1, 10:, 1, 5])
    assert torch.equal(rows[0][1, 2 * (12 + 5)], maps[0][1, :1, 1, 5].sigmoid())


OWN: list[dict[str, Any]] = [
    {"blocks": (1, 2, 1, 2), "planes": (8, 16, 24, 32), "neck": 8, "features": 24},
    {"levels": 5, "anchors": 1},
    {"family": "bottleneck", "stem": (8,), "planes": (8, 8, 16, 16), "depthwise": False, "convolutions": 4},
    {"family": "basic", "stem": (16,), "planes": (8, 8, 16, 16), "shared": True, "scaled": True, "keypoints": False},
]


@pytest.mark.parametrize("arguments", OWN)
def test_a_network_of_ones_own_is_recognised_by_its_tensors(arguments: dict[str, Any]) -> None:
    own = blank("scrfd_500m_bnkps", arguments)
    found = recognise(shapes(own))
    assert found is not None
    assert configure(CONFIGS, *found) == own.config
    assert len(own(torch.empty(1, 3, 128, 128, device="meta"))) == len(own.outputs)


def test_how_many_groups_normalise_a_head_of_ones_own_cannot_be_guessed() -> None:
    assert recognise(shapes(blank("scrfd_500m", {"groups": 8}))) == ("scrfd_500m", {})
    assert recognise(shapes(blank("scrfd_500m", {"features": 32}))) is None


def test_the_method_names_them() -> None:
    method = catalogue().methods["scrfd"]
    assert [resolve(name) for name in (method.network, method.recognise, method.config)] == [build, recognise, read]
    assert tuple(CONFIGS) == method.architectures


def test_tensors_of_others_are_not_taken_for_an_scrfd() -> None:
    own = shapes(blank("scrfd_500m_bnkps", {}))
    assert recognise({}) is None
    assert recognise({name: shape for name, shape in own.items() if "stride_cls" not in name}) is None
    assert recognise({name: shape for name, shape in own.items() if "neck" not in name}) is None
    assert recognise(own | {"neck.lateral_convs.0.conv.weight": ()}) is None
    assert recognise(own | {"backbone.stem.0.0.weight": (10**15, 3, 3, 3)}) is None


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("scrfd_500", {}, r"no architecture 'scrfd_500'; .* Did you mean scrfd_500m\?"),
        ("scrfd_1g", {"family": "vgg"}, "family must be one of mobilenet, basic, bottleneck, not 'vgg'"),
        ("scrfd_1g", {"family": "basic"}, "stem must be 1 numbers, not 2"),
        ("scrfd_1g", {"blocks": [1, 2, 3]}, "blocks must be 4 numbers"),
        ("scrfd_1g", {"groups": 7}, r"groups must divide the head's channels \[96, 24\], which 7 does not"),
        ("scrfd_10g", {"blocks": [1, 1, 1, 10**9]}, r"must be in 1\.\.512"),
        ("scrfd_10g", {"levels": 2}, r"levels must be in 3\.\.8"),
        ("scrfd_10g", {"anchors": 0}, "anchors must be"),
    ],
)
def test_what_cannot_be_built_is_told(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(name, arguments)


def model() -> dict[str, Any]:
    """The ``model`` part of a training configuration, laid out as the original's, with a ResNet."""
    return {
        "type": "SCRFD",
        "backbone": {
            "type": "ResNetV1e",
            "depth": 0,
            "block_cfg": {"block": "BasicBlock", "stage_blocks": (3, 5, 3, 2), "stage_planes": [24, 48, 48, 80]},
            "base_channels": 24,
            "num_stages": 4,
            "out_indices": (0, 1, 2, 3),
            "norm_cfg": {"type": "BN", "requires_grad": True},
            "style": "pytorch",
        },
        "neck": {
            "type": "PAFPN",
            "in_channels": [24, 48, 48, 80],
            "out_channels": 24,
            "start_level": 1,
            "add_extra_convs": "on_output",
            "num_outs": 3,
        },
        "bbox_head": {
            "type": "SCRFDHead",
            "num_classes": 1,
            "in_channels": 24,
            "stacked_convs": 2,
            "feat_channels": 64,
            "norm_cfg": {"type": "GN", "num_groups": 16, "requires_grad": True},
            "cls_reg_share": True,
            "strides_share": True,
            "scale_mode": 2,
            "anchor_generator": {
                "type": "AnchorGenerator",
                "ratios": [1.0],
                "scales": [1, 2],
                "base_sizes": [16, 64, 256],
                "strides": [8, 16, 32],
            },
            "loss_cls": {"type": "QualityFocalLoss", "use_sigmoid": True, "beta": 2.0, "loss_weight": 1.0},
            "loss_dfl": False,
            "reg_max": 8,
            "use_kps": False,
        },
    }


def mobile() -> dict[str, Any]:
    changed = copy.deepcopy(model())
    blocks = {"stage_blocks": (2, 3, 2, 6), "stage_planes": [16, 16, 40, 72, 152, 288]}
    changed["backbone"] = {"type": "MobileNetV1", "block_cfg": blocks}
    changed["neck"] |= {"in_channels": [40, 72, 152, 288], "out_channels": 16}
    changed["bbox_head"] |= {"in_channels": 16, "dw_conv": True}
    return changed


KEYPOINTS = {"norm_cfg": {"type": "BN"}, "strides_share": False, "use_kps": True}


def test_configurations_of_the_original() -> None:
    assert read(model()) == ("scrfd_2.5g", {})
    assert read(mobile()) == ("scrfd_500m", {})
    changed = model()
    changed["bbox_head"] |= KEYPOINTS
    assert read(changed) == ("scrfd_2.5g_bnkps", {})
    changed = mobile()
    changed["bbox_head"] |= KEYPOINTS | {"scale_mode": 0}
    assert read(changed) == ("scrfd_500m_bnkps", {})
    changed["bbox_head"]["scale_mode"] = 1
    assert read(changed) == ("scrfd_500m_bnkps", {})
    assert read({"type": "YuNet"}) is None
    assert read({}) is None


def test_configurations_by_depth_and_with_more_levels() -> None:
    changed = model()
    changed["backbone"] = {"type": "ResNetV1e", "depth": 56, "base_channels": 64}
    changed["neck"] |= {"in_channels": [64, 512, 1024, 2048], "num_outs": 5}
    generator = {"ratios": [2.0], "scales": [3], "strides": [8, 16, 32, 64, 128]}
    changed["bbox_head"]["anchor_generator"] |= generator
    found = read(changed)
    assert found is not None
    config = configure(CONFIGS, *found)
    blocks, planes = (3, 8, 4, 3), (64, 128, 256, 512)
    assert config == Config("bottleneck", (64,), blocks, planes, 24, 2, 64, depthwise=False, levels=5, anchors=1)
    assert blank(found[0], dict(found[1])).outputs[4] == "score_128"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("backbone", "type"), "ResNet", "backbone is ResNet; the zoo knows MobileNetV1, ResNetV1e"),
        (("backbone", "norm_cfg"), "BN", "norm_cfg is 'BN', where settings are wanted"),
        (("backbone", "norm_cfg", "type"), "SyncBN", "norm_cfg has type 'SyncBN'"),
        (("backbone", "block_cfg"), 3, "block_cfg is 3"),
        (("backbone", "block_cfg"), None, "depth 0|neck takes"),
        (("backbone", "block_cfg", "stage_planes"), [24, 48], r"stage_planes is \[24, 48\], where 4 numbers"),
        (("backbone", "block_cfg", "stage_blocks"), (3, 5, 3, 10**9), "blocks and convolutions must be in"),
        (("backbone", "base_channels"), None, "base_channels is"),
        (("backbone", "dcn"), {"type": "DCN"}, "backbone has dcn"),
        (("neck", "start_level"), 0, "neck has start_level 0"),
        (("neck", "in_channels"), [24, 48, 48, 96], r"takes \(48, 48, 96\) channels, where the backbone gives"),
        (("neck", "num_outs"), None, "'levels' must be int"),
        (("neck", "out_channels"), 32, "bbox_head has in_channels 24"),
        (("bbox_head", "num_classes"), 80, "bbox_head has num_classes 80; the zoo's network has 1"),
        (("bbox_head", "cls_reg_share"), False, "cls_reg_share False"),
        (("bbox_head", "loss_dfl"), {"type": "DistributionFocalLoss"}, "loss_dfl"),
        (("bbox_head", "loss_cls", "use_sigmoid"), False, "use_sigmoid False"),
        (("bbox_head", "norm_cfg", "type"), "IN", "norm_cfg is IN; the zoo knows GN, BN"),
        (("bbox_head", "norm_cfg", "num_groups"), 7, "groups must divide"),
        (("bbox_head", "stacked_convs"), [2, 2, 2], "'convolutions' must be int"),
        (("bbox_head", "anchor_generator"), None, "anchor_generator is missing"),
        (("bbox_head", "anchor_generator", "scales"), 2, "lists no ratios and scales"),
        (("bbox_head", "anchor_generator", "strides"), [4, 8, 16], "anchor_generator has strides"),
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
    arguments = {"stem": (8,), "blocks": (1, 1, 2, 1), "planes": (8, 8, 32, 8), "shared": False}
    net = build("scrfd_2.5g", arguments)
    for parameter in net.parameters():
        parameter.data.fill_(77)
    initialise(net)
    state = net.state_dict()
    assert state["backbone.layer3.1.conv1.weight"].std().item() == pytest.approx((2 / (32 * 9)) ** 0.5, rel=0.05)
    assert state["neck.pafpn_convs.1.conv.weight"].abs().max().item() == pytest.approx((6 / (48 * 9)) ** 0.5, rel=0.05)
    assert state["bbox_head.cls_stride_convs.(8, 8).1.conv.weight"].std().item() == pytest.approx(0.01, rel=0.05)
    assert state["bbox_head.stride_reg.(32, 32).weight"].std().item() == pytest.approx(0.01, rel=0.05)
    for name, value in {"stride_cls.(8, 8).bias": -4.595, "stride_reg.(8, 8).bias": 0.0, "scales.2.scale": 1.0}.items():
        assert (state[f"bbox_head.{name}"] == value).all()
    assert (state["backbone.layer3.1.bn2.weight"] == 0).all()
    assert (state["backbone.layer3.1.bn1.weight"] == 1).all()
    assert not (torch.cat([tensor.flatten() for tensor in state.values()]) == 77).any()


def test_the_example_on_its_page_runs() -> None:
    page = ROOT / "plugins" / "zoo_scrfd" / "README.md"
    if not page.is_file():
        pytest.skip("the source tree is not beside the tests")
    (example,) = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    with torch.no_grad():
        assert len(names["network"](torch.zeros(1, 3, 64, 64))) == len(names["network"].outputs)


@pytest.mark.parametrize("name", ["scrfd_500m", "scrfd_500m_bnkps"])
def test_it_is_exported_with_any_batch_and_size(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, path = build(name, {"blocks": (1, 1, 1, 1)}), tmp_path / "own.onnx"
    axes = {"input": {0: "batch", 2: "height", 3: "width"}}
    torch.onnx.export(
        net, (torch.rand(1, 3, 64, 64),), path, dynamo=False, input_names=["input"], dynamic_axes=axes, opset_version=17
    )
    images = torch.randn(3, 3, 72, 104)
    given = session_of(path).run(None, {"input": images.numpy()})
    with torch.no_grad():
        for ours, theirs in zip(net(images), given, strict=True):
            np.testing.assert_allclose(theirs, ours.numpy(), rtol=1e-5, atol=1e-5)
