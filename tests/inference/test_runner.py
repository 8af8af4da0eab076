"""The ordered pool of workers."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from tests.inference.colours import RedDetector, find_red, picture
from zoo.errors import InputError, ModelError
from zoo.inference.model import FunctionModel
from zoo.inference.runner import Job, Worker, batches, ordered
from zoo.inference.sources import Item
from zoo.types import Faces, Image


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_results_come_in_the_order_of_the_tasks(workers: int) -> None:
    def work(number: int) -> int:
        time.sleep(random.random() / 300)
        return number * number

    assert list(ordered(work, range(60), workers)) == [number * number for number in range(60)]


def test_workers_run_at_the_same_time() -> None:
    together = threading.Barrier(4, timeout=10)
    assert len(list(ordered(lambda _: together.wait(), range(8), 4))) == 8


def test_tasks_are_taken_only_a_little_ahead() -> None:
    taken = []
    results = ordered(lambda number: number, (taken.append(number) or number for number in count()), 2, ahead=3)
    for number in range(50):
        assert next(results) == number
        assert len(taken) <= number + 2 + 3 * 2
    results.close()


def test_an_error_ends_the_run_and_drops_what_was_not_begun() -> None:
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        time.sleep(0.01)
        if number == 3:
            raise ModelError("broken")

    with pytest.raises(ModelError, match="broken"):
        list(ordered(work, range(1000), 2))
    assert len(begun) < 50


def test_who_stops_listening_stops_the_workers() -> None:
    before = threading.active_count()
    results = ordered(lambda number: number, count(), 4)
    next(results)
    results.close()
    assert threading.active_count() == before


def test_batches_are_consecutive() -> None:
    assert list(batches(range(7), 3)) == [(0, 1, 2), (3, 4, 5), (6,)]


def job(*boxes: tuple[int, int, int, int], target: Path | None = None) -> Job:
    return Job(Item("a.png", "a.png", lambda: picture(64, 48, *boxes)), target)


def broken() -> Job:
    def load() -> Image:
        raise InputError("b.png is empty.")

    return Job(Item("b.png", "b.png", load))


def test_a_batch_is_given_to_the_model_at_once_without_what_cannot_be_read() -> None:
    model = RedDetector()
    outcomes = Worker(model)([job(), broken(), job((2, 2, 20, 20), (30, 2, 50, 20))])
    assert model.batches == [2]
    assert [outcome.error or len(outcome.faces) for outcome in outcomes] == [0, "b.png is empty.", 2]
    skip = outcomes[1].skip()
    assert (skip.where, skip.why) == ("b.png", "is empty.")


def test_a_plain_function_is_a_model() -> None:
    (outcome,) = Worker(FunctionModel(find_red))([job((2, 4, 20, 30))])
    assert outcome.faces is not None
    np.testing.assert_array_equal(outcome.faces.boxes, [[2, 4, 20, 30]])
    assert (outcome.width, outcome.height) == (64, 48)


def test_of_a_batch_only_the_image_that_the_model_refuses_is_skipped() -> None:
    class Choosy(RedDetector):
        def detect(self, pictures: Sequence[Image], known: Sequence[Faces] | None = None) -> list[Faces]:
            if any(each[0, 0, 2] == 255 for each in pictures):
                raise InputError("a.png is red in its corner.")
            return super().detect(pictures)

    outcomes = Worker(Choosy())([job(), job((0, 0, 20, 20)), job((5, 5, 20, 20))])
    assert [outcome.error or len(outcome.faces) for outcome in outcomes] == [0, "a.png is red in its corner.", 1]


def test_the_annotated_image_is_written_where_the_job_says(tmp_path: Path) -> None:
    target = tmp_path / "deep/a.png"
    Worker(RedDetector())([job((10, 10, 40, 40), target=target)])
    assert target.stat().st_size > 100
    assert [path.name for path in target.parent.iterdir()] == ["a.png"]
