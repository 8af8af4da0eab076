"""Areas beneath curves, and resampled sets."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.evaluation.curves import Curve, average_precision, interval, precision_recall, resampled, spread


def test_the_area_takes_the_best_precision_further_right() -> None:
    """By hand: 0.2 of recall at 1, up to 0.6 at 0.8 (not 0.5), the rest is never reached."""
    recall, precision = np.array([0.2, 0.4, 0.6]), np.array([1.0, 0.5, 0.8])
    assert average_precision(precision, recall) == pytest.approx(0.2 * 1.0 + 0.4 * 0.8)


def test_nothing_proposed_is_no_precision() -> None:
    precision, recall = precision_recall(np.array([0.0, 2.0]), np.array([0.0, 1.0]), 4.0)
    assert precision.tolist() == [0.0, 0.5] and recall.tolist() == [0.0, 0.25]
    assert precision_recall(np.array([1.0]), np.array([0.0]), 0.0)[1].tolist() == [0.0]


def test_resampled_sets_are_as_large_as_the_set_and_reproducible() -> None:
    drawn = resampled(7, 30, seed=3)
    assert drawn.shape == (30, 7) and (drawn.sum(axis=1) == 7).all()
    assert (drawn == resampled(7, 30, seed=3)).all() and (drawn != resampled(7, 30, seed=4)).any()


def test_a_resampled_area_is_that_of_a_set_with_images_repeated() -> None:
    chance = np.random.default_rng(0)
    proposals = chance.integers(0, 4, (5, 20))
    matched = np.minimum(proposals, chance.integers(0, 3, (5, 20)))
    faces = matched.sum(axis=1) + 2
    drawn = resampled(5, 250, seed=1)
    for areas, times in zip(spread(proposals, matched, faces, drawn)[::50], drawn[::50], strict=True):
        repeated = np.repeat(np.arange(5), times)
        down, found = (np.cumsum(table[repeated].sum(axis=0)).astype(float) for table in (proposals, matched))
        assert areas == pytest.approx(average_precision(*precision_recall(down, found, float(faces[repeated].sum()))))


def test_an_interval_leaves_out_what_has_no_figure() -> None:
    assert interval(np.array([np.nan, *np.linspace(0, 1, 101)])) == pytest.approx((0.025, 0.975))


def test_the_best_point_of_a_curve() -> None:
    curve = Curve("x", np.array([0.9, 0.5, 0.1]), np.array([1.0, 0.9, 0.2]), np.array([0.1, 0.8, 0.9]))
    assert curve.best == (0.5, 0.9, 0.8)
    assert Curve("x", np.zeros(0), np.zeros(0), np.zeros(0)).best == (0.0, 0.0, 0.0)
