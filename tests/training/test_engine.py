"""The task ``train`` and the loop under it: that detectors learn, and that a run can be killed at any time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

import zoo  # noqa: E402
from tests.training.photographs import PAIR, labelled  # noqa: E402
from zoo import tasks  # noqa: E402
from zoo import training as zoo_training  # noqa: E402
from zoo.errors import InputError, ModelError, RuntimeMissingError, UsageError, ZooError  # noqa: E402
from zoo.geometry import iou  # noqa: E402
from zoo.inference.artifacts import identify  # noqa: E402
from zoo.plugins import catalogue, resolve  # noqa: E402
from zoo.requests import TaskResult  # noqa: E402
from zoo.specs import Preprocess  # noqa: E402
from zoo.training import curves  # noqa: E402
from zoo.training.augment import Resize  # noqa: E402
from zoo.training.engine import STATE, Engine  # noqa: E402
from zoo.training.feed import Batch, Feed  # noqa: E402
from zoo.training.learner import Learner, Normalise  # noqa: E402
from zoo.training.log import LOG  # noqa: E402
from zoo.training.processes import Processes  # noqa: E402
from zoo.training.recipe import Recipe, Schedule  # noqa: E402

DETECTORS = ("yunet", "scrfd", "retinaface")

SMALL = {"side": 64, "batch": 1, "warmup": 3, "lr": 0.001, "threads": 1, "log_every": 1, "device": "cpu"}


def train(data: Path, out: Path, method: str = "yunet", **values: Any) -> TaskResult:
    given = SMALL | values
    return tasks.run(tasks.request(method, "train", [str(data)], given, out=out))


def tensors(path: Path) -> Mapping[str, Any]:
    return torch.load(path, weights_only=True)["state_dict"]  # type: ignore[no-any-return]


def same(one: Path, other: Path) -> bool:
    a, b = tensors(one), tensors(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
def test_yunet_learns_two_photographs_and_finds_their_faces(fixtures: Path, tmp_path: Path) -> None:
    """From random weights, with mirroring, and the weights are a model that the zoo runs."""
    data, out = labelled(tmp_path, fixtures, side=160), tmp_path / "run"
    result = train(data, out, epochs=200, batch=2, side=160, lr=0.003, warmup=0, crops="1.0", drops="170")
    log = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    means = [line["mean"] for line in log if "mean" in line]
    assert len(means) == 200
    assert max(means[-10:]) < means[0] / 10
    assert (result.inputs, result.done, result.skipped) == (2, 2, ())
    model = zoo.load(out / "best.pth", threads=1, size="160x160", device="cpu")
    for sample in zoo.open_dataset(data):
        assert sample.faces is not None and sample.faces.boxes is not None and sample.image is not None
        found = model(sample.image.decode())
        assert len(found.boxes) == len(sample.faces.boxes)
        assert (iou(sample.faces.boxes, found.boxes).max(axis=1) > 0.5).all()


def test_a_run_killed_in_mid_epoch_ends_with_the_same_bits(fixtures: Path, tmp_path: Path) -> None:
    data = labelled(tmp_path, fixtures, [path.name for path in sorted((fixtures / "dlib").glob("*.jpg"))[:4]])
    values = SMALL | {"epochs": 6, "save_every": 3, "ema": 0.9, "clip": 10.0}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(data, whole, **values)
    words = [f"{name}={value}" for name, value in values.items()]
    command = [sys.executable, "-m", "zoo", "run", "yunet", "train", str(data), "--out", str(killed), *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until, log = time.monotonic() + 120, killed / LOG
    while time.monotonic() < until and not (log.exists() and log.read_bytes().count(b"\n") >= 8):
        assert process.poll() is None
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    position = torch.load(killed / STATE, weights_only=True)["position"]
    assert 0 < position["step"] < 24
    train(data, killed, **values, resume=True)
    for name in ("last.pth", "best.pth"):
        assert same(whole / name, killed / name)
    assert (whole / LOG).read_bytes() == (killed / LOG).read_bytes()
    before, after = (torch.load(folder / STATE, weights_only=True)["optimiser"] for folder in (whole, killed))
    assert before["param_groups"] == after["param_groups"]
    for number, state in before["state"].items():
        assert torch.equal(state["momentum_buffer"], after["state"][number]["momentum_buffer"])


def test_it_does_not_depend_on_the_number_of_workers(fixtures: Path, tmp_path: Path) -> None:
    data = labelled(tmp_path, fixtures)
    for workers in (1, 3):
        train(data, tmp_path / str(workers), epochs=2, workers=workers)
    assert same(tmp_path / "1/last.pth", tmp_path / "3/last.pth")
    train(data, tmp_path / "other", epochs=2, seed=1)
    assert not same(tmp_path / "1/last.pth", tmp_path / "other/last.pth")


def test_a_run_goes_on_for_more_epochs_and_with_no_other_recipe(fixtures: Path, tmp_path: Path) -> None:
    data, out = labelled(tmp_path, fixtures), tmp_path / "run"
    train(data, out, epochs=1)
    with pytest.raises(UsageError, match="holds a run already"):
        train(data, out, epochs=2)
    with pytest.raises(UsageError, match="begun with another batch"):
        train(data, out, epochs=2, batch=2, resume=True)
    train(data, out, epochs=2, resume=True)
    train(data, tmp_path / "whole", epochs=2)
    assert same(out / "last.pth", tmp_path / "whole/last.pth")
    (out / STATE).write_bytes(b"PK no state")
    with pytest.raises(ModelError, match="does not load"):
        train(data, out, epochs=3, resume=True)
    with pytest.raises(UsageError, match="holds no run"):
        train(data, tmp_path / "nothing", resume=True)


def test_ctrl_c_saves_and_the_run_goes_on(fixtures: Path, tmp_path: Path) -> None:
    """The progress of step 3 of 8 presses Ctrl-C."""
    data, out = labelled(tmp_path, fixtures), tmp_path / "run"

    class Pressing:
        steps = 0

        def start(self, label: str, total: int | None = None) -> None:
            assert total == 8

        def advance(self, steps: int = 1) -> None:
            self.steps += steps
            if self.steps == 3:
                os.kill(os.getpid(), signal.SIGINT)

        def note(self, message: str) -> None: ...

    before = signal.getsignal(signal.SIGINT)
    asked = tasks.request("yunet", "train", [str(data)], SMALL | {"epochs": 4}, out=out, progress=Pressing())
    result = tasks.run(asked)
    assert result.summary["stopped"]
    assert signal.getsignal(signal.SIGINT) is before
    assert torch.load(out / STATE, weights_only=True)["position"]["step"] == 3
    train(data, out, epochs=4, resume=True)
    train(data, tmp_path / "whole", epochs=4)
    assert same(out / "last.pth", tmp_path / "whole/last.pth")


def test_a_loss_that_is_no_number_ends_the_run_with_the_names(fixtures: Path, tmp_path: Path) -> None:
    data, out = labelled(tmp_path, fixtures), tmp_path / "run"
    train(data, out, epochs=1)
    saved = (out / STATE).read_bytes()
    with pytest.raises(ZooError, match=r"The loss is no number .* with the images 2008_00\d+"):
        train(data, tmp_path / "high", epochs=9, lr=1e30, batch=1, warmup=0)
    assert not list((tmp_path / "high").glob(".*"))
    assert (out / STATE).read_bytes() == saved


def test_images_that_cannot_be_used_are_skipped_and_counted(fixtures: Path, tmp_path: Path) -> None:
    data, out = labelled(tmp_path, fixtures), tmp_path / "run"
    (tmp_path / "images" / PAIR[0]).write_bytes(b"no image")
    result = train(data, out, epochs=2, batch=16)
    assert (result.inputs, result.done, len(result.skipped)) == (2, 1, 1)
    assert "2008_001322" in result.skipped[0].where
    (tmp_path / "images" / PAIR[1]).unlink()
    with pytest.raises(ZooError):
        train(data, tmp_path / "none", epochs=2)


def test_what_cannot_be_learnt_from_is_refused(fixtures: Path, tmp_path: Path) -> None:
    data = labelled(tmp_path, fixtures)
    for values, what in (
        ({"side": 100}, "multiple of 32"),
        ({"crops": "0"}, "sizes above 0"),
        ({"device": "x"}, "'x'"),
    ):
        with pytest.raises(UsageError, match=what):
            train(data, tmp_path / "run", **values)
    with pytest.raises(UsageError, match="inside the image: sizes of at most 1, not"):
        train(data, tmp_path / "run", "retinaface", crops="0.8,1.2")
    with pytest.raises(InputError, match="no boxes"):
        train(fixtures / "identities", tmp_path / "run")
    with pytest.raises(UsageError, match="--out"):
        tasks.run(tasks.request("yunet", "train", [str(data)], SMALL))
    assert not (tmp_path / "run").exists()


def test_training_begins_with_weights_of_a_file(fixtures: Path, tmp_path: Path) -> None:
    """With a learning rate of nothing they stay what they were; those of another network are refused."""
    data, published = labelled(tmp_path, fixtures), fixtures / "yunet" / "yunet_n.pth"
    wanted = torch.load(published, map_location="cpu", weights_only=True)["state_dict"]
    for name in ("init", "model"):
        train(data, tmp_path / name, epochs=1, lr=0, **{name: published})
        found = tensors(tmp_path / name / "last.pth")
        assert all(torch.equal(found[key], wanted[key]) for key in found if key.endswith(("weight", "bias")))
    with pytest.raises(ModelError, match="does not fit"):
        train(data, tmp_path / "other", model="yunet_s", init=published)


def test_the_licence_is_that_of_what_it_began_with(fixtures: Path, tmp_path: Path) -> None:
    """Of a published file it is known, and of what was trained from it; of a file of no known origin it is not."""
    data, published = labelled(tmp_path, fixtures), fixtures / "yunet" / "yunet_n.pth"
    state = torch.load(published, map_location="cpu", weights_only=True)["state_dict"]
    torch.save({"state_dict": state}, tmp_path / "found.pth")
    for name, init in (("known", published), ("again", tmp_path / "known"), ("found", tmp_path / "found.pth")):
        train(data, tmp_path / name, epochs=1, lr=0, init=init)
        licence = identify(tmp_path / name).card.licences.weights.name
        assert licence == ("unknown" if name == "found" else "Apache-2.0")


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(zoo_training, "find_spec", lambda name: None)
    with pytest.raises(RuntimeMissingError, match=r"facezoo\[torch\]"):
        train(tmp_path, tmp_path / "run")


def test_the_curves_are_drawn(fixtures: Path, tmp_path: Path) -> None:
    train(labelled(tmp_path, fixtures), tmp_path / "run", epochs=2)
    records = curves.read(tmp_path / "run" / LOG)
    assert len(curves.means(records)) == 2
    assert cv2.imread(str(tmp_path / "run" / "curves.png")) is not None

    def drawn(*losses: float, **more: float) -> Any:
        steps = [{"epoch": n, "step": n + 1, "rate": 0.1, "loss": loss, "box": loss} for n, loss in enumerate(losses)]
        means = [{"epoch": n, "step": n + 1, "mean": loss, **more} for n, loss in enumerate(losses)]
        return curves.draw([*steps, *means])

    rising, falling = drawn(0.2, 90.0), drawn(90.0, 0.2)
    assert rising.shape == falling.shape
    assert (rising != falling).any()
    assert (drawn(0.2, 90.0, judged=0.5) != rising).any()
    for losses in ([0.0], [1.0], [1e-3] * 5):
        assert drawn(*losses).shape == rising.shape


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_too(precision: str, fixtures: Path, tmp_path: Path) -> None:
    """Of half the bits are what layers hand on alone: weights stay float32, and differ from those learnt in float32. A
    run that ends and goes on gives the same bits, of which the factor of float16's loss decides as well."""
    data = labelled(tmp_path, fixtures)
    for name in ("float32", precision):
        train(data, tmp_path / name, epochs=3, precision=name, clip=10.0)
    learnt = tensors(tmp_path / precision / "last.pth")
    assert all(tensor.isfinite().all() and tensor.element_size() > 2 for tensor in learnt.values())
    assert not same(tmp_path / "float32/last.pth", tmp_path / precision / "last.pth")
    for epochs in (1, 3):
        train(data, tmp_path / "parts", epochs=epochs, precision=precision, clip=10.0, resume=epochs > 1)
    assert same(tmp_path / "parts/last.pth", tmp_path / precision / "last.pth")


