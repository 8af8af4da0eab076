"""Training that begins with a classifier's weights in the backbone."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from zoo_retinaface.network import backbone_name, build  # noqa: E402

from tests.training.photographs import labelled  # noqa: E402
from tests.training.test_engine import tensors, train  # noqa: E402
from tests.training.test_variants import Notes  # noqa: E402
from zoo import tasks  # noqa: E402
from zoo.errors import ModelError  # noqa: E402
from zoo.training.beginning import begin  # noqa: E402
from zoo.training.log import LOG  # noqa: E402

PRETRAINED = "mobilenetV1X0.25_pretrain.tar"


def classifier(name: str) -> Any:
    """torchvision's, with random weights and statistics."""
    made = getattr(importlib.import_module("torchvision.models"), name)(weights=None).eval()
    for key, value in made.named_buffers():
        if key.endswith("running_mean"):
            value.normal_(std=0.1)
        elif key.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    return made


def features(name: str, model: Any, images: Any) -> list[Any]:
    """The maps of strides 8, 16 and 32 as torchvision computes them."""
    from torchvision.models.feature_extraction import create_feature_extractor

    resnet = name.startswith("resnet")
    nodes = [f"layer{stage}" for stage in (2, 3, 4)] if resnet else [f"features.{layer}" for layer in (6, 13, 18)]
    with torch.no_grad():
        return [*create_feature_extractor(model, nodes)(images).values()]


@pytest.mark.parametrize(
    ("name", "architecture", "arguments"),
    [("resnet18", "retinaface_r18", {}), ("resnet34", "retinaface_r34", {}), ("resnet50", "retinaface_r50", {}),
     ("mobilenet_v2", "retinaface_mnetv2", {}), ("resnet18", "retinaface_r18", {"naming": "biubug6", "features": 64})],
)  # fmt: skip
def test_a_backbone_computes_what_torchvisions_classifier_does(
    name: str, architecture: str, arguments: dict[str, Any]
) -> None:
    model: Any = classifier(name)
    network: Any = build(architecture, arguments)
    told = begin(network, model.state_dict(), "here.pth", backbone_name)
    left = "fc.weight, fc.bias" if name.startswith("resnet") else "classifier.1.weight, classifier.1.bias"
    assert told.endswith(f"whose other parts stay random; not used: {left}")
    count = len(network.backbone.state_dict())
    assert told.startswith(f"here.pth: {count} tensors for the network's {network.naming.backbone},")
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        found = network.backbone(images)
    for one, other in zip(found, features(name, model, images), strict=True):
        assert torch.equal(one, other)


def test_names_before_all_others_are_taken_away() -> None:
    """As of programs that train ``backbone`` and ``head``, and without the counters, which some do not write."""
    model, network = classifier("resnet18"), build("retinaface_r18", {})
    state = {f"backbone.{name}": value for name, value in model.state_dict().items() if not name.startswith("fc.")}
    state = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    told = begin(network, state | {"head.fc.weight": torch.zeros(10, 512)}, "here.pth", backbone_name)
    assert told.endswith("not used: head.fc.weight")
    assert torch.equal(network.state_dict()["fx.layer4.1.conv2.weight"], state["backbone.layer4.1.conv2.weight"])


@pytest.mark.parametrize("method", ["yunet", "scrfd"])
def test_backbones_of_the_other_detectors_begin_so_too(method: str) -> None:
    networks = importlib.import_module(f"zoo_{method}.network")
    architecture = "yunet_n" if method == "yunet" else "scrfd_500m_bnkps"
    one, other = networks.build(architecture, {}), networks.build(architecture, {})
    state = one.backbone.state_dict() | {"fc.weight": torch.zeros(10, 64)}
    assert "for the network's backbone" in begin(other, state, "here.pth")
    for name, value in one.backbone.state_dict().items():
        assert torch.equal(other.backbone.state_dict()[name], value)


