"""Losses in two processes: their averaged gradients are those of one process with the joint batch."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from tests.training.photographs import faces  # noqa: E402
from zoo.training.targets import Targets  # noqa: E402

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
