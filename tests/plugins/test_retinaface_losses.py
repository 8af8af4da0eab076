"""RetinaFace's matching and loss: cases worked by hand, the original's formulas as plain loops, real weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="losses need PyTorch")

from zoo_retinaface.losses import Loss, Matching, hard_negatives  # noqa: E402
from zoo_retinaface.network import build  # noqa: E402

from tests.training.photographs import faces, photographs  # noqa: E402
from zoo.errors import ModelError  # noqa: E402
from zoo.geometry import iou, prior_boxes  # noqa: E402
from zoo.networks.state import load_state  # noqa: E402
from zoo.training import targets as grids  # noqa: E402
from zoo.training.targets import Targets  # noqa: E402

SIZE = (96, 128)
STEPS, SIDES = (8, 16, 32), ((16, 32), (64, 128), (256, 512))


def outputs(batch: int, seed: int, size: tuple[int, int] = SIZE) -> list[Any]:
    draw = torch.Generator().manual_seed(seed)
    anchors = len(Loss().anchors(size))
    return [torch.randn(batch, anchors, channels, generator=draw) for channels in (4, 2, 10)]


def plain_matching(anchors: np.ndarray, truth: np.ndarray) -> dict[int, int]:
    """Anchor -> face of one image, step by step."""
    if not len(truth):
        return {}
    overlaps = iou(truth, anchors)
    best_anchor, best_overlap = overlaps.argmax(1), overlaps.max(1)
    if not (best_overlap >= 0.2).any():
        return {}
    overlap, face = overlaps.max(0), overlaps.argmax(0)
    for number in range(len(truth)):
        if best_overlap[number] >= 0.2:
            overlap[best_anchor[number]] = 2
        face[best_anchor[number]] = number
    return {anchor: int(face[anchor]) for anchor in np.flatnonzero(overlap >= np.float32(0.35)).tolist()}


def plain_loss(maps: list[Any], targets: Targets) -> dict[str, float]:
    """The sum of the original's terms, anchor by anchor, in double precision."""
    boxes, logits, keypoints = (one.double().numpy() for one in maps)
    priors = prior_boxes(SIZE[1], SIZE[0], STEPS, SIDES)
    corners = np.concatenate([priors[:, :2] - priors[:, 2:] / 2, priors[:, :2] + priors[:, 2:] / 2], 1)
    total = {"class": 0.0, "box": 0.0, "keypoints": 0.0}
    count = known = 0

    def far(away: float) -> float:
        return away * away / 2 if abs(away) < 1 else abs(away) - 0.5

    for image in range(len(boxes)):
        real = targets.faces[image].numpy()
        truth, points = targets.boxes[image].numpy()[real], targets.keypoints[image].numpy()[real]
        matched = plain_matching(corners, truth)
        count += len(matched)
        negatives = []
        for anchor, (cx, cy, w, h) in enumerate(priors.tolist()):
            background, face = logits[image, anchor]
            normaliser = math.log(math.exp(background) + math.exp(face))
            if anchor not in matched:
                negatives.append(normaliser - background)
                continue
            total["class"] += normaliser - face
            x1, y1, x2, y2 = truth[matched[anchor]].tolist()
            wanted = [((x1 + x2) / 2 - cx) / (0.1 * w), ((y1 + y2) / 2 - cy) / (0.1 * h)]
            wanted += [math.log((x2 - x1) / w) / 0.2, math.log((y2 - y1) / h) / 0.2]
            total["box"] += sum(far(a - b) for a, b in zip(boxes[image, anchor], wanted, strict=True))
            if points[matched[anchor], 0, 2] > 0:
                known += 1
                for point, (x, y, _) in enumerate(points[matched[anchor]].tolist()):
                    total["keypoints"] += far(keypoints[image, anchor, 2 * point] - (x - cx) / (0.1 * w))
                    total["keypoints"] += far(keypoints[image, anchor, 2 * point + 1] - (y - cy) / (0.1 * h))
        total["class"] += sum(sorted(negatives, reverse=True)[: 7 * len(matched)])
    return {
        "class": total["class"] / max(count, 1),
        "box": 2 * total["box"] / max(count, 1),
        "keypoints": total["keypoints"] / max(known, 1),
    }


def corners(*boxes: tuple[float, ...]) -> Any:
    return torch.tensor(boxes, dtype=torch.float32)


def truth_of(*boxes: tuple[float, ...]) -> Targets:
    return Targets.stack([corners(*boxes)], [torch.ones(len(boxes), 5, 3)], SIZE)


def test_matching_by_hand() -> None:
    """Anchors of 10 x 10 at x = 0, 5, 30, 60 against faces of 10 x 10.

    A face at 1: IoU 9/11 with the first, 6/14 = .43 with the second: both. A face at 36: 4/16 = .25 with the third,
    which is less than .35, but its best and at least .2: forced. A face at 68: 2/18 = .11: nobody's.
    """
    anchors = corners(*((x, 0, x + 10, 10) for x in (0, 5, 30, 60)))
    given = Matching()(anchors, truth_of((1, 0, 11, 10), (36, 0, 46, 10), (68, 0, 78, 10)))
    assert given.tolist() == [[0, 0, 1, -1]]
    assert Matching()(anchors, truth_of((68, 0, 78, 10))).tolist() == [[-1] * 4]


