"""Every sample goes to one taker, and ranks get equally many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.datasets.formats import Unit
from zoo.datasets.sharing import Place, mixed, rank_length, share, shuffled_units, unit_size


def units_of(count: int, size: int) -> Iterator[Unit]:
    return (Unit(start, min(start + size, count)) for start in range(0, count, size))


def taken(units: list[Unit], rank: Place, worker: Place, sizes: dict[int, int]) -> list[int]:
    """The numbers of the samples that a worker gets; `sizes` are the true sizes of the units, by their start."""
    found: list[int] = []
    for piece in share(units, rank, worker):
        found += piece.cut(range(piece.unit.start, piece.unit.start + sizes[piece.unit.start]))
    return found


@settings(max_examples=300, deadline=None)
@given(
    count=st.integers(0, 300),
    size=st.integers(1, 70),
    ranks=st.integers(1, 9),
    workers=st.integers(1, 5),
    seed=st.none() | st.integers(0, 5),
)
def test_counted_units_are_shared_evenly_and_wholly(
    count: int, size: int, ranks: int, workers: int, seed: int | None
) -> None:
    units = list(units_of(count, size))
    ordered = units if seed is None else shuffled_units(units, seed, epoch=1)
    sizes = {unit.start: unit.stop - unit.start for unit in units}
    by_rank = [
        [
            number
            for worker in range(workers)
            for number in taken(ordered, Place(rank, ranks), Place(worker, workers), sizes)
        ]
        for rank in range(ranks)
    ]
    length = rank_length(count, ranks)
    assert [len(numbers) for numbers in by_rank] == [length] * ranks
    counts = Counter(number for numbers in by_rank for number in numbers)
    assert set(counts) == set(range(count))
    assert sum(counts.values()) - count < ranks + length  # only the last are filled up


@settings(max_examples=300, deadline=None)
@given(sizes=st.lists(st.integers(0, 30), max_size=20), ranks=st.integers(1, 6), workers=st.integers(1, 5))
def test_units_of_unknown_size_are_dealt_out_without_loss(sizes: list[int], ranks: int, workers: int) -> None:
    starts = [sum(sizes[:i]) + i for i in range(len(sizes))]  # apart by one, so that no two starts are equal
    units = [Unit(start, -1) for start in starts]
    known = dict(zip(starts, sizes, strict=True))
    found = [
        number
        for rank in range(ranks)
        for worker in range(workers)
        for number in taken(units, Place(rank, ranks), Place(worker, workers), known)
    ]
    wanted = [start + i for start, size in known.items() for i in range(size)]
    assert sorted(found) == sorted(wanted)


def test_one_stream_is_read_by_all_and_divided_by_samples() -> None:
    units, sizes = [Unit(0, -1)], {0: 10}
    assert taken(units, Place(1, 2), Place(0, 2), sizes) == [1, 5, 9]
    assert taken(units, Place(1, 2), Place(1, 2), sizes) == [3, 7]


@pytest.mark.parametrize(("count", "ranks", "size"), [(None, 4, 256), (0, 1, 1), (12000, 8, 23), (10**7, 8, 1024)])
def test_units_are_small_where_samples_are_few(count: int | None, ranks: int, size: int) -> None:
    assert unit_size(count, ranks) == size


def test_orders_are_fixed_by_seed_and_epoch() -> None:
    units = list(units_of(100, 1))
    assert shuffled_units(units, 1, 0) == shuffled_units(iter(units), 1, 0)
    orders = {tuple(unit.start for unit in shuffled_units(units, *pair)) for pair in ((1, 0), (1, 1), (2, 0))}
    assert len(orders) == 3
    assert all(sorted(order) == list(range(100)) for order in orders)


def test_the_buffer_mixes_and_loses_nothing() -> None:
    order = list(mixed(range(1000), 50, "seed"))
    assert sorted(order) == list(range(1000))
    assert order == list(mixed(range(1000), 50, "seed")) != list(mixed(range(1000), 50, "other"))
    assert all(order.index(number) >= number - 50 for number in range(0, 1000, 37))  # none comes before it was read
    assert sorted(mixed(range(3), 50, "seed")) == [0, 1, 2]
