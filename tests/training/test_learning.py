"""A bare training loop: that each network learns what its loss says, before any engine is around it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch")

from zoo_yunet.decode import Decode  # noqa: E402

from tests.training.photographs import photographs  # noqa: E402
from zoo.geometry import iou, nms  # noqa: E402
from zoo.training.targets import Targets  # noqa: E402

PAIR = ["2008_001322.jpg", "2008_001009.jpg"]
"""Two photographs of dlib with three and two large faces."""


def descend(network: Any, loss: Any, images: Any, targets: Targets, steps: int, rate: float) -> list[float]:
    """The loss before each step of SGD with the recipes' momentum and decay, on one batch."""
    network.train()
    optimiser = torch.optim.SGD(network.parameters(), rate, momentum=0.9, weight_decay=5e-4)
    curve = []
    for _ in range(steps):
        total = sum(loss(network.raw(images), targets).values())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        curve.append(total.item())
    return curve


def of(method: str) -> tuple[Any, Any]:
    """The modules of a method's network and losses."""
    return importlib.import_module(f"zoo_{method}.network"), importlib.import_module(f"zoo_{method}.losses")


@pytest.mark.slow
def test_yunet_learns_two_photographs(fixtures: Path) -> None:
    """In 120 steps at 160 x 160 its loss falls from 49.1, mostly of objectness, to 11.4 after 10, 4.5 after 20 and 1.1
    in the end; then it finds the five faces and nothing else, with scores of at least .91 and IoUs of at least .83."""
    images, targets = photographs(fixtures, PAIR, 160)
    networks, losses = of("yunet")
    network = networks.build("yunet_n", {})
    networks.initialise(network)
    curve = descend(network, losses.Loss(), images, targets, 120, 0.003)
    assert min(curve[:20]) < curve[0] / 2
    assert max(curve[-10:]) < 3
    network.eval()
    with torch.no_grad():
        outputs = [one.numpy() for one in network(images)]
    for image, known in enumerate(targets.faces):
        faces = Decode((8, 16, 32))([one[image] for one in outputs], 160, 160, 0.5)
        faces = faces.select(nms(faces.boxes, faces.scores, 0.45))
        overlaps = iou(targets.boxes[image][known].numpy(), faces.boxes)
        assert len(faces) == known.sum()
        assert overlaps.max(axis=1).min() > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "architecture", "mean", "scale", "part"),
    [("scrfd", "scrfd_500m_bnkps", 127.5, 128, 0.3), ("retinaface", "retinaface_mnet025", 117, 1, 0.03)],
)
def test_the_others_learn_two_photographs(
    method: str, architecture: str, mean: float, scale: float, part: float, fixtures: Path
) -> None:
    """In 60 steps at 160 x 160 SCRFD's loss falls from 2.762 to .610, and RetinaFace's from 33.175 to .136."""
    images, targets = photographs(fixtures, PAIR, 160)
    networks, losses = of(method)
    network = networks.build(architecture, {})
    if method == "scrfd":
        networks.initialise(network)
    curve = descend(network, losses.Loss(), (images - mean) / scale, targets, 60, 0.01)
    assert max(curve[-5:]) < part * curve[0]