def test_the_best_weights_are_those_judged_best(fixtures: Path, tmp_path: Path) -> None:
    """Published weights find the faces before a great learning rate spoils them; then it ends early."""
    data, out = labelled(tmp_path, fixtures), tmp_path / "run"
    values: dict[str, Any] = {"init": fixtures / "yunet" / "yunet_n.pth", "val": data, "side": 160, "warmup": 0}
    result = train(data, out, epochs=9, batch=2, drops="9", lr=0.02, patience=2, **values)
    log = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    judged = [line["judged"] for line in log if "judged" in line]
    assert 3 <= len(judged) < 9
    assert max(judged) == judged[-3] == result.summary["judged"]
    assert max(judged[-2:]) <= judged[-3]
    assert not same(out / "best.pth", out / "last.pth")
    asked = tasks.request("yunet", "eval", [str(data)], {"model": out / "best.pth", "bootstrap": 0})
    figures = [value for value in tasks.run(asked).summary["values"].values() if value is not None]
    assert sum(figures) / len(figures) == pytest.approx(max(judged), abs=1e-5)


@pytest.mark.parametrize(
    ("method", "model"),
    [("scrfd", "scrfd_500m"), ("scrfd", "scrfd_500m_bnkps"), ("retinaface", "retinaface_mnet025"),
     ("retinaface", "retinaface_1mb_slim"), ("yunet", "yunet_s")],
)  # fmt: skip
def test_every_detector_trains(method: str, model: str, fixtures: Path, tmp_path: Path) -> None:
    data, out = labelled(tmp_path, fixtures), tmp_path / "run"
    result = train(data, out, method, model=model, epochs=2, batch=2)
    assert (result.inputs, result.done) == (2, 2)
    learnt = zoo.load(out / "last.pth", threads=1, device="cpu", size="160x160")
    assert len(learnt(fixtures / "dlib" / PAIR[0]).boxes) >= 0


