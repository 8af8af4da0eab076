"""Data sets as datasets of torch: what comes out, and who gets what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.conftest import ROOT
from tests.datasets.lines import SPEC, LinesOptions, grey, numbered, write
from zoo.datasets.dataset import Dataset
from zoo.errors import InputError

torch = pytest.importorskip("torch")
DataLoader = torch.utils.data.DataLoader


def keys(loader: Any) -> list[int]:
    return [int(item["key"]) for item in loader]


def test_a_sample_becomes_tensors(tmp_path: Path) -> None:
    path = write(tmp_path / "set", "a 5 7 raj 3", "b 4 4 nobody 4")
    first, second = Dataset(path, SPEC).to_torch()
    assert set(first) == {"key", "identity", "image", "boxes"}
    pixels = cv2.imdecode(np.frombuffer(grey(5, 7, 3), np.uint8), cv2.IMREAD_COLOR)
    assert (first["key"], first["identity"]) == ("a", 1)
    assert first["image"].dtype == torch.uint8
    assert np.array_equal(first["image"].numpy(), np.moveaxis(pixels[:, :, ::-1], 2, 0))
    assert first["boxes"].tolist() == [[1, 2, 4, 5]]
    assert first["boxes"].dtype == torch.float32
    assert second["identity"] == "nobody"  # not among the names that the set lists


def test_encoded_bytes_and_transforms(tmp_path: Path) -> None:
    dataset = Dataset(write(tmp_path / "set", "a 5 7 raj 3"), SPEC)
    assert [item["image"] for item in dataset.to_torch(decode=False)] == [grey(5, 7, 3)]
    assert list(dataset.to_torch(transform=lambda item: item["image"].shape)) == [(3, 7, 5)]


@pytest.mark.parametrize("options", [{}, {"num_workers": 2}, {"num_workers": 2, "multiprocessing_context": "spawn"}])
@pytest.mark.parametrize("seed", [None, 7])
@pytest.mark.parametrize("stream", [False, True])
def test_every_worker_gets_its_share(tmp_path: Path, options: dict[str, Any], seed: int | None, stream: bool) -> None:
    dataset = Dataset(numbered(tmp_path / "set", 101), SPEC, LinesOptions(stream=stream))
    loader = DataLoader(dataset.to_torch(shuffle_seed=seed), batch_size=None, **options)
    order = keys(loader)
    assert sorted(order) == list(range(101))
    if seed is None and "num_workers" not in options:
        assert order == list(range(101))
    if seed is not None:
        assert order != list(range(101))
        assert order == keys(loader)
    if not stream:
        assert len(loader) == 101


@pytest.mark.parametrize("workers", [{}, {"num_workers": 2, "persistent_workers": True}])
def test_every_epoch_has_its_order(tmp_path: Path, workers: dict[str, Any]) -> None:
    data = Dataset(numbered(tmp_path / "set", 200), SPEC).to_torch(shuffle_seed=1)
    loader, orders = DataLoader(data, batch_size=None, **workers), []
    for epoch in (0, 1, 0):
        data.set_epoch(epoch)
        orders.append(keys(loader))
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[1]) == list(range(200))


def test_broken_samples_raise_or_are_left_out_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "set", "1 4 4 amy", "2 broken", "3 4 4 raj", "4 8 8 raj")
    whole = grey(8, 8, 3)
    monkeypatch.setattr("tests.datasets.lines.grey", lambda *size: whole[:40] if size[0] == 8 else grey(*size))
    with pytest.raises(InputError, match="the sample 2"):
        list(Dataset(path, SPEC).to_torch())
    with pytest.warns(UserWarning, match="2 samples left out; the sample 2 .*its line says so"):
        assert keys(Dataset(path, SPEC, on_error="skip").to_torch()) == [1, 3]


SCRIPT = """
import json, sys
import torch
from torch import distributed
from tests.datasets.lines import SPEC
from zoo.datasets.dataset import Dataset

def main():
    path, out, context = sys.argv[1:]
    data = Dataset(__import__("pathlib").Path(path), SPEC).to_torch(shuffle_seed=3)
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    loader = torch.utils.data.DataLoader(data, batch_size=None, num_workers=2, multiprocessing_context=context)
    order = [int(item["key"]) for item in loader]
    with open(f"{out}/{rank}.json", "w") as stream:
        json.dump([len(loader), order], stream)
    distributed.barrier()
    distributed.destroy_process_group()

if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_every_rank_gets_equally_many(tmp_path: Path, context: str) -> None:
    path, script = numbered(tmp_path / "set", 201), tmp_path / "train.py"
    script.write_text(SCRIPT)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    words = [*launch, str(path), str(tmp_path), context]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (length, first), (_, second) = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert length == len(first) == len(second) == 101
    assert set(first) | set(second) == set(range(201))
    assert len(set(first) & set(second)) == 1  # 201 is odd: one is given out twice
