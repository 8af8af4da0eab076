"""Going on from published weights: what a model could do it still can, and it learns what it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs PyTorch")

import zoo
from tests.training.photographs import labelled, labels
from zoo import images, tasks
from zoo.evaluation.options import JudgeOptions
from zoo.evaluation.task import judge_model
from zoo.geometry import iou

HELD_OUT = ("2008_001009.jpg", "2008_007676.jpg")
"""Two photographs of dlib that are not learnt from, with two large and seven small faces."""


def precision(weights: Path, data: Path) -> float:
    """COCO's AP."""
    model = zoo.load(weights, threads=1, device="cpu", thresholds="protocol")
    return judge_model(model, str(data), JudgeOptions(bootstrap=0)).verdict.scores[0].value


@pytest.mark.slow
def test_a_public_model_learns_other_boxes_and_loses_no_face(fixtures: Path, tmp_path: Path) -> None:
    """dlib's boxes are squares that end above the chin. In 24 steps yunet_n's AP rises from .39 to .65 on seven
    photographs, and from .49 to .72 on two that it did not see; the six faces of the sample photograph stay."""
    learnt = [name for name in labels(fixtures) if name not in HELD_OUT]
    seven = labelled(tmp_path / "seven", fixtures, learnt)
    two = labelled(tmp_path / "two", fixtures, HELD_OUT)
    public, out = fixtures / "yunet" / "yunet_n.pth", tmp_path / "run"
    settings = {"init": str(public), "epochs": 12, "batch": 4, "side": 320, "lr": 0.0005, "warmup": 5}
    tasks.run(tasks.request("yunet", "train", [str(seven)], settings | {"threads": 1, "device": "cpu"}, out=out))
    photograph = images.read(fixtures / "images" / "insightface_t1.jpg")
    before, after = (zoo.load(path, threads=1, device="cpu")(photograph) for path in (public, out / "last.pth"))
    assert len(before.boxes) == len(after.boxes) == 6
    assert (iou(before.boxes, after.boxes).max(axis=1) > 0.6).all()
    for data, risen in ((seven, 0.1), (two, 0.03)):
        assert precision(out / "last.pth", data) > precision(public, data) + risen