def test_faces_with_the_same_best_anchor() -> None:
    """Faces at 0 and 1 share the anchor at 0, of which the last one has it. And a face that no anchor overlaps by .2,
    inside a face that one does, takes that anchor all the same: so it is in the original."""
    anchors = corners((0, 0, 10, 10), (40, 0, 50, 10))
    assert Matching()(anchors, truth_of((0, 0, 10, 10), (1, 0, 11, 10))).tolist() == [[1, -1]]
    assert Matching()(anchors, truth_of((0, 0, 10, 10), (4, 4, 6, 6))).tolist() == [[1, -1]]


def test_encoding_by_hand() -> None:
    """An anchor of 20 x 10 around (50, 40), a face of 20 x 20 around (52, 39): (2 / 2, -1 / 1, 0, ln 2 / .2)."""
    given = Loss().encode(corners((42, 29, 62, 49)), corners((50, 40, 20, 10)))
    assert given[0].tolist() == pytest.approx([1, -1, 0, math.log(2) / 0.2])


def test_negatives_by_hand() -> None:
    """One positive: seven times as many, the greatest; never more than all but one; none where none is positive."""
    losses = torch.tensor([[9.0, 1, 2, 3, 4], [5, 4, 3, 2, 1]])
    positive = torch.tensor([[True, False, False, False, False], [False] * 5])
    assert hard_negatives(losses, positive, 2).nonzero().tolist() == [[0, 3], [0, 4]]
    assert hard_negatives(losses, positive, 7)[0].tolist() == [False, True, True, True, True]


@pytest.mark.parametrize("seed", range(4))
def test_batches_are_matched_and_weighed_as_the_original_does_image_by_image(seed: int) -> None:
    maps, truth = outputs(4, seed), faces((6, 0, 1, 12), SIZE, seed, most=90)
    given = Loss()(maps, truth)
    assert {name: part.item() for name, part in given.items()} == pytest.approx(plain_loss(maps, truth), rel=2e-4)


def test_batches_in_portions_are_matched_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    maps, truth = outputs(4, 9), faces((5, 0, 1, 14), SIZE, 9)
    whole = Loss()(maps, truth)
    monkeypatch.setattr(grids, "PAIRS", 1)
    assert Loss()(maps, truth) == whole


@pytest.mark.parametrize("counts", [(0,), (0, 0)])
def test_images_without_faces_teach_nothing(counts: tuple[int, ...]) -> None:
    maps = [one.requires_grad_() for one in outputs(len(counts), 1)]
    parts = Loss()(maps, faces(counts, SIZE, 1))
    assert [part.item() for part in parts.values()] == [0, 0, 0]
    sum(parts.values()).backward()
    assert all(one.grad is not None and not one.grad.any() for one in maps)


def test_outputs_that_are_no_numbers_give_a_loss_that_is_none() -> None:
    """So that the run can say which images it was; nothing crashes before."""
    maps = [torch.full_like(one, torch.nan) for one in outputs(2, 1)]
    assert sum(Loss()(maps, faces((3, 1), SIZE, 1)).values()).isnan()


def test_gradients_are_finite_differences() -> None:
    maps, truth = [one.requires_grad_() for one in outputs(2, 3)], faces((3, 2), SIZE, 3)
    loss = Loss()
    sum(loss(maps, truth).values()).backward()
    for one in maps:
        place = one.grad.abs().argmax()
        step = torch.zeros_like(one).flatten().index_fill(0, place, 3e-3).view_as(one)
        ends = [
            sum(loss([m.detach() + sign * step if m is one else m.detach() for m in maps], truth).values()).item()
            for sign in (1, -1)
        ]
        assert (ends[0] - ends[1]) / 6e-3 == pytest.approx(one.grad.flatten()[place].item(), rel=0.05)


def test_anchors_of_other_families_and_shapes() -> None:
    """Face-Detector-1MB's light networks have four levels, here of 12 x 16, 6 x 8, 3 x 4 and 2 x 2 cells."""
    light = Loss(steps=(8, 16, 32, 64), sizes=((10, 16, 24), (32, 48), (64, 96), (128, 192, 256)))
    assert len(light.anchors(SIZE)) == 192 * 3 + 48 * 2 + 12 * 2 + 4 * 3
    network = build("retinaface_1mb_slim", {})
    parts = light(network.raw(torch.zeros(2, 3, *SIZE)), faces((2, 1), SIZE, 2))
    assert all(part.isfinite() for part in parts.values())


def test_a_network_of_other_anchors_is_told() -> None:
    with pytest.raises(ModelError, match="predicts 504 anchors of an image where its loss has 756"):
        Loss(sizes=((1, 2, 3), (4, 5, 6), (7, 8, 9)))(outputs(1, 1), faces((1,), SIZE, 1))


def test_shipped_weights_lose_little_on_a_labelled_photograph(fixtures: Path) -> None:
    """Of 2008_001322.jpg at 320 x 320, with dlib's square boxes: class .866 (5.762 at random), box 1.875 (8.400),
    keypoints 1.238 (20.584): the last two are in tenths of an anchor."""
    images, truth = photographs(fixtures, ["2008_001322.jpg"], 320)
    images = images - torch.tensor([104.0, 117, 123]).view(3, 1, 1)
    torch.manual_seed(0)
    network = build("retinaface_mnet025", {})
    with torch.no_grad():
        random = Loss()(network.raw(images), truth)
        path = fixtures / "retinaface" / "m2man_mobilenet0.25_Final.pth"
        state = torch.load(path, map_location="cpu", weights_only=True)
        load_state(network, {name.removeprefix("module."): value for name, value in state.items()}, path.name)
        shipped = Loss()(network.raw(images), truth)
    for part, limit in {"class": 1.0, "box": 2.2, "keypoints": 1.5}.items():
        assert shipped[part].item() < limit < random[part].item() / 3, part
