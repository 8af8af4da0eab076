"""What is written: its form, its place, and that it is whole or not there."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from zoo.errors import UsageError, ZooError
from zoo.inference.outcome import Outcome
from zoo.inference.sinks import CSV_COLUMNS, SINKS, Targets, opened, refuse_overwriting
from zoo.inference.sources import Item
from zoo.inference.video import Clip
from zoo.types import Faces, Image

BOXES = np.array([[1, 2, 11, 22], [5.25, 6.5, 9.25, 8.5]])
POINTS = np.arange(20).reshape(2, 5, 2)


def nothing() -> Image:
    raise AssertionError("sinks need no pixels")


def item(name: str, **more) -> Item:
    return Item(name, f"photos/{name}", nothing, "photos", **more)


def outcomes() -> list[Outcome]:
    two = Faces(BOXES, np.array([0.9, 0.5]), POINTS)
    without_points = Faces(BOXES[:1], np.array([0.75]))
    return [
        Outcome(item("a.jpg"), 64, 48, two),
        Outcome(item("b.jpg"), error="photos/b.jpg is empty."),
        Outcome(item("party/é.png"), 640, 480, without_points),
        Outcome(item("c.jpg"), 1, 1, Faces.empty(5)),
    ]


def write(out: Path, kind: str, given: list[Outcome] | None = None) -> tuple[Path, ...]:
    with opened(out, [kind]) as (sink,):
        for outcome in outcomes() if given is None else given:
            sink.write(outcome)
        return sink.close()


def test_json_lines_have_every_input(tmp_path: Path) -> None:
    (path,) = write(tmp_path / "out", "jsonl")
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [record["image"] for record in records] == ["a.jpg", "b.jpg", "party/é.png", "c.jpg"]
    assert records[1] == {"image": "b.jpg", "error": "photos/b.jpg is empty."}
    assert (records[0]["width"], records[0]["height"]) == (64, 48)
    np.testing.assert_array_equal(Faces.from_dict(records[0]).keypoints, POINTS)
    assert records[3]["faces"] == []


def test_csv_has_a_row_a_face(tmp_path: Path) -> None:
    (path,) = write(tmp_path, "csv")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == CSV_COLUMNS and len(rows) == 3
    assert [float(rows[1][name]) for name in ("x1", "y1", "x2", "y2", "score")] == [5.25, 6.5, 9.25, 8.5, 0.5]
    assert [float(rows[0][name]) for name in ("kx0", "ky0", "kx4", "ky4")] == [0, 1, 8, 9]
    assert rows[2]["image"] == "party/é.png" and rows[2]["kx0"] == ""


def with_points(count: int = 2) -> Faces:
    """One face with landmarks, variances and an embedding."""
    points = np.arange(2 * count).reshape(1, count, 2) + 0.25
    arrays = {"variances": np.arange(count)[None], "embeddings": np.arange(4)[None]}
    return Faces(BOXES[:1], np.array([0.9]), POINTS[:1], landmarks=points, **arrays)


def test_csv_has_columns_for_landmarks_where_there_are_any(tmp_path: Path) -> None:
    given = [Outcome(item("c.jpg"), 9, 9, Faces.empty()), Outcome(item("a.jpg"), 9, 9, with_points()), *outcomes()]
    (path,) = write(tmp_path, "csv", given)
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == (*CSV_COLUMNS, "lx0", "ly0", "lx1", "ly1", "lv0", "lv1")
    assert [float(rows[0][name]) for name in ("lx0", "ly0", "lx1", "ly1", "lv0", "lv1")] == [
        0.25,
        1.25,
        2.25,
        3.25,
        0,
        1,
    ]
    assert rows[0]["kx4"] == "8.0"
    assert {row["lx0"] for row in rows[1:]} == {""}  # an image of another kind has empty cells


def test_csv_without_faces_has_its_columns(tmp_path: Path) -> None:
    (path,) = write(tmp_path, "csv", [])
    assert path.read_text("utf-8").splitlines() == [",".join(CSV_COLUMNS)]


def test_npz_has_the_arrays_of_each_image(tmp_path: Path) -> None:
    given = [*outcomes(), Outcome(item("a.png"), 4, 4, with_points())]
    (folder,) = write(tmp_path, "npz", given)
    found = {path.relative_to(folder).as_posix(): dict(np.load(path)) for path in folder.rglob("*.npz")}
    assert set(found) == {"a.npz", "party/é.npz", "c.npz", "a-2.npz"}
    assert set(found["c.npz"]) == {"boxes", "scores", "keypoints"}
    assert found["c.npz"]["keypoints"].shape == (0, 5, 2)
    assert set(found["party/é.npz"]) == {"boxes", "scores"}
    assert all(array.dtype == np.float32 for arrays in found.values() for array in arrays.values())
    for name, array in with_points().arrays().items():
        np.testing.assert_array_equal(found["a-2.npz"][name], array)
    assert len(found["a-2.npz"]) == 6


def test_npz_has_a_file_for_each_frame(tmp_path: Path) -> None:
    clip = Clip("films/walk.mp4", 25.0)
    frames = [
        Outcome(item("films/walk.mp4", clip=clip, frame=number, seconds=number / 25), 64, 48, with_points())
        for number in (0, 1, 250)
    ]
    (folder,) = write(tmp_path, "npz", frames)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.npz"))
    assert names == [f"films/walk.mp4/{number:06d}.npz" for number in (0, 1, 250)]


def test_npz_is_the_same_to_the_byte_whenever_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    for day in (1.7e9, 1.8e9):
        monkeypatch.setattr("time.time", lambda day=day: day)
        (folder,) = write(tmp_path / str(day), "npz", [Outcome(item("a.jpg"), 9, 9, with_points(68))])
        written.append((folder / "a.npz").read_bytes())
    assert written[0] == written[1]


def test_wider_has_a_file_an_image_in_the_folder_of_its_event(tmp_path: Path) -> None:
    (folder,) = write(tmp_path, "wider", [*outcomes(), Outcome(item("a.png"), 4, 4, Faces.empty())])
    found = {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("*.txt")}
    assert found == {
        "photos/a.txt": "a\n2\n1.000 2.000 10.000 20.000 0.900000\n5.250 6.500 4.000 2.000 0.500000\n",
        "party/é.txt": "é\n1\n1.000 2.000 10.000 20.000 0.750000\n",
        "photos/c.txt": "c\n0\n",
        "photos/a-2.txt": "a\n0\n",
    }


def test_coco_results_and_the_images_of_their_ids(tmp_path: Path) -> None:
    detections, images = (json.loads(path.read_text("utf-8")) for path in write(tmp_path, "coco"))
    assert [image["id"] for image in images] == [1, 2, 3]
    assert images[1] == {"id": 2, "file_name": "party/é.png", "width": 640, "height": 480}
    assert detections[1] == {"image_id": 1, "category_id": 1, "bbox": [5.25, 6.5, 4.0, 2.0], "score": 0.5}
    assert [detection["image_id"] for detection in detections] == [1, 1, 2]


@pytest.mark.parametrize("kind", ["coco", "csv", "jsonl"])
def test_files_of_no_images_are_valid_too(tmp_path: Path, kind: str) -> None:
    for path in write(tmp_path, kind, []):
        assert path.suffix != ".json" or json.loads(path.read_text()) == []
        assert len(path.read_text().splitlines()) == {"coco": 1, "csv": 1, "jsonl": 0}[kind]


@pytest.mark.parametrize("kind", SINKS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZooError])
def test_a_run_that_fails_leaves_nothing_that_looks_finished(tmp_path: Path, kind: str, error) -> None:
    frame = Outcome(item("f.mp4", clip=Clip("f.mp4", 25), frame=0), 64, 48, Faces.empty(), "", pixels())
    with pytest.raises(error), opened(tmp_path / "new/out", [kind]) as (sink,):
        for outcome in [frame] if kind == "images" else outcomes():
            sink.write(outcome)
        raise error
    left = [path.name for path in (tmp_path / "new").rglob("*") if path.is_file()]
    each = {"wider": ".txt", "npz": ".npz"}.get(kind)  # a file an image, complete as soon as it is there
    assert sorted(left) == ([f"{stem}{each}" for stem in ("a", "c", "é")] if each else [])
    assert each or list(tmp_path.iterdir()) == []


def test_what_an_earlier_run_left_stays_when_a_later_one_fails(tmp_path: Path) -> None:
    (path,) = write(tmp_path, "jsonl")
    before = path.read_text("utf-8")
    with pytest.raises(ZooError), opened(tmp_path, ["jsonl"]) as (sink,):
        sink.write(outcomes()[0])
        raise ZooError("broken")
    assert [path.read_text("utf-8") for path in tmp_path.iterdir()] == [before]


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ZooError, match=r"Cannot make the folder .*file/out for results: Not a directory; choose"):
        write(tmp_path / "file/out", "jsonl", [])


def pixels() -> Image:
    return np.zeros((48, 64, 3), np.uint8)


def test_frames_become_videos_of_their_rate(tmp_path: Path) -> None:
    first, second = Clip("a.mp4", 10.0), Clip("deep/b.avi", 20.0)
    frames = [
        Outcome(item(clip.name, clip=clip, frame=number), 64, 48, Faces.empty(), picture=pixels())
        for clip in (first, second)
        for number in range(5)
    ]
    (folder,) = write(tmp_path, "images", [*frames, Outcome(item("deep/b.avi", clip=second), error="broken")])
    for clip in (first, second):
        video = cv2.VideoCapture(str(folder / clip.name))
        assert (video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)) == (clip.rate, 5)


def test_annotated_images_have_names_of_their_own_inside_the_folder(tmp_path: Path) -> None:
    targets = Targets(tmp_path)
    asked = ["a.jpg", "a.jpg", "b/a.JPEG", "c.gif", "../../d.png", "/etc/e.webp", "noname"]
    stored = [targets.path(item(name)).relative_to(tmp_path / "images").as_posix() for name in asked]
    assert stored == ["a.jpg", "a-2.jpg", "b/a.JPEG", "c.gif.png", "d.png", "etc/e.webp", "noname.png"]
    assert targets.path(item("a.mp4", clip=Clip("a.mp4", 25))) is None


def test_inputs_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.jpg").touch()
    for text in ("images", "images/a.jpg"):
        with pytest.raises(UsageError, match="would overwrite the input"):
            refuse_overwriting(tmp_path, [str(tmp_path / text)])
    refuse_overwriting(tmp_path, [str(tmp_path), "-", "sample:t1"])
