"""Targets of batches, the grids that they are compared on, and sums over processes."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import InputError
from zoo.training.augment import Labelled

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from zoo.geometry import points  # noqa: E402
from zoo.training import targets as module  # noqa: E402
from zoo.training.targets import Targets, averaged, batch, cells, encode_points, rows  # noqa: E402


def test_images_of_any_number_of_faces_are_stacked() -> None:
    boxes = [torch.tensor([[0.0, 0, 4, 4], [1, 1, 3, 5]]), torch.zeros(0, 4), torch.tensor([[2.0, 2, 9, 9]])]
    keypoints = [torch.ones(2, 5, 3), torch.zeros(0, 5, 3), torch.full((1, 5, 3), 3.0)]
    stacked = Targets.stack(boxes, keypoints, (16, 32))
    assert stacked.boxes.shape == (3, 2, 4)
    assert stacked.faces.tolist() == [[True, True], [False, False], [True, False]]
    assert stacked.boxes[2, 0].tolist() == [2, 2, 9, 9]
    assert Targets.stack([torch.zeros(0, 4)], [torch.zeros(0, 5, 3)], (8, 8)).boxes.shape == (1, 0, 4)


def test_what_cannot_be_learnt_is_no_face() -> None:
    nan = float("nan")
    boxes = torch.tensor([[0.0, 0, 4, 4], [5, 5, 5, 9], [5, 5, 3, 9], [nan, 0, 1, 1]])
    keypoints = torch.ones(4, 5, 3)
    keypoints[0, 1] = torch.tensor([nan, 2.0, 1.0])
    keypoints[0, 2] = torch.tensor([-1.0, -1.0, 0.0])
    stacked = Targets.stack([boxes], [keypoints], (16, 16))
    assert stacked.faces.tolist() == [[True, False, False, False]]
    assert stacked.boxes.isfinite().all()
    assert stacked.keypoints[0, 0, :3].tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 0]]


def test_rows_and_cells_have_one_order() -> None:
    maps = [torch.arange(2 * 2 * 3 * 4).reshape(2, 2, 3, 4), torch.zeros(2, 2, 2, 2, dtype=torch.float16)]
    flat = rows(maps, 2)
    assert flat.shape == (2, 16, 2)
    assert flat.dtype == torch.float32
    assert flat[1, 1 * 4 + 2].tolist() == maps[0][1, :, 1, 2].tolist()
    assert rows(maps, 1)[0, 3].item() == maps[0][0, 1, 0, 1].item()  # the second anchor of the second cell
    corners, strides = cells(maps, (8, 16))
    assert corners[:12].tolist() == points(32, 24, 8).tolist()
    assert corners[12:].tolist() == points(32, 32, 16).tolist()
    assert strides[[0, 11, 12, 15], 0].tolist() == [8, 8, 16, 16]


def test_points_in_units_of_cells() -> None:
    """A point at (20, 4) from the corner (16, 8) of a cell of 8: ((20 - 16) / 8, (4 - 8) / 8) = (0.5, -0.5)."""
    keypoints = torch.tensor([20.0, 4, 1]).expand(1, 5, 3)
    given = encode_points(keypoints, torch.tensor([[16.0, 8.0]]), torch.tensor([[8.0]]))
    assert given.tolist() == [[0.5, -0.5] * 5]


def test_samples_become_a_batch_without_ignored_faces() -> None:
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    boxes = np.array([[0, 0, 2, 2], [1, 1, 3, 3]], np.float32)
    one = Labelled(image, boxes, np.ones((2, 5, 3), np.float32), np.array([True, False]))
    images, targets = batch([one, Labelled.of(image, None)])
    assert images.shape == (2, 3, 4, 6)
    assert images[1, :, 2, 3].tolist() == image[2, 3].tolist()
    assert targets.boxes.tolist() == [[[1, 1, 3, 3]], [[0, 0, 0, 0]]]
    assert targets.size == (4, 6)
    with pytest.raises(InputError, match=r"one size, and these are \[\(4, 6\), \(6, 4\)\]"):
        batch([one, Labelled.of(image.reshape(6, 4, 3), None)])


def test_large_batches_are_cut_between_images(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Targets.stack([torch.ones(3, 4)] * 5, [torch.ones(3, 5, 3)] * 5, (8, 8))
    monkeypatch.setattr(module, "PAIRS", 2 * 100 * 3)
    parts = list(batch.portions(100))
    assert [(part.start, len(some.boxes)) for part, some in parts] == [(0, 2), (2, 2), (4, 1)]
    assert len(list(batch.portions(10_000))) == 5
    assert batch.to("cpu").size == (8, 8)


def test_one_process_averages_nothing() -> None:
    total = torch.tensor(3.0, requires_grad=True)
    assert averaged(total).item() == 3
    assert not averaged(total).requires_grad
