"""Training networks of one's own: fields of a named one set anew, from the command line to the files that are made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from click.testing import CliRunner  # noqa: E402

import zoo  # noqa: E402
from tests.training.configurations import write  # noqa: E402
from tests.training.photographs import PAIR, labelled  # noqa: E402
from tests.training.test_engine import DETECTORS, SMALL, tensors, train  # noqa: E402
from zoo import tasks  # noqa: E402
from zoo.cli.run import run  # noqa: E402
from zoo.errors import UsageError  # noqa: E402
from zoo.geometry import iou  # noqa: E402
from zoo.models.edges import network as build  # noqa: E402
from zoo.networks.complexity import complexity, parameters  # noqa: E402
from zoo.plugins import catalogue, resolve  # noqa: E402
from zoo.requests import Silent  # noqa: E402
from zoo.specs import ModelCard  # noqa: E402
from zoo.training import variants  # noqa: E402
from zoo.training.upstream.planning import planned  # noqa: E402

NARROW = {"network.widths": "16,32,32,32,32,32", "network.features": "32"}
"""A YuNet of a third of the numbers."""


class Notes(Silent):
    """Keeps what people are told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, message: str) -> None:
        self.lines.append(message)


def told(data: Path, out: Path, method: str = "yunet", **values: Any) -> list[str]:
    """The lines that a run of one epoch says."""
    notes = Notes()
    given = SMALL | {"epochs": 1} | values
    tasks.run(tasks.request(method, "train", [str(data)], given, out=out, progress=notes))
    return notes.lines


def of(model: Any) -> ModelCard:
    """The card of a model that was loaded."""
    card: ModelCard = model.card
    return card


def test_a_network_of_ones_own_is_trained_and_used_like_any_other(fixtures: Path, tmp_path: Path) -> None:
    data, out = labelled(tmp_path, fixtures, side=160), tmp_path / "run"
    lines = told(data, out, side=160, val=str(data), **NARROW)
    macs = "14.5 M multiply-accumulates at 160x160 (yunet_n: 75,856 and 33.9 M)"
    assert lines[0] == f"network: 24,560 parameters, {macs}"
    model = zoo.load(out / "best.pth", threads=1, device="cpu", size="160x160", score_threshold=0.0001)
    card = of(model)
    assert (card.parameters, card.mflops, card.mflops_size) == (24560, 0.0, "")
    assert [*card.network["widths"]] == [16, 32, 32, 32, 32, 32]
    assert len(model(fixtures / "dlib" / PAIR[0]).boxes)
    written = json.loads((out / "config.json").read_text())["network"]
    counted = complexity(build(card), 160, 160)
    assert (written["parameters"], written["macs"]) == (counted.parameters, counted.macs)
    assert (written["architecture"], written["fields"]["features"], written["fields"]["stem"]) == ("yunet_n", 32, 16)
    assert written["departing"] == {"widths": [16, 32, 32, 32, 32, 32], "features": 32}
    result = train(data, out, epochs=2, side=160, val=str(data), resume=True, **NARROW)
    assert (result.summary["parameters"], result.summary["macs"]) == (counted.parameters, counted.macs)
    assert result.summary["judged"] is not None


def test_it_is_converted(fixtures: Path, tmp_path: Path) -> None:
    """With finer levels, one of which no published YuNet has, the files of both formats find the same."""
    pytest.importorskip("onnxruntime", reason="the exported file is run")
    data, out = labelled(tmp_path, fixtures), tmp_path / "run"
    fields = {"network.pooled": "0,2,3", "network.taps": "2,3,4", "network.widths": "16,32,32,32,32"}
    told(data, out, **fields)
    asked = tasks.request("yunet", "export", [], {"model": str(out / "last.pth"), "format": "onnx"}, out=tmp_path / "o")
    tasks.run(asked)
    (path,) = (tmp_path / "o").glob("*.onnx")
    image = cv2.imread(str(fixtures / "dlib" / PAIR[0]))
    assert image is not None
    options: dict[str, Any] = {"threads": 1, "size": "128x128", "score_threshold": 0.001, "nms_threshold": 0.9}
    one, other = (zoo.load(file, device="cpu", **options)(image) for file in (out / "last.pth", path))
    assert len(one.boxes) == len(other.boxes) > 0
    assert iou(one.boxes, other.boxes).max(axis=1).min() > 0.999


