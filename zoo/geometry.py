"""Boxes, grids and alignment, in plain numpy.

Boxes are (N, 4) x1, y1, x2, y2 in continuous pixels. ``plus_one`` selects the older convention of counting pixels, in
which x2 and y2 belong to the box and its width is x2 - x1 + 1; networks of the Faster R-CNN lineage were tuned with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoo.types import Floats


def areas(boxes: Floats, plus_one: bool = False) -> Floats:
    """Areas (N,) of boxes (N, 4) in square pixels; 0 for a box whose corners are the wrong way round."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2] + np.float32(plus_one), 0)
    result: Floats = sides[:, 0] * sides[:, 1]
    return result


def iou(a: Floats, b: Floats, plus_one: bool = False) -> Floats:
    """Intersection over union (N, M), in 0..1, of each of the boxes `a` (N, 4) with each of `b` (M, 4); 0 where the
    union is empty."""
    extra = np.float32(plus_one)
    corner = np.maximum(a[:, None, :2], b[None, :, :2])
    sides = np.maximum(np.minimum(a[:, None, 2:], b[None, :, 2:]) - corner + extra, 0)
    overlap = sides[..., 0] * sides[..., 1]
    union = areas(a, plus_one)[:, None] + areas(b, plus_one)[None] - overlap
    return _ratio(overlap, union)


def _ratio(overlap: Floats, union: Floats) -> Floats:
    result: Floats = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return result


def nms(
    boxes: Floats, scores: Floats, threshold: float, plus_one: bool = False, top_k: int = 0, keep: int = 0
) -> NDArray[np.int64]:
    """Greedy non-maximum suppression: the indices of the boxes that stay, highest score first.

    boxes (N, 4), scores (N,). Each box that stays removes the lower-scored ones whose IoU with it *exceeds*
    `threshold`; of equal scores the one that comes first in the input goes first. `top_k` > 0 looks only at that many
    best boxes, `keep` > 0 stops when that many stay.
    """
    boxes = np.asarray(boxes, np.float32)
    across = np.argsort(boxes[:, 0], kind="stable")
    sides, place = _Sides(boxes[across], plus_one), np.argsort(across)
    order = np.argsort(-scores, kind="stable")[: top_k or None]
    gone = np.zeros(len(boxes), np.bool_)
    kept: list[int] = []
    for index, position in zip(order.tolist(), place[order].tolist(), strict=True):
        if not gone[position]:
            kept.append(index)
            if len(kept) == keep:
                break
            window = slice(sides.first[position], sides.last[position])
            gone[window] |= sides.iou(position, window) > np.float32(threshold)
    return np.asarray(kept, dtype=np.int64)


class _Sides:
    """Boxes sorted by their left edge, so that all which a box can overlap lie in one window of the arrays."""

    def __init__(self, boxes: Floats, plus_one: bool) -> None:
        self.x1, self.y1, self.x2, self.y2 = np.ascontiguousarray(boxes.T)
        self.area, self.extra = areas(boxes, plus_one), np.float32(plus_one)
        reach = np.max(self.x2 - self.x1, initial=0) + 1
        self.first = np.searchsorted(self.x1, self.x1 - reach, "left").tolist()
        self.last = np.searchsorted(self.x1, self.x2 + 1, "right").tolist()

    def iou(self, box: int, window: slice) -> Floats:
        """The IoU of the box at `box` with each of those in `window`."""
        x1, y1, x2, y2 = self.x1[window], self.y1[window], self.x2[window], self.y2[window]
        width = np.minimum(self.x2[box], x2) - np.maximum(self.x1[box], x1) + self.extra
        height = np.minimum(self.y2[box], y2) - np.maximum(self.y1[box], y1) + self.extra
        overlap = np.maximum(width, 0) * np.maximum(height, 0)
        union = self.area[box] + self.area[window] - overlap
        return _ratio(overlap, union)


def points(width: int, height: int, stride: int, offset: float = 0.0) -> Floats:
    """Where the cells of a feature map lie in the picture: (rows * columns, 2) x, y in pixels, row by row.

    The map of a `width` x `height` picture has ceil(size / stride) cells a side; cell (row, column) lies at
    ``((column + offset) * stride, (row + offset) * stride)``: offset 0 is its corner, 0.5 its centre.
    """
    columns, rows = -(-width // stride), -(-height // stride)
    y, x = np.mgrid[:rows, :columns].reshape(2, -1)
    return ((np.stack([x, y], axis=1) + offset) * stride).astype(np.float32)


def points_at(cells: NDArray[np.int64], width: int, stride: int) -> Floats:
    """The rows `cells` (N,) of `points` for pictures of `width` pixels and offset 0, without the grid: (N, 2)."""
    row, column = np.divmod(cells, -(-width // stride))
    return (np.stack([column, row], axis=1) * stride).astype(np.float32)


def cell_count(width: int, height: int, stride: int) -> int:
    """How many cells the feature map of a `width` x `height` picture has."""
    return -(-width // stride) * -(-height // stride)


def prior_boxes(width: int, height: int, steps: Sequence[int], sizes: Sequence[Sequence[float]]) -> Floats:
    """Square anchors (A, 4) as centre x, centre y, width, height in pixels.

    Level by level (`steps` in pixels), row by row, column by column, and for each cell one anchor a size of that level
    (`sizes` in pixels), around the cell's centre: the order of biubug6's ``layers/functions/prior_box.py``.
    """
    levels = []
    for step, level_sizes in zip(steps, sizes, strict=True):
        centres = np.repeat(points(width, height, step, offset=0.5), len(level_sizes), axis=0)
        sides = np.tile(np.asarray(level_sizes, np.float32), len(centres) // len(level_sizes))
        levels.append(np.column_stack([centres, sides, sides]))
    return np.concatenate(levels).astype(np.float32, copy=False)


def boxes_from_distances(centres: Floats, distances: Floats) -> Floats:
    """Boxes (N, 4) around `centres` (N, 2) from their `distances` (N, 4) to the left, top, right and bottom edges."""
    return np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)


def boxes_from_centres(centres: Floats, sizes: Floats) -> Floats:
    """Boxes (N, 4) from `centres` (N, 2) and `sizes` (N, 2), width and height."""
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)


def similarity(src: ArrayLike, dst: ArrayLike) -> NDArray[np.float64]:
    """The rotation, uniform scale and shift, as a (2, 3) matrix, that carry the points `src` (K, 2) to `dst` (K, 2)
    with the least squared error, never mirroring (Umeyama, PAMI 1991).

    Raises `ValueError` when all of `src` coincide.
    """
    source, target = np.asarray(src, np.float64), np.asarray(dst, np.float64)
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    centred = source - source_mean
    spread = (centred**2).sum()
    if not spread > 0:
        raise ValueError("a similarity transform needs at least two different points")
    u, singular, vt = np.linalg.svd((target - target_mean).T @ centred)
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt)) or 1.0])
    linear = (u * signs) @ vt * ((singular * signs).sum() / spread)
    return np.column_stack([linear, target_mean - linear @ source_mean])


def transform(matrix: NDArray[Any], xy: Floats) -> Floats:
    """The points `xy` (..., 2) under the affine `matrix` (2, 3), as float32."""
    moved: Floats = (xy @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    return moved