def test_what_fits_no_part_is_refused_and_changes_nothing(fixtures: Path) -> None:
    network, small = build("retinaface_r18", {}), classifier("resnet18").state_dict()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    cut = {name: value for name, value in small.items() if not name.startswith("layer3.1")}
    for given, sentence in (
        (
            classifier("resnet34").state_dict(),
            r"network's fx: it has layer1\.2\.conv1\.weight .*, which the network",
        ),
        (classifier("resnet50").state_dict(), r"network's fx: it has layer1\.0\.conv3\.weight"),
        (cut, r"network's fx: it lacks layer3\.1\.conv1\.weight \(and \d+ more\)\.$"),
        (small | {"conv1.weight": torch.zeros(64, 3, 3, 3)}, r"conv1\.weight is 64x3x3x3, where 64x3x7x7 is wanted"),
        ({"fc.bias": torch.zeros(1000)}, r"does not fit the network: it lacks fx\.conv1\.weight"),
    ):
        with pytest.raises(ModelError, match=sentence):
            begin(network, given, "here.pth", backbone_name)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("naming", ["biubug6", "yakhyo"])
def test_a_run_begins_with_the_backbone_that_imagenet_trained(naming: str, fixtures: Path, tmp_path: Path) -> None:
    """With a learning rate of nothing it stays, under either repository's names; whose the licence is nobody says."""
    data, notes = labelled(tmp_path, fixtures, side=64), Notes()
    values = {"side": 64, "batch": 2, "epochs": 1, "lr": 0, "threads": 1, "device": "cpu", "network.naming": naming}
    values["init"] = str(fixtures / "retinaface" / PRETRAINED)
    asked = tasks.request("retinaface", "train", [str(data)], values, out=tmp_path / "run", progress=notes)
    result = tasks.run(asked)
    body, last = ("body", "stage3.1.3") if naming == "biubug6" else ("fx", "stage3.1.1.0")
    line = f"{PRETRAINED}: 162 tensors for the network's {body}, whose other parts stay random"
    assert f"{line}; not used: fc.weight, fc.bias" in notes.lines[1]
    begun = torch.load(values["init"], map_location="cpu", weights_only=True)["state_dict"]
    found = tensors(tmp_path / "run" / "last.pth")
    assert torch.equal(found[f"{body}.{last}.weight"], begun["module.stage3.1.3.weight"])
    assert result.card is not None and result.card.licences.weights.name == "unknown"


def test_a_run_says_that_a_classifier_does_not_fit(fixtures: Path, tmp_path: Path) -> None:
    data, path = labelled(tmp_path, fixtures), fixtures / "retinaface" / PRETRAINED
    for method, model, what in (
        ("retinaface", "retinaface_mnet050", "network's fx: stage1.0.0.weight is 8x3x3x3, where 16x3x3x3 is wanted"),
        ("retinaface", "retinaface_1mb_slim", "the network: it lacks conv1.0.weight"),
        ("scrfd", "scrfd_500m", "the network: it lacks backbone.stem.0.0.weight"),
        ("yunet", "yunet_n", "the network: it lacks backbone.model0.conv1.weight"),
    ):
        with pytest.raises(ModelError, match=what.replace(".", r"\.")):
            train(data, tmp_path / "run", method, model=model, init=path)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_it_learns_faster_than_from_random_weights(fixtures: Path, tmp_path: Path) -> None:
    """On two photographs of 160 x 160 the loss falls from 33 to 3.7 (the mean of the last ten of thirty epochs) where
    random weights come to 10.3; with two other seeds to 4.1 and 3.8, and 10.0 and 12.2."""
    data, ends = labelled(tmp_path, fixtures, side=160), {}
    for init in (str(fixtures / "retinaface" / PRETRAINED), ""):
        out = tmp_path / ("begun" if init else "random")
        values = {"side": 160, "batch": 2, "lr": 0.005, "warmup": 0, "crops": "1.0", "log_every": 10}
        train(data, out, "retinaface", epochs=30, init=init, **values)
        losses = [json.loads(line).get("mean") for line in (out / LOG).read_text().splitlines()]
        means = [loss for loss in losses if loss is not None]
        assert len(means) == 30
        ends[bool(init)] = sum(means[-10:]) / 10
    assert ends[True] < 0.6 * ends[False]
    assert ends[True] < 8