@pytest.mark.parametrize("name", sorted(name for name, card in catalogue().cards.items() if card.method in DETECTORS))
def test_every_detectors_recipe_is_whole(name: str) -> None:
    card = catalogue().cards[name]
    recipe = resolve(catalogue().methods[card.method].recipe)(card)
    json.dumps(recipe.document())
    last = next(step for step in recipe.steps if isinstance(step, Resize))
    assert last.width == last.height == recipe.side
    assert recipe.side % card.preprocess.multiple == 0
    assert all(0 < drop < recipe.epochs for drop in recipe.schedule.drops)


def test_the_schedule_is_mmcvs() -> None:
    schedule = Schedule(drops=(2, 3), warmup=4, start=0.2)
    assert [round(schedule(step, 0), 6) for step in range(6)] == [0.2, 0.4, 0.6, 0.8, 1, 1]
    assert [round(schedule(9, epoch), 6) for epoch in range(5)] == [1, 1, 0.1, 0.01, 0.01]


def test_pixels_become_what_the_card_says() -> None:
    image = torch.tensor([0, 100, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    given = Normalise(Preprocess(colour="rgb", mean=(127.5, 127.5, 127.5), scale=1 / 128))(image)
    assert given.flatten().tolist() == pytest.approx([127.5 / 128, -27.5 / 128, -127.5 / 128])


def test_a_set_without_usable_images_says_why(fixtures: Path, tmp_path: Path) -> None:
    class Empty(Feed):
        def epoch(self, number: int, begin: int = 0) -> Iterator[Batch]:
            return iter(())

    recipe = Recipe(loss=Schedule(), augmentation=(), epochs=1, batch=1)  # type: ignore[arg-type]
    learner = Learner(torch.nn.Conv2d(3, 1, 1), recipe, Preprocess(), Processes())
    engine = Engine(learner, tmp_path, lambda name, network: None)
    with pytest.raises(ZooError, match="no image to learn from"):
        engine.run(Empty(zoo.open_dataset(labelled(tmp_path, fixtures)), (), 1))
