"""Plans: what is said of a conversion before anything is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.converters.pictures import picture
from zoo.conversion.engine import convert
from zoo.conversion.plan import Plan, make_plan
from zoo.errors import UsageError

LABELS = "# a.jpg 32 24\n1 2 11 12\n"
PARTS = "<part name='00' x='3' y='4'/><part name='01' x='5' y='6'/>"
XML = f"<dataset><images><image file='a.jpg'><box top='2' left='1' width='9' height='8'>{PARTS}</box></image></images>"


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A label file whose image is not there."""
    path = tmp_path / "in" / "labelv2.txt"
    path.parent.mkdir()
    path.write_text(LABELS)
    return path


def asked(source: Path, target: str, **values: Any) -> Plan:
    return make_plan(source, source.parent.parent / "out", values, target_format=target)


def add_image(labels: Path) -> None:
    labels.with_name("a.jpg").write_bytes(picture(32, 24).data)


def test_what_the_target_needs_and_the_source_lacks_is_said_in_the_plan(labels: Path) -> None:
    plan = asked(labels, "wider-predictions")
    assert plan.obstacle == f"wider-predictions cannot be written without scores, and {labels} has none."
    assert plan.describe()["obstacle"] == plan.obstacle
    with pytest.raises(UsageError, match="cannot be written without scores"):
        convert(plan)
    assert asked(labels, "image-boxes-landmarks").obstacle.endswith("has none. images=FOLDER says where they are.")
    assert asked(labels, "coco").obstacle == ""


def test_an_empty_set_lacks_nothing(labels: Path) -> None:
    labels.write_text("")
    assert make_plan(labels, labels.with_name("out"), {}, "labelv2", "wider-predictions").obstacle == ""


def test_images_that_are_to_be_copied_must_be_at_hand(labels: Path) -> None:
    plan = asked(labels, "coco", copy_images=True)
    assert plan.obstacle.startswith("copy_images=true needs the images, and none are found")
    with pytest.raises(UsageError, match="say with images=FOLDER where they are"):
        convert(plan)
    add_image(labels)
    assert asked(labels, "coco", copy_images=True).obstacle == ""


def test_images_of_an_archive_need_a_word_on_where_they_go(labels: Path) -> None:
    add_image(labels)
    archive = labels.with_name("shards")
    convert(make_plan(labels, archive, {"workers": 1}, target_format="webdataset"))
    assert "copy_images=true makes a folder" in asked(archive, "coco").obstacle
    assert asked(archive, "coco", copy_images=False).obstacle == ""


def test_images_that_lie_in_a_folder_are_not_lost(labels: Path) -> None:
    add_image(labels)
    plan = asked(labels, "wider-predictions")
    assert "images" in plan.about.holds
    assert plan.lost == ()


def test_landmarks_with_boxes_can_become_detection_labels(tmp_path: Path) -> None:
    path = tmp_path / "in" / "faces.xml"
    path.parent.mkdir()
    path.write_text(f"{XML}</dataset>")
    plan = asked(path, "coco", allow_loss=True, workers=1)
    assert (plan.about.kind, plan.lost) == ("landmarks", ("landmarks",))
    convert(plan)
    assert '"bbox": [1, 2, 9, 8]' in plan.target.read_text()
    path.write_text(f"{XML}</dataset>".replace(PARTS, ""))
    with pytest.raises(UsageError, match=r"A set of detection \(dlib-xml\) cannot become pts, which holds landmarks"):
        asked(path, "pts")
