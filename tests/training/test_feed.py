"""Batches are prepared while others are learnt from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="batches are tensors")

from zoo.errors import InputError  # noqa: E402
from zoo.training.augment import Labelled  # noqa: E402
from zoo.training.feed import AHEAD, prepared  # noqa: E402
from zoo.training.targets import batch  # noqa: E402


def test_a_batch_is_begun_for_each_that_is_given() -> None:
    """Whoever takes the results is slow; what the threads have to do does not run out meanwhile."""
    taken: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    results = prepared(lambda number: number * 10, tasks(), 2)
    for number in range(20):
        assert next(results) == number * 10
        assert len(taken) == min(20, number + 1 + AHEAD * 2)
    assert list(results) == []


def test_the_first_batch_does_not_wait_for_the_second() -> None:
    later = threading.Event()
    results = prepared(lambda number: number if number == 0 else later.wait(60), iter(range(4)), 2)
    assert next(results) == 0
    later.set()
    assert list(results) == [True] * 3


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_ends_it(workers: int) -> None:
    def work(number: int) -> int:
        if number == 2:
            raise InputError("no image")
        return number

    results = prepared(work, iter(range(100)), workers)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(InputError, match="no image"):
        next(results)
    assert list(results) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("zoo")]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads as Linux does")
def test_a_batch_is_prepared_without_threads_of_torch() -> None:
    """Next to threads that torch keeps for a thread that prepares batches, those of the thread that learns are slow."""
    dice = np.random.default_rng(0)
    images = [dice.integers(0, 256, (320, 320, 3), np.uint8) for _ in range(4)]
    samples = [Labelled.of(image, None) for image in images]
    before = torch.get_num_threads()
    torch.set_num_threads(2)

    def work() -> tuple[int, int]:
        threads = len(list(Path("/proc/self/task").iterdir()))
        made, _ = batch(samples)
        assert np.array_equal(made.numpy(), np.stack(images).transpose(0, 3, 1, 2))
        return threads, len(list(Path("/proc/self/task").iterdir()))

    try:
        with ThreadPoolExecutor(1) as pool:
            earlier, later = pool.submit(work).result()
    finally:
        torch.set_num_threads(before)
    assert later == earlier
