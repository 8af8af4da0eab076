"""SCRFD's assigner and loss: cases worked by hand, the original's formulas as plain loops, real weights and faces."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="losses need PyTorch")

from zoo_scrfd.losses import ATSS, Loss, quality_focal_loss  # noqa: E402
from zoo_scrfd.network import build, initialise  # noqa: E402
from zoo_scrfd.recipe import recipe  # noqa: E402

from tests.training.photographs import faces, photographs  # noqa: E402
from zoo.errors import ModelError  # noqa: E402
from zoo.geometry import iou  # noqa: E402
from zoo.networks.state import load_state  # noqa: E402
from zoo.plugins import catalogue  # noqa: E402
from zoo.training import targets as grids  # noqa: E402
from zoo.training.targets import Targets  # noqa: E402

STRIDES = (8, 16, 32)
SIZES = ((16, 32), (64, 128), (256, 512))
SIZE = (128, 160)


def outputs(batch: int, seed: int, keypoints: bool = True) -> list[Any]:
    """Random maps as the network's: scores, distances that are mostly positive, keypoints."""
    draw = torch.Generator().manual_seed(seed)
    kinds = ((1, 0, 1), (4, 1.5, 0.7), (10, 0, 1)) if keypoints else ((1, 0, 1), (4, 1.5, 0.7))
    return [
        torch.randn(batch, 2 * channels, SIZE[0] // s, SIZE[1] // s, generator=draw) * spread + mean
        for channels, mean, spread in kinds
        for s in STRIDES
    ]


def plain_anchors() -> list[list[tuple[float, float, float]]]:
    """Of each level, x, y and side of the anchors."""
    return [
        [
            (float(c * s), float(r * s), float(side))
            for r in range(SIZE[0] // s)
            for c in range(SIZE[1] // s)
            for side in sides
        ]
        for s, sides in zip(STRIDES, SIZES, strict=True)
    ]


def plain_atss(truth: np.ndarray) -> dict[int, int]:
    """Anchor -> face of one image."""
    levels = plain_anchors()
    every = [anchor for level in levels for anchor in level]
    boxes = np.array([[x - s / 2, y - s / 2, x + s / 2, y + s / 2] for x, y, s in every])
    best: dict[int, tuple[float, int]] = {}
    for number, face in enumerate(truth):
        x1, y1, x2, y2 = face.tolist()
        candidates, before = [], 0
        for level in levels:
            away = [math.hypot(x - (x1 + x2) / 2, y - (y1 + y2) / 2) for x, y, _ in level]
            # Both anchors of a cell are equally far: which of them is the ninth is torch's to say.
            nearest = torch.tensor(away).topk(min(9, len(away)), largest=False).indices
            candidates += [before + int(index) for index in nearest]
            before += len(level)
        overlaps = iou(boxes[candidates], face[None])[:, 0]
        limit = overlaps.mean() + overlaps.std(ddof=1)
        for anchor, overlap in zip(candidates, overlaps.tolist(), strict=True):
            x, y, _ = every[anchor]
            margin = min(x - x1, y - y1, x2 - x, y2 - y) / math.sqrt(max((x2 - x1) * (y2 - y1), 1e-4))
            if overlap >= limit and margin > 0.001 and overlap > best.get(anchor, (-1.0, 0))[0]:
                best[anchor] = overlap, number
    return {anchor: number for anchor, (_, number) in best.items()}


def plain_diou(p: list[float], t: list[float]) -> float:
    """The original's formula for one pair."""
    w, h = max(min(p[2], t[2]) - max(p[0], t[0]), 0), max(min(p[3], t[3]) - max(p[1], t[1]), 0)
    union = (p[2] - p[0]) * (p[3] - p[1]) + (t[2] - t[0]) * (t[3] - t[1]) - w * h + 1e-6
    cw, ch = max(max(p[2], t[2]) - min(p[0], t[0]), 0), max(max(p[3], t[3]) - min(p[1], t[1]), 0)
    shift = (t[0] + t[2] - p[0] - p[2]) ** 2 / 4 + (t[1] + t[3] - p[1] - p[3]) ** 2 / 4
    return 1 - w * h / union + shift / (cw * cw + ch * ch + 1e-6)


def plain_iou(p: list[float], t: list[float]) -> float:
    """As mmdet's: predicted boxes whose edges are the wrong way round have the area that the product says."""
    w, h = max(min(p[2], t[2]) - max(p[0], t[0]), 0), max(min(p[3], t[3]) - max(p[1], t[1]), 0)
    return w * h / max((p[2] - p[0]) * (p[3] - p[1]) + (t[2] - t[0]) * (t[3] - t[1]) - w * h, 1e-6)


def plain_loss(maps: list[Any], targets: Targets) -> dict[str, float]:
    """The sum of the original's terms, anchor by anchor, in double precision."""

    def flat(kind: int, channels: int) -> np.ndarray:
        three = maps[3 * kind : 3 * kind + 3]
        return np.concatenate([m.double().permute(0, 2, 3, 1).reshape(len(m), -1, channels).numpy() for m in three], 1)

    scores, distances, keypoints = flat(0, 1)[..., 0], flat(1, 4), flat(2, 10)
    levels = plain_anchors()
    every = [(x, y, s) for level, s in zip(levels, STRIDES, strict=True) for x, y, _ in level]
    total = {"class": 0.0, "box": 0.0, "keypoints": 0.0}
    count, weights = 0, 0.0
    for image in range(len(scores)):
        real = targets.faces[image].numpy()
        truth, points = targets.boxes[image].numpy()[real], targets.keypoints[image].numpy()[real]
        matched = plain_atss(truth)
        count += max(len(matched), 1)
        for number, (x, y, s) in enumerate(every):
            logit = scores[image, number]
            score, quality = 1 / (1 + math.exp(-logit)), 0.0
            if number in matched:
                face = matched[number]
                left, top, right, bottom = distances[image, number]
                predicted = [x / s - left, y / s - top, x / s + right, y / s + bottom]
                wanted = (truth[face] / s).tolist()
                quality = plain_iou(predicted, wanted)
                weights += score
                total["box"] += score * plain_diou(predicted, wanted)
                for point in range(5):
                    for axis, at in enumerate((x, y)):
                        away = keypoints[image, number, 2 * point + axis] - (points[face, point, axis] - at) / s
                        known = points[face, :, 2].mean() * score
                        total["keypoints"] += known * (away * away * 4.5 if abs(away) < 1 / 9 else abs(away) - 1 / 18)
            entropy = math.log1p(math.exp(logit)) - logit * quality
            total["class"] += entropy * (quality - score) ** 2
    return {
        "class": total["class"] / count,
        "box": 2 * total["box"] / weights,
        "keypoints": 0.1 * total["keypoints"] / weights,
    }


def test_anchors_are_around_the_corners_of_cells() -> None:
    """The second anchor of the second cell of stride 8: side 32 around (8, 0); the first of the coarsest: 256."""
    levels = Loss().anchors([torch.zeros(1, 2, 128 // s, 160 // s) for s in STRIDES])
    assert levels[0][3].tolist() == [-8, -16, 24, 16]
    assert levels[2][0].tolist() == [-128, -128, 128, 128]
    assert [len(level) for level in levels] == [640, 160, 40]
    for ours, theirs in zip(levels, plain_anchors(), strict=True):
        assert [((a + c) / 2, (b + d) / 2, c - a) for a, b, c, d in ours.tolist()] == theirs


def test_one_face_by_hand() -> None:
    """One level with four anchors of 16 around (0, 0), (8, 0), (0, 8), (8, 8) and a face 0, 0, 16, 16.

    IoUs: 64/448 = 1/7, 128/384 = 1/3, 1/3 and 1: mean .4524, deviation .3762, limit .8286. Only the last is above it,
    and its point (8, 8) is inside; that of (8, 0) would not be.
    """
    anchors = [torch.tensor([[x - 8.0, y - 8, x + 8, y + 8] for y in (0, 8) for x in (0, 8)])]
    face = Targets.stack([torch.tensor([[0.0, 0, 16, 16]])], [torch.zeros(1, 5, 3)], (16, 16))
    assert ATSS()(anchors, face).tolist() == [[-1, -1, -1, 0]]
    # The nearest two alone: 1 and one of the thirds; mean 2/3, deviation .4714, limit 1.138: none.
    assert ATSS(nearest=2)(anchors, face).tolist() == [[-1, -1, -1, -1]]


def test_an_anchor_that_two_faces_want_goes_to_the_greater_iou() -> None:
    """Faces of 16 and of 14 around (8, 8): the anchor of 16 there has the IoUs 1 and 196/256."""
    anchors = [torch.tensor([[x - 8.0, y - 8, x + 8, y + 8] for y in (0, 8) for x in (0, 8)])]
    boxes = torch.tensor([[1.0, 1, 15, 15], [0, 0, 16, 16]])
    face = Targets.stack([boxes, boxes.flip(0), boxes[:1].expand(2, 4)], [torch.zeros(2, 5, 3)] * 3, (16, 16))
    assert ATSS()(anchors, face)[:, 3].tolist() == [1, 0, 0]


def test_quality_focal_loss_by_hand() -> None:
    """Logit 0, quality 0.5: ln 2 times 0. Quality 1: ln 2 / 4. Background at 0: ln 2 / 4."""
    given = quality_focal_loss(torch.zeros(3), torch.tensor([0.5, 1, 0]))
    assert given.tolist() == pytest.approx([0, math.log(2) / 4, math.log(2) / 4])


@pytest.mark.parametrize("seed", range(4))
def test_batches_are_assigned_and_weighed_as_the_original_does_image_by_image(seed: int) -> None:
    maps, truth = outputs(4, seed), faces((6, 0, 1, 17), SIZE, seed, most=120)
    given = Loss()(maps, truth)
    assert {name: part.item() for name, part in given.items()} == pytest.approx(plain_loss(maps, truth), rel=2e-4)


def test_batches_in_portions_are_assigned_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    maps, truth = outputs(4, 9), faces((5, 0, 1, 14), SIZE, 9)
    whole = Loss()(maps, truth)
    monkeypatch.setattr(grids, "PAIRS", 1)
    assert Loss()(maps, truth) == whole


@pytest.mark.parametrize("counts", [(0,), (0, 0)])
def test_images_without_faces_teach_the_score_alone(counts: tuple[int, ...]) -> None:
    maps = [one.requires_grad_() for one in outputs(len(counts), 1)]
    parts = Loss()(maps, faces(counts, SIZE, 1))
    assert [parts[name].item() for name in ("box", "keypoints")] == [0, 0]
    assert parts["class"].item() > 0
    sum(parts.values()).backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in maps)


def test_networks_without_keypoints_have_no_loss_of_them() -> None:
    parts = Loss()(outputs(2, 4, keypoints=False), faces((3, 2), SIZE, 4))
    assert list(parts) == ["class", "box"]


def test_outputs_that_are_no_numbers_give_a_loss_that_is_none() -> None:
    """So that the run can say which images it was; nothing crashes before."""
    maps = [torch.full_like(one, torch.nan) for one in outputs(2, 1)]
    assert sum(Loss()(maps, faces((3, 1), SIZE, 1)).values()).isnan()


def test_gradients_are_finite_differences() -> None:
    """Of boxes and keypoints, whose weights and the score's target are no variables."""
    maps, truth = [one.requires_grad_() for one in outputs(2, 3)], faces((3, 1), SIZE, 3)
    loss = Loss()
    parts = loss(maps, truth)
    (parts["box"] + parts["keypoints"]).backward()
    for one in maps[3:]:
        place = one.grad.abs().argmax()
        if one.grad.flatten()[place] == 0:
            continue
        step = torch.zeros_like(one).flatten().index_fill(0, place, 3e-3).view_as(one)
        ends = []
        for sign in (1, -1):
            moved = loss([m.detach() + sign * step if m is one else m.detach() for m in maps], truth)
            ends.append((moved["box"] + moved["keypoints"]).item())
        assert (ends[0] - ends[1]) / 6e-3 == pytest.approx(one.grad.flatten()[place].item(), rel=0.05)
    assert maps[3].grad.any()
    assert maps[6].grad.any()


def test_a_network_of_other_anchors_is_told() -> None:
    with pytest.raises(ModelError, match="predicts 840 anchors of an image where its loss has 420"):
        Loss(sizes=((1,), (2,), (3,)))(outputs(1, 1), faces((1,), SIZE, 1))


def test_shipped_weights_lose_little_on_a_labelled_photograph(fixtures: Path) -> None:
    """Of 2008_001322.jpg at 320 x 320, with dlib's square boxes: box .544 (2.043 at random), keypoints .048 (.802),
    class .181. At random the class is .000: scores start at .01, and their targets are the IoUs of boxes without size.
    """
    images, truth = photographs(fixtures, ["2008_001322.jpg"], 320)
    images = (images.flip(1) - 127.5) / 128
    network = build("scrfd_500m_bnkps", {})
    path = fixtures / "scrfd" / "scrfd_500m_bnkps.pth"
    load_state(network, torch.load(path, map_location="cpu", weights_only=True)["state_dict"], path.name)
    with torch.no_grad():
        shipped = Loss()(network.raw(images), truth)
        torch.manual_seed(0)
        initialise(network)
        random = Loss()(network.raw(images), truth)
    for part, limit in {"box": 0.7, "keypoints": 0.1}.items():
        assert shipped[part].item() < limit < random[part].item() / 2, part
    assert random["class"].item() < 0.001 < shipped["class"].item() < 0.25


PUBLISHED = {
    "scrfd_500m": (0.01, 32, True),
    "scrfd_500m_bnkps": (0.01, 64, True),
    "scrfd_1g": (0.01, 32, True),
    "scrfd_2.5g": (0.01, 32, False),
    "scrfd_2.5g_bnkps": (0.01, 32, False),
    "scrfd_10g": (0.01, 32, False),
    "scrfd_10g_bnkps": (0.01, 32, False),
    "scrfd_34g": (0.02, 32, True),
}
"""Learning rate, images of four devices in a step, and whether faces are cut off at the border of the square, in the
originals' configurations of these names."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_recipes_differ_where_the_originals_files_do(name: str) -> None:
    made = recipe(catalogue().cards[name])
    assert (made.optimiser.rate, made.batch, made.augmentation[0].clip) == PUBLISHED[name]  # type: ignore[attr-defined]
