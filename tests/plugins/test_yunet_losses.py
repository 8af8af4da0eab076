"""YuNet's assigner and loss: cases worked by hand, the original's formulas as plain loops, real weights and faces."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="losses need PyTorch")

from zoo_yunet.losses import Loss, SimOTA, decode  # noqa: E402
from zoo_yunet.network import build, initialise  # noqa: E402

from tests.training.photographs import faces, photographs  # noqa: E402
from tests.training.test_losses import plain_eiou  # noqa: E402
from zoo.geometry import iou  # noqa: E402
from zoo.networks.state import load_state  # noqa: E402
from zoo.training import targets as grids  # noqa: E402
from zoo.training.targets import Targets, cells  # noqa: E402

STRIDES = (8, 16, 32)
SIZE = (96, 128)


def outputs(batch: int, seed: int, size: tuple[int, int] = SIZE) -> list[Any]:
    """Random maps as the network's: class, objectness, boxes and keypoints of each stride."""
    draw = torch.Generator().manual_seed(seed)
    shapes = [(batch, c, size[0] // s, size[1] // s) for c in (1, 1, 4, 10) for s in STRIDES]
    return [torch.randn(shape, generator=draw) * 0.7 for shape in shapes]


def plain_simota(scores: np.ndarray, boxes: np.ndarray, priors: np.ndarray, truth: np.ndarray) -> dict[int, int]:
    """Prior -> face of one image. `priors` are the corners and the stride of each cell."""
    eligible, both = [], {}
    for number, (x, y, stride) in enumerate(priors):
        cx, cy = x + 0.5 * stride, y + 0.5 * stride
        inside = [x1 < cx < x2 and y1 < cy < y2 for x1, y1, x2, y2 in truth]
        reach = 2.5 * stride
        near = [abs(cx - (x1 + x2) / 2) < reach and abs(cy - (y1 + y2) / 2) < reach for x1, y1, x2, y2 in truth]
        if any(inside) or any(near):
            eligible.append(number)
            both[number] = [a and b for a, b in zip(inside, near, strict=True)]
    overlaps = iou(boxes[eligible], truth)
    cost = np.zeros_like(overlaps)
    for row, number in enumerate(eligible):
        for face in range(len(truth)):
            cross_entropy = -max(math.log(math.sqrt(scores[number])), -100)
            far = 0 if both[number][face] else 1e5
            cost[row, face] = cross_entropy + 3 * -math.log(overlaps[row, face] + 1e-7) + far
    wants: dict[int, list[int]] = {}
    for face in range(len(truth)):
        k = max(int(np.sort(overlaps[:, face])[::-1][:10].sum()), 1)
        for row in np.argsort(cost[:, face], kind="stable")[:k]:
            wants.setdefault(int(row), []).append(face)
    return {eligible[row]: faces[0] if len(faces) == 1 else int(cost[row].argmin()) for row, faces in wants.items()}


def plain_loss(maps: list[Any], targets: Targets) -> dict[str, float]:
    """The sum of the original's terms, cell by cell, in double precision."""
    flat = [
        np.concatenate(
            [m.double().permute(0, 2, 3, 1).reshape(len(m), -1, m.shape[1]).numpy() for m in maps[k : k + 3]], 1
        )
        for k in (0, 3, 6, 9)
    ]
    classes, objectness, boxes, keypoints = flat
    priors = [(c * s, r * s, s) for s in STRIDES for r in range(SIZE[0] // s) for c in range(SIZE[1] // s)]
    total = {"class": 0.0, "objectness": 0.0, "box": 0.0, "keypoints": 0.0}
    count, known = 0, 0.0
    for image in range(len(classes)):
        real = targets.faces[image].numpy()
        truth, points = targets.boxes[image].numpy()[real], targets.keypoints[image].numpy()[real]
        decoded = []
        for (x, y, s), (dx, dy, dw, dh) in zip(priors, boxes[image], strict=True):
            cx, cy, w, h = x + dx * s, y + dy * s, math.exp(dw) * s, math.exp(dh) * s
            decoded.append([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
        probable = 1 / (1 + np.exp(-classes[image, :, 0])) / (1 + np.exp(-objectness[image, :, 0]))
        matched = plain_simota(probable, np.array(decoded), np.array(priors), truth) if len(truth) else {}
        count += len(matched)
        for number, (x, y, s) in enumerate(priors):
            logit, positive = objectness[image, number, 0], number in matched
            total["objectness"] += math.log1p(math.exp(logit)) - logit * positive
            if not positive:
                continue
            face, logit = matched[number], classes[image, number, 0]
            quality = iou(np.array([decoded[number]]), truth[face : face + 1])[0, 0]
            total["class"] += math.log1p(math.exp(logit)) - logit * quality
            total["box"] += plain_eiou(decoded[number], truth[face].tolist())
            weight = points[face, :, 2].mean()
            known += weight
            for point in range(5):
                for axis, corner in enumerate((x, y)):
                    away = abs(keypoints[image, number, 2 * point + axis] - (points[face, point, axis] - corner) / s)
                    total["keypoints"] += weight * (away * away * 4.5 if away < 1 / 9 else away - 1 / 18)
    weights = {"class": 1, "objectness": 1, "box": 5, "keypoints": 0.1}
    divisors = {"class": count, "objectness": count, "box": count, "keypoints": known}
    return {
        name: weights[name] * total[name] / max(divisors[name], 1e-7 if name == "keypoints" else 1) for name in total
    }


def test_one_face_by_hand() -> None:
    """One level of 2 x 2 cells of 8 pixels; the face is 0, 0, 12, 12, and every cell predicts exactly that box.

    The centres (4, 4), (12, 4), (4, 12), (12, 12) are all within 20 of (6, 6), and only (4, 4) is inside (12 < 12 is
    not). Four IoUs of 1 make k = 4, so that the other three are taken in spite of their cost.
    """
    truth = Targets.stack([torch.tensor([[0.0, 0, 12, 12]])], [torch.zeros(1, 5, 3)], (16, 16))
    corners, strides = cells([torch.zeros(1, 1, 2, 2)], [8])
    boxes = truth.boxes.expand(1, 4, 4)
    scores = torch.full((1, 4), 0.25)
    assert SimOTA()(scores, boxes, corners + 4, strides, truth).tolist() == [[0, 0, 0, 0]]
    # With boxes that overlap by half each, 4 * 0.5 = 2 are taken: the one inside, and of the others the likeliest.
    halves = torch.tensor([0.0, 0, 12, 6]).expand(1, 4, 4)
    scores[0, 2] = 0.5
    assert SimOTA()(scores, halves, corners + 4, strides, truth).tolist() == [[0, -1, 0, -1]]


def test_a_cell_that_two_faces_want_goes_to_the_cheaper_one() -> None:
    """Two faces of 8 x 8 around one another, 1 pixel apart; one cell: each face takes at least one, and it is that."""
    truth = Targets.stack([torch.tensor([[0.0, 0, 8, 8], [1, 0, 9, 8]])], [torch.zeros(2, 5, 3)], (8, 8))
    corners, strides = cells([torch.zeros(1, 1, 1, 1)], [8])
    given = SimOTA()(torch.full((1, 1), 0.5), torch.tensor([[[1.0, 0, 9, 8]]]), corners + 4, strides, truth)
    assert given.tolist() == [[1]]


def test_the_loss_of_one_cell_by_hand() -> None:
    """One cell of 8; the face is the cell, the network predicts it exactly (shift 0.5, logarithm of sides 0).

    Logits 0: class ln 2 (target 1), objectness ln 2, box 0; keypoints lie at the corner, where 0 is predicted: 0.
    """
    truth = Targets.stack([torch.tensor([[0.0, 0, 8, 8]])], [torch.tensor([0.0, 0, 1]).expand(1, 5, 3)], (8, 8))
    maps = [torch.zeros(1, c, 1, 1) for c in (1, 1, 4, 10)]
    maps[2][0, :2] = 0.5
    parts = Loss(strides=(8,))(maps, truth)
    wanted = {"class": math.log(2), "objectness": math.log(2), "box": 0, "keypoints": 0}
    assert {name: part.item() for name, part in parts.items()} == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_batches_are_assigned_and_weighed_as_the_original_does_image_by_image(seed: int) -> None:
    maps, truth = outputs(4, seed), faces((5, 0, 1, 14), SIZE, seed)
    given = Loss(STRIDES)(maps, truth)
    assert {name: part.item() for name, part in given.items()} == pytest.approx(plain_loss(maps, truth), rel=2e-4)


def test_batches_in_portions_are_assigned_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    maps, truth = outputs(4, 9), faces((5, 0, 1, 14), SIZE, 9)
    whole = Loss(STRIDES)(maps, truth)
    monkeypatch.setattr(grids, "PAIRS", 1)
    assert Loss(STRIDES)(maps, truth) == whole


@pytest.mark.parametrize("counts", [(0,), (0, 0)])
def test_images_without_faces_teach_objectness_alone(counts: tuple[int, ...]) -> None:
    maps = [one.requires_grad_() for one in outputs(len(counts), 1)]
    parts = Loss(STRIDES)(maps, faces(counts, SIZE, 1))
    assert [parts[name].item() for name in ("class", "box", "keypoints")] == [0, 0, 0]
    assert parts["objectness"].item() > 0
    sum(parts.values()).backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in maps)


def test_faces_outside_the_image_are_no_trouble() -> None:
    far = Targets.stack([torch.tensor([[-900.0, -900, -800, -800]])], [torch.zeros(1, 5, 3)], SIZE)
    assert Loss(STRIDES)(outputs(1, 2), far)["box"].item() == 0


def test_outputs_that_are_no_numbers_give_a_loss_that_is_none() -> None:
    """So that the run can say which images it was; nothing crashes before."""
    maps = [torch.full_like(one, torch.nan) for one in outputs(2, 1)]
    assert sum(Loss(STRIDES)(maps, faces((3, 1), SIZE, 1)).values()).isnan()


def test_gradients_are_finite_differences() -> None:
    """With the assignment as it is; in single precision, because rows are."""
    maps, truth = outputs(2, 3), faces((3, 1), SIZE, 3)
    loss = Loss(STRIDES)
    maps = [one.requires_grad_() for one in maps]
    # The target of the class is no variable: its gradient does not go through the boxes.
    sum(value for name, value in loss(maps, truth).items() if name != "class").backward()
    for one in (maps[4], maps[6], maps[10]):
        place = one.grad.abs().argmax()
        step = torch.zeros_like(one).flatten().index_fill(0, place, 3e-3).view_as(one)
        ends = []
        for sign in (1, -1):
            moved = [m.detach() + sign * step if m is one else m.detach() for m in maps]
            ends.append(sum(v for name, v in loss(moved, truth).items() if name != "class").item())
        assert (ends[0] - ends[1]) / 6e-3 == pytest.approx(one.grad.flatten()[place].item(), rel=0.05)


def test_boxes_are_decoded_as_by_the_decoder() -> None:
    """A cell at (16, 8) of stride 8: centre (16 + 4, 8 - 2), sides 16 and 8."""
    given = decode(torch.tensor([[0.5, -0.25, math.log(2), 0]]), torch.tensor([[16.0, 8]]), torch.tensor([[8.0]]))
    assert given[0].tolist() == pytest.approx([12, 2, 28, 10])


def test_half_precision_gives_the_same() -> None:
    maps, truth = outputs(2, 5), faces((4, 2), SIZE, 5)
    coarse = [one.bfloat16() for one in maps]
    given, wanted = Loss(STRIDES)(coarse, truth), Loss(STRIDES)([one.float() for one in coarse], truth)
    assert given == wanted
    assert all(part.dtype == torch.float32 for part in given.values())


@pytest.mark.parametrize("name", ["yunet_n", "yunet_s"])
def test_shipped_weights_lose_little_on_a_labelled_photograph(name: str, fixtures: Path) -> None:
    """Of 2008_001322.jpg at 320 x 320, with dlib's square boxes, which are lower than WIDER FACE's, the weights of
    yunet_n and yunet_s give: class .649 and .592 (.688 and .696 at random: its target is the IoU), objectness .474 and
    .608 (488 and 492), box 1.194 and 1.031 (3.388 and 3.436), keypoints .086 and .223 (.326 and .349)."""
    images, truth = photographs(fixtures, ["2008_001322.jpg"], 320)
    network = build(name, {})
    state = torch.load(fixtures / "yunet" / f"{name}.pth", map_location="cpu", weights_only=True)["state_dict"]
    load_state(network, state, name)
    with torch.no_grad():
        shipped = Loss(STRIDES)(network.raw(images), truth)
        torch.manual_seed(0)
        initialise(network)
        random = Loss(STRIDES)(network.raw(images), truth)
    limits = {"class": 0.68, "objectness": 0.7, "box": 1.3, "keypoints": 0.25}
    for part, limit in limits.items():
        assert shipped[part].item() < limit < random[part].item(), part


def test_options_of_a_recipe_arrive() -> None:
    maps, truth = outputs(2, 6), faces((4, 3), SIZE, 6)
    one, two = Loss(STRIDES)(maps, truth), Loss(STRIDES, box_weight=10.0)(maps, truth)
    assert two["box"].item() == pytest.approx(2 * one["box"].item())
    narrow = replace(Loss(STRIDES), assigner=SimOTA(radius=0.5, candidates=1))
    assert narrow(maps, truth)["objectness"].item() != one["objectness"].item()
