"""Losses in two processes: their averaged gradients are those of one process with the joint batch."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from tests.training.photographs import PAIR, faces, labelled  # noqa: E402
from zoo.datasets.dataset import Dataset  # noqa: E402
from zoo.specs import FormatSpec, Preprocess  # noqa: E402
from zoo.training.engine import Engine  # noqa: E402
from zoo.training.feed import Batch, Feed  # noqa: E402
from zoo.training.learner import Learner  # noqa: E402
from zoo.training.processes import joined  # noqa: E402
from zoo.training.recipe import Optimiser, Recipe, Schedule  # noqa: E402
from zoo.training.targets import Targets, averaged  # noqa: E402

SIZE = (64, 96)
METHODS = ("yunet", "scrfd", "retinaface")


def outputs(method: str) -> list[Any]:
    """Random outputs of a method's network for four images."""
    draw = torch.Generator().manual_seed(1)
    if method == "retinaface":
        shapes: list[tuple[int, ...]] = [(4, 2 * (96 + 24 + 6), channels) for channels in (4, 2, 10)]
    else:
        channels = (1, 1, 4, 10) if method == "yunet" else (2, 8, 20)
        shapes = [(4, c, SIZE[0] // s, SIZE[1] // s) for c in channels for s in (8, 16, 32)]
    return [torch.randn(shape, generator=draw) for shape in shapes]


def gradients(method: str, images: slice) -> list[Any]:
    """Of the loss of some of the four images, whose numbers of faces differ much."""
    maps = [one[images].clone().requires_grad_() for one in outputs(method)]
    truth = faces((9, 0, 1, 3), SIZE, 4, least=10)
    some = Targets(truth.boxes[images], truth.keypoints[images], truth.faces[images], SIZE)
    loss = importlib.import_module(f"zoo_{method}.losses").Loss()
    sum(loss(maps, some).values()).backward()
    return [one.grad for one in maps]


def work(rank: int, folder: str) -> None:
    """What each of the two processes does."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{folder}/meeting", world_size=2, rank=rank)
    images = slice(0, 2) if rank == 0 else slice(2, 4)
    torch.save({method: gradients(method, images) for method in METHODS}, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(work, (str(tmp_path),), nprocs=2)
    halves = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    for method in METHODS:
        joint = gradients(method, slice(0, 4))
        assert any(one.any() for one in joint)
        for number, one in enumerate(joint):
            apart = torch.cat([half[method][number] for half in halves]) / 2
            torch.testing.assert_close(apart, one, rtol=1e-4, atol=1e-7)


@dataclass(frozen=True)
class Count:
    """A loss whose parts are divided by the number of images of all processes, as those of detectors are."""

    def __call__(self, outputs: Any, targets: Targets) -> dict[str, Any]:
        return {"all": (outputs[0] - 1).square().sum() / averaged(torch.tensor(float(len(outputs[0]))))}


class Tiny(torch.nn.Module):  # type: ignore[misc]
    """A network without normalisation, which would see other images in each process."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 2, 3)

    def raw(self, images: Any) -> tuple[Any, ...]:
        return (self.layer(images).square(),)


class Noise(Feed):
    """Four random images a step, of which each process gets its part."""

    def epoch(self, number: int, begin: int = 0) -> Iterator[Batch]:
        for step in range(3):
            draw = torch.Generator().manual_seed(10 * number + step)
            images = torch.randint(0, 256, (4, 3, 8, 8), generator=draw, dtype=torch.uint8)
            images = images[self.rank.index :: self.rank.count]
            empty = torch.zeros(len(images), 0, 4)
            yield Batch(images, Targets.stack([*empty], [torch.zeros(0, 5, 3)] * len(images), (8, 8)), ("a",))


def learnt(folder: Path) -> Any:
    """The weights after two epochs, in however many processes this is one of."""
    torch.manual_seed(0)
    recipe = Recipe(Count(), (), 2, 4, optimiser=Optimiser(1e-3), schedule=Schedule(warmup=3))
    contract = Preprocess(mean=(127.0, 127.0, 127.0), scale=1 / 128)
    with joined(torch.device("cpu")) as processes:
        network, written = Tiny(), list[str]()
        learner = Learner(network, recipe, contract, processes)
        engine = Engine(learner, folder, lambda name, _: written.append(name))
        engine.run(Noise(Dataset(folder, FormatSpec("none", "")), (), 2, rank=processes.place))
        assert bool(written) == processes.first
    return network.state_dict()


def learn(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{folder}/meeting", world_size=2, rank=rank)
    torch.save(learnt(Path(folder) / "run"), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(learn, (str(tmp_path),), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    alone = learnt(tmp_path / "alone")
    for name in alone:
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], alone[name], rtol=1e-5, atol=1e-7)


def shared(data: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """Two epochs of two images a step, in two processes."""
    words = ["side=64", "batch=2", "epochs=2", "threads=1", "device=cpu", "warmup=0", "lr=0.001", f"val={data}"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "zoo"]
    command += ["run", "yunet", "train", str(data), "--out", str(out), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_torchrun_shares_a_run(fixtures: Path, tmp_path: Path) -> None:
    """One of them tells of it and writes."""
    done, out = shared(labelled(tmp_path, fixtures), tmp_path / "run"), tmp_path / "run"
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2 epochs, 2 steps") == 1
    assert torch.load(out / "state.pt", weights_only=True)["position"]["step"] == 2
    assert (out / "best.pth").exists()
    assert json.loads((out / "train.zoo.json").read_text())["counts"] == {"inputs": 2, "done": 2, "skipped": 0}


@pytest.mark.slow
def test_a_process_without_an_image_waits_for_the_others(fixtures: Path, tmp_path: Path) -> None:
    """It has one image of each step, and one of the two is broken."""
    data, out = labelled(tmp_path, fixtures), tmp_path / "run"
    (tmp_path / "images" / PAIR[0]).write_bytes(b"no image")
    done = shared(data, out)
    assert "2 inputs = 1 done + 1 skipped" in done.stderr
    state = torch.load(out / "state.pt", weights_only=True)
    assert state["position"]["step"] == 2
    assert all(tensor.isfinite().all() for tensor in state["network"].values())