def test_what_follows_from_the_network_is_in_the_loss_and_the_card() -> None:
    cards = catalogue().cards
    made = variants.variant(cards["yunet_n"], {"pooled": "0,3,4", "taps": "4,5"})
    assert (made.arguments["strides"], made.preprocess.multiple) == ([8, 16], 16)
    assert made.outputs == ("cls_8", "cls_16", "obj_8", "obj_16", "bbox_8", "bbox_16", "kps_8", "kps_16")
    assert resolve(catalogue().methods["yunet"].recipe)(made).loss.strides == (8, 16)
    made = variants.variant(cards["scrfd_500m"], {"levels": "4", "anchors": 3, "keypoints": "yes"})
    assert (made.arguments["strides"], made.arguments["anchors"], made.keypoints) == ([8, 16, 32, 64], 3, 5)
    loss = resolve(catalogue().methods["scrfd"].recipe)(made).loss
    assert loss.strides == (8, 16, 32, 64)
    assert [len(level) for level in loss.sizes] == [3] * 4
    assert loss.sizes[3][0] == 1024
    outputs = build(made).train().raw(torch.zeros(2, 3, 128, 128))
    assert len(outputs) == 12
    anchors = sum(len(level) for level in loss.anchors(outputs[:4]))
    assert anchors == sum(one.shape[2] * one.shape[3] for one in outputs[:4]) * 3


@pytest.mark.parametrize("name", sorted(name for name, card in catalogue().cards.items() if card.method in DETECTORS))
def test_a_model_that_does_not_depart_keeps_its_card(name: str) -> None:
    card = catalogue().cards[name]
    assert variants.variant(card, {}) == card
    with torch.device("meta"):
        config = build(card).config
    own = {field: getattr(config, field) for field in vars(config)}
    assert variants.variant(card, own) == card


@pytest.mark.parametrize(
    ("method", "model", "fields"),
    [("scrfd", "scrfd_500m_bnkps", {"planes": "16,24,32,48", "blocks": "1,1,1,1", "features": "32"}),
     ("scrfd", "scrfd_2.5g", {"planes": "8,16,16,24", "blocks": "1,1,1,1", "stem": "16", "anchors": "1"}),
     ("retinaface", "retinaface_mnet025", {"first": "4", "features": "16", "slope": "0"}),
     ("yunet", "yunet_s", {"stem": "8", "shared": "2"})],
)  # fmt: skip
def test_every_detector_has_variants(
    method: str, model: str, fields: dict[str, str], fixtures: Path, tmp_path: Path
) -> None:
    data, out = labelled(tmp_path, fixtures), tmp_path / "run"
    given = {f"network.{name}": value for name, value in fields.items()}
    lines = told(data, out, method, model=model, batch=2, **given)
    base = catalogue().cards[model]
    learnt = zoo.load(out / "last.pth", threads=1, device="cpu", size="160x160")
    card = of(learnt)
    assert card.network.keys() == fields.keys()
    assert card.parameters == parameters(build(card)) != base.parameters
    assert f"{card.parameters:,} parameters" in lines[0]
    assert f"({model}: {base.parameters:,} and" in lines[0]
    assert len(learnt(fixtures / "dlib" / PAIR[0]).boxes) >= 0


def test_a_model_as_it_is_gets_one_figure(fixtures: Path, tmp_path: Path) -> None:
    lines = told(labelled(tmp_path, fixtures), tmp_path / "run", **{"network.stem": "16"})
    assert lines[0] == "network: 75,856 parameters, 5.4 M multiply-accumulates at 64x64"
    card = of(zoo.load(tmp_path / "run" / "last.pth", threads=1, device="cpu"))
    assert (dict(card.network), card.mflops) == ({}, 149)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [({"network.width": "16"}, r"no option 'network\.width'. Did you mean network\.widths\? Known options: network"),
     ({"network.stem": "wide"}, r"Option network\.stem takes a whole number, not 'wide'"),
     ({"network.stem": "0"}, "The network yunet_n cannot be built: stem, widths and features must be in 1"),
     ({"network.taps": "1,2"}, "taps must have twice the stride"),
     ({"network": "16"}, r"Option network takes names with values, not '16'; give network\.NAME=VALUE"),
     ({"netwerk.stem": "16"}, r"no option 'netwerk\.stem'"),
     ({"network.pooled": "0,1,2,3,4", "network.taps": "3,4,5"}, "multiple of 64, not 96")],
)  # fmt: skip
def test_what_is_no_network_is_refused(values: dict[str, str], sentence: str, fixtures: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=sentence):
        told(labelled(tmp_path, fixtures), tmp_path / "run", side=96, **values)
    assert not (tmp_path / "run").exists()


def test_anchors_without_sizes_are_refused(fixtures: Path, tmp_path: Path) -> None:
    data = labelled(tmp_path, fixtures)
    for model, value in (("retinaface_mnet025", "3"), ("retinaface_1mb_slim", "3,3,3,3")):
        with pytest.raises(UsageError, match="a card of its own that gives min_sizes"):
            train(data, tmp_path / "run", "retinaface", model=model, **{"network.anchors": value})


