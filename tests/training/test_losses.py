"""Losses of boxes against cases worked by hand, plain loops and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from zoo import geometry  # noqa: E402
from zoo.training.losses import diou_loss, iou, keypoint_loss, smooth_eiou_loss, visibility  # noqa: E402


def box(*corners: float) -> torch.Tensor:
    return torch.tensor([corners], dtype=torch.float32)


def random_boxes(count: int, seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=draw, dtype=dtype) * 20
    return torch.cat([corner, corner + 1 + torch.rand(count, 2, generator=draw, dtype=dtype) * 20], 1)


def test_iou_by_hand_and_as_the_decoders_have_it() -> None:
    """4 x 4 and 4 x 4 shifted by 2 in x share 2 x 4 = 8 of 16 + 16 - 8 = 24: a third."""
    assert iou(box(0, 0, 4, 4), box(2, 0, 6, 4)).item() == pytest.approx(1 / 3)
    assert iou(box(0, 0, 4, 4), box(5, 0, 6, 4)).item() == 0
    assert iou(box(1, 1, 1, 1), box(1, 1, 1, 1)).item() == 0
    a, b = random_boxes(30, 1), random_boxes(20, 2)
    np.testing.assert_allclose(iou(a[:, None], b).numpy(), geometry.iou(a.numpy(), b.numpy()), atol=1e-6)


def test_diou_by_hand() -> None:
    """IoU 1/3; centres 2 apart; the box around both is 6 x 4, its diagonal squared 52: 1 - 1/3 + 4/52.

    Of disjoint boxes, 4 apart in a box of 6 x 2: 1 - 0 + 16/40.
    """
    assert diou_loss(box(0, 0, 4, 4), box(2, 0, 6, 4)).item() == pytest.approx(2 / 3 + 4 / 52)
    assert diou_loss(box(0, 0, 2, 2), box(4, 0, 6, 2)).item() == pytest.approx(1.4)
    assert diou_loss(box(3, 1, 7, 9), box(3, 1, 7, 9)).item() == pytest.approx(0, abs=1e-6)


def test_smooth_eiou_by_hand() -> None:
    """Overlapping: 1 - 1/3 - 0.05. Disjoint, 2 x 2 boxes with 2 between them: the extended intersection is -(2 x 2),
    the union 4 + 4 + 4 = 12, so 1 + 1/3 - 0.05. Nearly the same, 10 x 10 and 10 x 9.8: 1 - 98/100 = 0.02 < 0.1, so
    0.02^2 / 0.2 = 0.002.
    """
    assert smooth_eiou_loss(box(0, 0, 4, 4), box(2, 0, 6, 4)).item() == pytest.approx(2 / 3 - 0.05)
    assert smooth_eiou_loss(box(0, 0, 2, 2), box(4, 0, 6, 2)).item() == pytest.approx(4 / 3 - 0.05)
    assert smooth_eiou_loss(box(0, 0, 10, 10), box(0, 0, 10, 9.8)).item() == pytest.approx(0.002, rel=1e-3)


def plain_eiou(p: list[float], t: list[float], smooth: float = 0.1) -> float:
    """The original's formula for one pair, with its names of corners."""
    ex, ey = min(p[0], t[0]), min(p[1], t[1])
    ix1, iy1, ix2, iy2 = max(p[0], t[0]), max(p[1], t[1]), min(p[2], t[2]), min(p[3], t[3])
    xmin, ymin, xmax, ymax = min(ix1, ix2), min(iy1, iy2), max(ix1, ix2), max(iy1, iy2)
    inter = (ix2 - ex) * (iy2 - ey) + (xmin - ex) * (ymin - ey) - (ix1 - ex) * (ymax - ey) - (xmax - ex) * (iy1 - ey)
    union = (p[2] - p[0]) * (p[3] - p[1]) + (t[2] - t[0]) * (t[3] - t[1]) - inter + 1e-6
    u = 1 - inter / union
    return 0.5 * u * u / smooth if u < smooth else u - 0.5 * smooth


def test_smooth_eiou_of_random_pairs_is_the_originals() -> None:
    a, b = random_boxes(200, 3, torch.float64), random_boxes(200, 4, torch.float64)
    b[:50] = a[:50] + torch.rand(50, 4, dtype=torch.float64) * 0.2
    wanted = [plain_eiou(p, t) for p, t in zip(a.tolist(), b.tolist(), strict=True)]
    assert min(wanted) < 0.05
    assert max(wanted) > 1
    np.testing.assert_allclose(smooth_eiou_loss(a, b).numpy(), wanted, rtol=1e-9)


@pytest.mark.parametrize("loss", [smooth_eiou_loss, diou_loss])
def test_gradients_are_finite_differences(loss) -> None:
    a, b = random_boxes(12, 5, torch.float64).requires_grad_(), random_boxes(12, 6, torch.float64)
    assert torch.autograd.gradcheck(lambda boxes: loss(boxes, b), (a,))


def test_disjoint_boxes_are_drawn_together() -> None:
    """The gradient of x1 of a box left of its target is negative: descending moves it right."""
    for loss in (smooth_eiou_loss, diou_loss):
        boxes = box(0, 0, 2, 2).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(boxes, box(4, 0, 6, 2)).sum(), boxes)
        assert (gradient[0, 0] + gradient[0, 2]).item() < 0


def test_keypoints_by_hand() -> None:
    """beta 1/9. Off by 0.05 in one number: 0.05^2 / 2 * 9 = 0.01125; off by 1: 1 - 1/18. The fifth point is unknown."""
    keypoints = torch.ones(1, 5, 3)
    keypoints[0, 4] = 0
    away = torch.tensor([[0.05, 0, 0, 0, 1, 0, 0, 0, 7, 7]])
    given = keypoint_loss(away, torch.zeros(1, 10), keypoints, 1 / 9)
    assert given.item() == pytest.approx(0.01125 + 1 - 1 / 18)
    assert visibility(keypoints).item() == pytest.approx(0.8)
