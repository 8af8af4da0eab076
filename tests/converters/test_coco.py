"""COCO: what the documents say, round trips, detections of `zoo run`, and hostile JSON."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo_coco.elements import LARGEST
from zoo_coco.index import FACES
from zoo_coco.options import CocoReadOptions, CocoWriteOptions
from zoo_coco.reader import CocoReader
from zoo_coco.sniff import sniff
from zoo_coco.writer import CocoWriter

from tests.converters.driving import contents, mutations, write, write_with_kills
from tests.converters.faces import assert_same_labels, labelled, picture, read_all, walk
from zoo.conversion.plan import make_plan
from zoo.datasets.beside import FILE, FOLDER
from zoo.datasets.sample import Annotation, Sample
from zoo.errors import InputError
from zoo.inference.outcome import Outcome
from zoo.inference.sinks import Coco
from zoo.inference.sources import Item
from zoo.types import Faces

HOLDS = {"boxes", "keypoints", "flags", "ignored", "scores", "attributes", "keys"}
POINTS = [11, 21, 2, 28.5, 22, 1, 20, 30.125, 2, 12, 40, 2, 0, 0, 0]
DOCUMENT = {
    "info": {"description": "Gesichter, naïve"},
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 1, "bbox": [10, 20, 20, 25.5], "keypoints": POINTS, "score": 0.25},
        {"id": 2, "image_id": 9, "category_id": 2, "bbox": [1, 2, 3, 4]},
        {"id": 3, "image_id": 7, "category_id": 1, "bbox": [5, 6, 0, 8], "iscrowd": 1, "segmentation": [[1, 2, 3]]},
        {"id": 4, "image_id": 404, "category_id": 1, "bbox": [1, 1, 1, 1]},
    ],
    "categories": [{"id": 1, "name": "face"}, {"id": 2, "name": "naïve"}],
    "images": [
        {"id": 9, "file_name": "b/zwölf.png"},
        {"id": 7, "file_name": "a/one.jpg", "width": 640, "height": 480},
        {"id": 8, "file_name": "a/none.jpg", "width": 16, "height": 16},
    ],
}


def document(tmp_path: Path, value: Any, name: str = "labels.json", **options: Any) -> Path:
    path = tmp_path / name
    path.write_text(value if isinstance(value, str) else json.dumps(value, **options), encoding="utf-8")
    return path


def changed(**more: Any) -> dict[str, Any]:
    return {**DOCUMENT, **more}


@pytest.mark.parametrize("options", [{}, {"indent": 2}, {"ensure_ascii": False, "separators": (",", ":")}])
def test_a_document_says_images_boxes_keypoints_crowds_and_scores(tmp_path: Path, options: dict[str, Any]) -> None:
    reader = CocoReader(document(tmp_path, DOCUMENT, **options))
    zwoelf, one, none = read_all(reader)
    assert [sample.key for sample in (zwoelf, one, none)] == ["b/zwölf", "a/one", "a/none"]
    assert (zwoelf.extra[FILE], zwoelf.size, one.size) == ("b/zwölf.png", None, (640, 480))
    faces = one.faces
    assert faces and faces.keypoints is not None and faces.flags is not None and faces.scores is not None
    np.testing.assert_array_equal(faces.boxes, [[10, 20, 30, 45.5], [5, 6, 5, 14]])
    np.testing.assert_array_equal(faces.ignored, [False, True])
    np.testing.assert_array_equal(faces.flags, [[0, 1, 0, 0, -1], [np.nan] * 5])
    np.testing.assert_array_equal(faces.keypoints[0, :2], [[11, 21], [28.5, 22]])
    assert np.isnan(faces.keypoints[0, 4]).all() and np.isnan(faces.keypoints[1]).all()
    np.testing.assert_array_equal(faces.scores, np.float32([0.25, np.nan]))
    about = reader.about()
    assert about.count == 3 and about.holds == HOLDS - {"attributes"} | {"masks"}
    assert about.facts["faces with a segmentation, which is left out"] == 1
    assert about.facts["faces"] == 3 and about.facts["categories"] == ["face", "naïve"]
    assert about.facts["annotations without an image, which are left out"] == 1


def test_one_category_by_name_or_number(tmp_path: Path) -> None:
    path = document(tmp_path, DOCUMENT)
    for category, counts in [("face", [0, 2, 0]), ("2", [1, 0, 0]), ("naïve", [1, 0, 0])]:
        reader = CocoReader(path, CocoReadOptions(category=category))
        assert [len(sample.faces or ()) for sample in read_all(reader)] == counts
    assert CocoReader(path, CocoReadOptions(category="2")).about().holds == {"boxes", "keys"}
    with pytest.raises(InputError, match="no category cat; it has: face, naïve"):
        CocoReader(path, CocoReadOptions(category="cat")).about()


def test_keypoints_of_a_person_are_left_out_and_counted(tmp_path: Path) -> None:
    person = [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "keypoints": [1, 2, 2] * 17}]
    reader = CocoReader(document(tmp_path, changed(annotations=person)))
    assert reader.about().holds == {"boxes", "keys", "other"}
    assert reader.about().facts["faces with other keypoints than five, which are left out"] == 1
    assert reader.sample(1).faces and reader.sample(1).faces.keypoints is None  # type: ignore[union-attr]


def test_attributes_that_all_faces_have(tmp_path: Path) -> None:
    faces = [{"blur": 1, "occluded": True, "name": "x", "one": 1}, {"blur": 0, "occluded": False, "name": "y"}]
    rows = [
        {"id": n, "image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "attributes": a} for n, a in enumerate(faces)
    ]
    reader = CocoReader(document(tmp_path, changed(annotations=rows)))
    found = reader.sample(1).faces
    assert found and found.attributes
    assert {name: values.tolist() for name, values in found.attributes.items()} == {"blur": [1, 0], "occluded": [1, 0]}
    assert reader.about().holds == {"boxes", "attributes", "other", "keys"}
    assert reader.about().facts["faces with attributes that are no whole numbers, which are left out"] == 2


def test_what_is_left_out_is_named_as_a_loss(tmp_path: Path) -> None:
    path = document(tmp_path, DOCUMENT)
    for target, lost in (
        ("coco", {"masks"}),
        ("labelv2", {"masks"}),
        ("wider-txt", {"masks", "keypoints", "flags", "scores"}),
    ):
        assert set(make_plan(path, tmp_path / "out", {}, target_format=target).lost) == lost


# --- detections


def detections(folder: Path) -> Path:
    """What ``zoo run ... outputs=coco`` writes."""
    found = [
        {"image_id": 1, "category_id": 1, "bbox": [1.5, 2, 3, 4], "score": 0.9},
        {"image_id": 3, "category_id": 1, "bbox": [5, 6, 7, 8], "score": 0.5},
        {"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.4},
    ]
    images = [{"id": n, "file_name": f"d/{n}.jpg", "width": 20, "height": 10} for n in (1, 2, 3)]
    document(folder, images, "coco_images.json")
    return document(folder, found, "coco.json")


def test_detections_are_read_with_the_images_beside_them(tmp_path: Path) -> None:
    reader = CocoReader(detections(tmp_path))
    samples = read_all(reader, 2)
    assert [(sample.key, len(sample.faces or ())) for sample in samples] == [("d/1", 2), ("d/2", 0), ("d/3", 1)]
    np.testing.assert_array_equal(samples[0].faces.scores, np.float32([0.9, 0.4]))  # type: ignore[union-attr]
    assert samples[1].size == (20, 10)
    assert reader.about().holds == {"boxes", "scores", "keys"}
    assert sniff(tmp_path / "coco.json")[0] == 0.9
    assert sniff(tmp_path / "coco_images.json")[0] < 0.5


def test_detections_of_images_that_nothing_describes_are_named_by_number(tmp_path: Path) -> None:
    detections(tmp_path)
    alone = tmp_path / "coco.json"
    alone = alone.rename(tmp_path / "other.json")
    samples = read_all(CocoReader(alone))
    assert [(sample.key, sample.extra, len(sample.faces or ())) for sample in samples] == [("1", {}, 2), ("3", {}, 1)]
    named = CocoReader(alone, CocoReadOptions(image_list=str(tmp_path / "coco_images.json")))
    assert [sample.key for sample in named] == ["d/1", "d/2", "d/3"]  # type: ignore[union-attr]
    whole = document(tmp_path, changed(images=[{"id": 3, "file_name": "x.jpg"}]), "truth.json")
    truth = CocoReader(alone, CocoReadOptions(image_list=str(whole)))
    assert [sample.key for sample in read_all(truth)] == ["x"]
    assert truth.about().facts["annotations without an image, which are left out"] == 2
    texts = document(tmp_path, [{"image_id": "a/b.jpg", "bbox": [1, 2, 3, 4], "score": 1}], "texts.json")
    assert [sample.key for sample in read_all(CocoReader(texts))] == ["a/b"]


def test_what_zoo_run_writes_is_read(tmp_path: Path) -> None:
    faces = Faces(np.float32([[1, 2, 4.25, 8]]), np.float32([0.75]))
    with contextlib.ExitStack() as files:
        sink = Coco(tmp_path, files)
        for name in ("x/one.jpg", "two.png"):
            sink.write(Outcome(Item(name, name, picture(9, 9).decode), 30, 20, faces))
        sink.close()
    one, two = read_all(CocoReader(tmp_path / "coco.json"))
    assert (one.key, two.key, one.size) == ("x/one", "two", (30, 20))
    np.testing.assert_array_equal(one.faces.boxes, faces.boxes)  # type: ignore[union-attr]


# --- round trips


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 20))
def test_a_round_trip_keeps_everything(tmp_path_factory: Any, seed: int, count: int) -> None:
    samples = labelled(seed, count)
    path = write(CocoWriter, tmp_path_factory.mktemp("trip"), samples, 7)
    reader = CocoReader(path)
    for found, wanted in zip(read_all(reader, 3), samples, strict=True):
        assert_same_labels(found, wanted, HOLDS)
        assert found.size == wanted.size
    assert reader.about().count == count


def test_what_is_written_is_what_other_programs_expect(tmp_path: Path) -> None:
    samples = labelled(2, 10)
    path = write(CocoWriter, tmp_path, samples, 4)
    found = json.loads(path.read_text("utf-8"))
    assert [image["id"] for image in found["images"]] == list(range(1, 11))
    assert [face["id"] for face in found["annotations"]] == list(range(1, len(found["annotations"]) + 1))
    assert len(found["annotations"]) == sum(len(sample.faces or ()) for sample in samples)
    by_image = {image["id"]: image["file_name"].rpartition(".")[0] for image in found["images"]}
    counts = dict.fromkeys(by_image.values(), 0)
    for face in found["annotations"]:
        counts[by_image[face["image_id"]]] += 1
        assert face["category_id"] == 1 and face["iscrowd"] in (0, 1)
        assert face["area"] == pytest.approx(face["bbox"][2] * face["bbox"][3])
        if "keypoints" in face:
            assert face["num_keypoints"] == sum(said > 0 for said in face["keypoints"][2::3])
    assert counts == {sample.key: len(sample.faces or ()) for sample in samples}
    assert found["categories"][0]["name"] == "face" and len(found["categories"][0]["keypoints"]) == 5


def test_units_and_kills_do_not_change_a_byte(tmp_path: Path) -> None:
    samples = labelled(3, 25)
    whole = contents(write(CocoWriter, tmp_path / "whole", samples, 25))
    assert contents(write(CocoWriter, tmp_path / "units", samples, 3)) == whole
    assert contents(write_with_kills(CocoWriter, tmp_path / "kills", samples, 4)) == whole


def test_the_category_and_names_may_be_any_text(tmp_path: Path) -> None:
    name = 'q"uote\\back 面'
    path = write(lambda work: CocoWriter(work, CocoWriteOptions(category=name)), tmp_path, [Sample("面/x")], 1)
    assert json.loads(path.read_text("utf-8"))["categories"][0]["name"] == name
    assert read_all(CocoReader(path))[0].key == "面/x"


def test_a_flag_of_another_format_is_visible_or_covered(tmp_path: Path) -> None:
    points = np.ones((2, 5, 2), np.float32)
    for flags, wanted in [(None, [[0] * 5] * 2), (np.float32([[0, 1, 2, -1, 0.5]] * 2), [[0, 1, 1, 1, 1]] * 2)]:
        faces = Annotation(np.zeros((2, 4), np.float32), points, flags)
        path = write(CocoWriter, tmp_path / str(flags is None), [Sample("a", faces=faces)], 1)
        np.testing.assert_array_equal(read_all(CocoReader(path))[0].faces.flags, wanted)  # type: ignore[union-attr]


def test_numbers_that_json_does_not_have_are_refused(tmp_path: Path) -> None:
    part = CocoWriter(tmp_path).part(0, 0)
    for boxes, points, scores in [(np.nan, 0, 0), (np.inf, 0, 0), (0, np.inf, 0), (0, 0, np.inf), (1e9, 0, 0)]:
        faces = Annotation(np.full((1, 4), boxes, np.float32), np.full((1, 5, 2), points, np.float32))
        faces.scores = np.float32([scores])
        with pytest.raises(InputError):
            part.write(Sample("a", faces=faces))
    with pytest.raises(InputError, match="no boxes"):
        part.write(Sample("a", faces=Annotation(scores=np.ones(1, np.float32))))


def test_images_are_found_beside_the_document(tmp_path: Path) -> None:
    for place in ("val2017", "annotations/images", "x/images"):
        folder = tmp_path / place.replace("/", "_") / place
        for number, name in enumerate(["a/one.jpg", "a/none.jpg", "b/zwölf.png"]):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(picture(9, 9, number).data)
        labels = tmp_path / place.replace("/", "_") / "annotations"
        labels.mkdir(exist_ok=True)
        options = CocoReadOptions(images=str(folder) if place == "x/images" else "")
        reader = CocoReader(document(labels, DOCUMENT), options)
        assert reader.about().facts[FOLDER] == str(folder)
        assert reader.sample(1).image == picture(9, 9, 0)


# --- hostile documents


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "neither a JSON object nor a list"),
        ("7", "neither a JSON object nor a list"),
        ('{"a": 1}', "no list of images"),
        ('{"images": [}', "byte 12"),
        ('{"images": [{"id": 1},]}', "a comma ends the list"),
        ('{"images": [],}', "a comma ends the object"),
        ('{"images": []', "the file ends where"),
        ('{"images": [] "annotations": []}', "',' is missing"),
        ('{"images": [], "images": []}', "there before"),
        ('{"images": []} {}', "something follows"),
        ('{"images": [{"id": 1}, {"id": 1}]}', "that of an image before"),
        ('{"images": [{"file_name": "x"}]}', "should be the number"),
        ('{"images": [{"id": true}]}', "should be the number"),
        ('{"images": [{"id": 99999999999999999999}]}', "should be the number"),
        ('{"images": [5]}', "should be the number"),
        ('{"images": [], "annotations": [{"bbox": [1,2,3,4]}]}', "should be the number"),
        ('{"images": [], "annotations": [[1]]}', "should be the number"),
        ('{"images": ' + "[" * 100_000, "nested too deeply"),
        ('{"images": [{"id": ' + "[" * 100_000, "nested too deeply"),
        ('{"images": [], "x": ' + "9" * 5000 + "}", "byte 20"),
        ('{"images": [{"id": 1, "file_name": "' + "x" * LARGEST, "4 MiB"),
        ("[[1, 2]]", "should be the number"),
    ],
)
def test_a_bad_document_is_refused_with_the_place(text: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=why):
        CocoReader(document(tmp_path, text)).about()


@pytest.mark.parametrize(
    ("face", "why"),
    [
        ({}, "bbox"),
        ({"bbox": [1, 2, 3]}, "bbox"),
        ({"bbox": [1, 2, 3, None]}, "bbox"),
        ({"bbox": [1, 2, 3, True]}, "bbox"),
        ({"bbox": [1, 2, 3, float("nan")]}, "bbox"),
        ({"bbox": [1, 2, 3, float("inf")]}, "bbox"),
        ({"bbox": [1, 2, 3, 10**400]}, "bbox"),
        ({"bbox": [1, 2, 3, 4], "score": "high"}, "score"),
        ({"bbox": [1, 2, 3, 4], "keypoints": [None] * 15}, "keypoints"),
    ],
)
def test_a_bad_annotation_breaks_its_image_alone(face: dict[str, Any], why: str, tmp_path: Path) -> None:
    rows = [{"image_id": 9, "bbox": [1, 2, 3, 4]}, {"image_id": 7, **face}]
    good, broken = walk(CocoReader(document(tmp_path, changed(annotations=rows))))
    assert [sample.key for sample in good] == ["b/zwölf", "a/none"]
    assert len(broken) == 1 and why in broken[0].why


def test_names_that_lead_out_of_the_folder_are_broken(tmp_path: Path) -> None:
    images = [{"id": n, "file_name": name} for n, name in enumerate(["../x.jpg", "/etc/passwd", "ok.jpg", "ok.jpg"])]
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "ok.jpg").write_bytes(picture(9, 9).data)
    (tmp_path / "x.jpg").write_bytes(b"secret")
    good, broken = walk(CocoReader(document(tmp_path, {"images": images})))
    assert [sample.key for sample in good] == ["ok", "ok-3"]
    assert all("leads out" in one.why for one in broken)


def test_text_that_is_not_utf8_breaks_its_image(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b'{"images": [{"id": 1, "file_name": "caf\xe9.jpg"}, {"id": 2, "file_name": "b.jpg"}]}')
    good, broken = walk(CocoReader(path))
    assert [sample.key for sample in good] == ["b"] and "UTF-8" in broken[0].why


def test_too_many_faces_of_one_image(tmp_path: Path) -> None:
    face = '{"image_id": 1, "bbox": [1,2,3,4]}'
    path = document(tmp_path, '{"images": [{"id": 1}], "annotations": [' + ",".join([face] * (FACES + 1)) + "]}")
    with pytest.raises(InputError, match="65,536"):
        CocoReader(path).about()


@pytest.mark.parametrize("indent", [None, 1])
def test_a_document_cut_off_or_changed_anywhere_never_surprises(indent: int | None, tmp_path: Path) -> None:
    data = json.dumps(DOCUMENT, indent=indent, ensure_ascii=False).encode()
    path = tmp_path / "x.json"
    for case in (*(data[:length] for length in range(len(data))), *mutations(data, 400, 5)):
        path.write_bytes(case)
        assert 0 <= sniff(path)[0] <= 1
        reader = CocoReader(path)
        try:
            good, broken = walk(reader)
        except InputError as error:
            assert "x.json" in str(error)
        else:
            assert reader.about().count == len(good) + len(broken)


def test_memory_is_a_small_part_of_a_large_document(tmp_path: Path) -> None:
    path, count = tmp_path / "large.json", 20_000
    with path.open("w") as stream:
        stream.write('{"images": [')
        stream.write(",".join(f'{{"id": {n}, "file_name": "f/{n}.jpg"}}' for n in range(1000)))
        stream.write('], "annotations": [')
        segment = str(list(range(100)))
        rows = (f'{{"id":{n},"image_id":{n % 1000},"bbox":[1,2,3,{n}],"segmentation":{segment}}}' for n in range(count))
        stream.writelines(row + ("," if n < count - 1 else "") for n, row in enumerate(rows))
        stream.write("]}")
    tracemalloc.start()
    reader = CocoReader(path)
    last = reader.sample(999)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert last.faces and last.faces.boxes is not None and last.faces.boxes[-1, 3] == 2 + count - 1
    assert peak < path.stat().st_size / 3


# --- telling it


def test_what_is_coco_and_what_is_not(tmp_path: Path) -> None:
    assert sniff(document(tmp_path, DOCUMENT))[0] == 0.95
    assert sniff(document(tmp_path, {"info": "x" * 200_000, **DOCUMENT}))[0] == 0.95
    for text in ("", "{}", "[]", "[1]", '{"a": {}}', "# a.jpg 1 1", '[{"x": 1}]'):
        assert sniff(document(tmp_path, text, "no.json"))[0] == 0.0
    assert sniff(tmp_path)[0] == 0.0 and sniff(tmp_path / "absent")[0] == 0.0


def test_a_folder_with_labels_and_images_is_read_as_one(tmp_path: Path) -> None:
    samples = labelled(4, 6)
    path = write(lambda work: CocoWriter(work, CocoWriteOptions(copy_images=True)), tmp_path, samples, 4)
    assert sniff(path)[0] == 0.95
    reader = CocoReader(path)
    assert "images" in reader.about().holds
    for found, wanted in zip(read_all(reader), samples, strict=True):
        assert_same_labels(found, wanted, HOLDS | {"images"})