def test_a_run_goes_on_with_the_same_network_alone(fixtures: Path, tmp_path: Path) -> None:
    """Also where no tensor tells the one from the other, as the slope of rectifiers."""
    data, out = labelled(tmp_path, fixtures), tmp_path / "run"
    train(data, out, "retinaface", epochs=1, batch=2, **{"network.slope": "0.2"})
    kept = (out / "state.pt").read_bytes()
    with pytest.raises(UsageError, match=r"begun with another network \(\{'slope': 0\.2\}, now \{\}\)"):
        train(data, out, "retinaface", epochs=2, batch=2, resume=True)
    with pytest.raises(UsageError, match="begun with another model"):
        train(data, out, "retinaface", epochs=2, batch=2, resume=True, model="retinaface_mnet050")
    assert (out / "state.pt").read_bytes() == kept
    train(data, out, "retinaface", epochs=2, batch=2, resume=True, **{"network.slope": "0.20"})
    assert "architecture: retinaface_mnet025, slope 0.2." in (out / "README.md").read_text()


def test_a_file_that_departs_is_the_model(fixtures: Path, tmp_path: Path) -> None:
    """Its weights are started from, unless more departs than they fit."""
    data, first = labelled(tmp_path, fixtures), tmp_path / "first"
    train(data, first, epochs=1, **NARROW)
    mine = str(first / "last.pth")
    for number, model in enumerate((mine, str(first))):
        train(data, tmp_path / str(number), epochs=1, lr=0, model=model)
        one, other = tensors(first / "last.pth"), tensors(tmp_path / str(number) / "last.pth")
        assert all(torch.equal(one[name], other[name]) for name in one if name.endswith("weight"))
    with pytest.raises(UsageError, match=r"stem.*conv1\.weight is .*; say init=random to begin anew|init=random"):
        train(data, tmp_path / "refused", model=mine, **{"network.stem": "8"})
    lines = told(data, tmp_path / "random", model=mine, init="random", **{"network.stem": "8"})
    assert lines[0].endswith("(yunet_n_trained: 24,560 and 2.3 M)")
    card = of(zoo.load(tmp_path / "random" / "last.pth", threads=1, device="cpu"))
    assert (card.id, card.network["features"], card.network["stem"]) == ("yunet_n_trained", 32, 8)


def test_tensors_alone_tell_a_network_of_ones_own_too(fixtures: Path, tmp_path: Path) -> None:
    """A checkpoint without a card is trained on, and its card is then that of its own network."""
    data, path = labelled(tmp_path, fixtures), tmp_path / "bare.pth"
    card = replace(catalogue().cards["yunet_n"], network={"widths": [16, 32, 32, 32, 32, 32]})
    torch.save(build(card).state_dict(), path)
    result = train(data, tmp_path / "run", epochs=1, model=str(path))
    assert result.card is not None
    assert (result.card.parameters, result.card.mflops) == (parameters(build(card)), 0.0)


def test_fields_depart_from_a_configuration_of_the_originals_too(tmp_path: Path) -> None:
    """But not so that its loss would be that of another network."""
    file = write(tmp_path / "configs") / "yunet.py"

    def card(**values: str) -> ModelCard:
        return planned(tasks.request("yunet", "train", ["set"], values, file))[0].card

    made = card(**{"network.features": "24"})
    assert (made.network["features"], [*made.network["widths"]]) == (24, [16, 32, 32, 32, 32, 32])
    assert variants.told(made, variants.amount(made, 64), made).endswith("(yunet_n: 75,856 and 5.4 M)")
    with pytest.raises(UsageError, match="change the configuration instead"):
        card(**{"network.pooled": "0,2,3", "network.taps": "2,3,4"})


def test_fields_come_from_a_file_and_from_flags(fixtures: Path, tmp_path: Path) -> None:
    data, config = labelled(tmp_path, fixtures), tmp_path / "mine.yaml"
    config.write_text("network: {widths: [16, 32, 32, 32, 32, 32], features: 48}\nepochs: 1\n")
    words = [f"{name}={value}" for name, value in SMALL.items()]
    out = tmp_path / "run"
    arguments = ["yunet", "train", str(data), "--config", str(config), "--network", "stem=8", "network.features=32"]
    result = CliRunner().invoke(run, [*arguments, "--out", str(out), *words], standalone_mode=False)
    assert result.exit_code == 0, result.output
    fields = json.loads((out / "config.json").read_text())["network"]["fields"]
    assert (fields["widths"], fields["features"], fields["stem"]) == ([16, 32, 32, 32, 32, 32], 32, 8)
    shown = CliRunner().invoke(run, ["yunet", "train", "--help"]).output
    assert "--network NAME=VALUE" in shown
