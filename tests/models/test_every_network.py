"""Every network that a card describes, there and back: weights to weights, to ONNX, to TFLite and on to ONNX.

The weights are random; everything goes the way that the command goes. What takes too long for every run, which is
networks of more than `FAST` parameters, and TFLite of all but the smallest of each method, ``make soak`` runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="networks need PyTorch")
pytest.importorskip("timm", reason="landmark networks need timm")

import zoo  # noqa: E402
from tests.models import networks  # noqa: E402
from zoo.errors import ModelError, UsageError  # noqa: E402
from zoo.inference.artifacts import identify  # noqa: E402
from zoo.models.convert import Ported, convert  # noqa: E402
from zoo.models.edges import network  # noqa: E402
from zoo.models.parity import open_artifact  # noqa: E402
from zoo.models.plan import make_plan  # noqa: E402
from zoo.plugins import catalogue, resolve  # noqa: E402
from zoo.specs import ModelCard  # noqa: E402

FAST = 4_300_000
"""Parameters of the largest network that is not slow; every family but that of ResNets has one."""

LARGEST = 100_000_000
"""Parameters of the largest network that goes from TFLite to ONNX here; ArcFace's r200 is beyond."""

CARDS = {card.id: card for card in networks.torch_cards()}


SMALLEST = {min(own, key=lambda card: card.parameters).id for own in networks.by_method(CARDS.values())}


def every(fast: Callable[[ModelCard], bool]) -> list[Any]:
    """The ids of all cards; those that are not `fast` are marked slow, and left out unless a soak is asked for."""
    asked = bool(os.environ.get("ZOO_SOAK"))
    slow = [pytest.mark.slow, pytest.mark.skipif(not asked, reason="takes long; make soak runs it")]
    return [pytest.param(name, marks=[] if fast(card) else slow) for name, card in CARDS.items()]


def small(card: ModelCard) -> bool:
    return card.parameters <= FAST


@dataclass(frozen=True)
class Source:
    """A network's weights in a file; `options` say to a conversion what the file does not."""

    card: ModelCard
    path: Path
    state: dict[str, Any]
    options: dict[str, Any]

    def ported(self, target: Path, source: Path | None = None, **more: Any) -> Ported:
        """Convert with all that is asked of every conversion here."""
        options = {"photo": "none", "samples": 1, "size": networks.size_of(self.card), **self.options}
        return convert(make_plan(source or self.path, target, options, **more))


@pytest.fixture
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    card = CARDS[request.param]
    built = networks.settled(card)
    path = networks.saved(built, tmp_path / "weights.pth")
    state = {name: tensor.clone() for name, tensor in built.state_dict().items()}
    yield Source(card, path, state, {"card": card.id})
    torch.set_num_threads(threads)


def assert_same_model(source: Source, path: Path) -> None:
    """The file at `path` says what it is, and finds what the source's weights find."""
    found = identify(path)
    assert (found.card.id, found.how) == (source.card.id, "described by the card inside it")
    assert open_artifact(found).inputs[0].name == found.card.input
    options: dict[str, Any] = {}
    if not source.card.preprocess.crop.kind:
        options["size"] = networks.size_of(source.card)
        everything = zoo.load(source.path, card=source.card.id, threads=1, score_threshold=0.0, **options)
        options["score_threshold"] = networks.a_threshold(everything)
    first = zoo.load(source.path, card=source.card.id, threads=1, **options)
    second = zoo.load(path, threads=1, **options)
    wanted, got = (networks.find(model, source.card) for model in (first, second))
    assert len(wanted) >= 2
    networks.assert_same_faces(wanted, got)


def test_every_architecture_has_a_card() -> None:
    cards = [catalogue().cards[name] for name in catalogue().cards]
    for name in catalogue().methods:
        described = {card.architecture for card in cards if card.method == name}
        assert described == set(catalogue().methods[name].architectures), name


@pytest.mark.parametrize("name", CARDS)
def test_every_network_is_told_by_its_tensors(name: str) -> None:
    card = CARDS[name]
    shapes = networks.shapes(card)
    found = {
        method: resolve(spec.recognise)(shapes)
        for method in catalogue().methods
        if (spec := catalogue().methods[method]).recognise
    }
    ((method, (architecture, arguments)),) = [one for one in found.items() if one[1] is not None]
    assert method == card.method
    assert architecture in (card.architecture, catalogue().methods[method].alike.get(card.architecture))
    assert networks.shapes(replace(card, architecture=architecture, network=arguments)) == shapes
    assert networks.trainable(card) == card.parameters


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("yunet_s", ["yunet_n"]),
        ("retinaface_mnet025", ["retinaface_mnet050", "scrfd_500m"]),
        ("synthetics3d_mobilenetv2_mse", ["synthetics3d_mobilenetv2_gnll"]),
        ("synthetics3d_mobilenetv2_gnll", ["synthetics3d_mobilenetv2_mse"]),
        ("arcface_mbf", ["arcface_mbf_large", "arcface_y1"]),
    ],
)
def test_a_card_of_another_network_is_refused(name: str, others: list[str], tmp_path: Path) -> None:
    path = networks.saved(network(CARDS[name]), tmp_path / "weights.pth")
    for other in others:
        with pytest.raises(ModelError, match=r"weights\.pth holds "):
            identify(path, card=other)
    if name == "retinaface_mnet025":
        with pytest.raises(UsageError, match="may be retinaface_mnet025 or retinaface_1mb_mnet025"):
            identify(path)
    else:
        assert identify(path).card.id == name
    assert identify(path, card=name).card.id == name


@pytest.mark.parametrize("source", every(small), indirect=True)
def test_weights_there_and_back(source: Source, tmp_path: Path) -> None:
    middle = source.ported(tmp_path / "w.safetensors").target
    back = source.ported(tmp_path / "back.pth", middle.path).target
    networks.assert_same_tensors(back.path, source.state)
    for one in (middle, back):
        assert_same_model(source, one.path)


@pytest.mark.parametrize("source", every(small), indirect=True)
def test_onnx(source: Source, tmp_path: Path) -> None:
    done = source.ported(tmp_path / "model.onnx")
    (hop,) = done.hops
    assert hop.parity.reference == "torch on cpu"
    probes = {one.probe for one in hop.parity.differences}
    assert len(probes) == (2 if source.card.preprocess.crop.kind else 4), "one and two images, of two sizes"
    assert_same_model(source, done.target.path)


@pytest.mark.xdist_group("tensorflow")
@pytest.mark.parametrize("source", every(lambda card: card.id in SMALLEST), indirect=True)
def test_tflite_and_on_to_onnx(source: Source, tmp_path: Path) -> None:
    if source.card.parameters > LARGEST:
        pytest.skip("on the way from TFLite to ONNX tf2onnx takes 17 GB of memory")
    pytest.importorskip("litert_torch", reason="TFLite is written by litert-torch")
    pytest.importorskip("tf2onnx", reason="TFLite is read by tf2onnx")
    done = source.ported(tmp_path / "model.onnx", via=("tflite",))
    assert [hop.artifact.format for hop in done.hops] == ["tflite", "onnx"]
    assert all(hop.parity.differences and hop.parity.reference == "torch on cpu" for hop in done.hops)
    assert_same_model(source, done.target.path)
