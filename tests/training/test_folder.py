"""What a run leaves in its folder, and that the folder is a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from zoo_tfrecord.files import window  # noqa: E402
from zoo_tfrecord.records import payloads  # noqa: E402

import zoo  # noqa: E402
from tests.training.photographs import labelled  # noqa: E402
from tests.training.test_engine import train  # noqa: E402
from zoo import tasks  # noqa: E402
from zoo.errors import RuntimeMissingError, UsageError  # noqa: E402
from zoo.inference.artifacts import identify  # noqa: E402
from zoo.training import log as logging  # noqa: E402


@pytest.fixture(scope="module")
def run(fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs from published weights, judged by what they learnt from."""
    folder = tmp_path_factory.mktemp("judged")
    data = labelled(folder, fixtures, side=160)
    values: dict[str, Any] = {"init": fixtures / "yunet" / "yunet_n.pth", "val": data, "side": 160, "tensorboard": True}
    train(data, folder / "run", epochs=2, batch=2, **values)
    return folder / "run"


def test_the_best_weights_are_evaluated(run: Path) -> None:
    results = json.loads((run / "evaluation" / "results.json").read_text())
    assert results["model"] == "yunet_n_trained"
    assert 0.5 < results["values"]["AP50"] <= 1
    assert (run / "evaluation" / "pr.png").is_file()
    card = identify(run).card
    assert card.metrics[0].protocol == "coco"
    assert card.metrics[0].values["AP50"] == pytest.approx(results["values"]["AP50"], abs=1e-5)


def test_the_model_card_says_how_it_was_trained(run: Path) -> None:
    text = (run / "README.md").read_text()
    for part in ("# yunet_n_trained", "yunet_n.pth", "2 epochs, 2 images of 160x160", "AP50", "labelv2.txt"):
        assert part in text
    unjudged = json.loads((run / "config.json").read_text())
    assert unjudged["recipe"]["side"] == 160


def test_the_folder_is_a_model(run: Path, fixtures: Path, tmp_path: Path) -> None:
    photograph = fixtures / "dlib" / "2008_001322.jpg"
    whole, file = (zoo.load(path, threads=1, device="cpu", size="160x160") for path in (run, run / "best.pth"))
    assert (whole(photograph).boxes == file(photograph).boxes).all()
    done = tasks.run(tasks.request("yunet", "export", [str(run)], {"photo": "none", "size": "160x160"}, out=tmp_path))
    assert (tmp_path / "yunet_n_trained.onnx").is_file()
    assert done.card is not None
    assert done.card.metrics
    for words, values, what in (
        ([str(run), "other"], {}, "one model"),
        ([str(run)], {"weights": run / "last.pth"}, "one model"),
        ([str(tmp_path / "no")], {}, "no run folder"),
    ):
        with pytest.raises(UsageError, match=what):
            tasks.run(tasks.request("yunet", "export", words, values, out=tmp_path))


def test_tensorboard_reads_the_log(run: Path) -> None:
    """The records of the event file are read by our own reader of that format, its messages by TensorBoard's."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    (path,) = (run / "tensorboard").iterdir()
    events = [event_pb2.Event.FromString(record) for _, record in payloads(window(path), path.name)]
    told = {(value.tag, event.step): value.simple_value for event in events for value in event.summary.value}
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    wanted = {
        (name, line["step"]): value for line in lines for name, value in line.items() if name not in ("epoch", "step")
    }
    assert told.keys() == wanted.keys()
    assert all(told[key] == pytest.approx(wanted[key], rel=1e-6) for key in wanted)


def test_without_tensorboard_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(logging, "find_spec", lambda name: None)
    with pytest.raises(RuntimeMissingError, match="pip install tensorboardX"):
        logging.Log(tmp_path, board=True)


def test_the_policy_for_published_weights_is_not_for_ones_own(
    fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_LICENSE_POLICY", "commercial")
    data = labelled(tmp_path, fixtures)
    assert train(data, tmp_path / "run", epochs=1, val=data).summary["judged"] is not None


def test_a_run_goes_on_with_the_same_set_alone(fixtures: Path, tmp_path: Path) -> None:
    data = labelled(tmp_path, fixtures)
    train(data, tmp_path / "run", epochs=1)
    lines = data.read_text().splitlines()
    data.write_text("\n".join(lines[: lines.index(next(line for line in lines[1:] if line[0] == "#"))]) + "\n")
    with pytest.raises(UsageError, match=r"another labelled set .labelv2, 2 samples, now labelv2, 1 samples"):
        train(data, tmp_path / "run", epochs=2, resume=True)
