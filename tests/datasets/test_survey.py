"""What a survey finds, on sets whose every number is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.lines import SPEC, LinesOptions, grey, numbered, write
from zoo.datasets import survey as module
from zoo.datasets.counting import Counts, Histogram
from zoo.datasets.dataset import Dataset
from zoo.datasets.sample import RAW, Annotation, Broken, EncodedImage, Sample
from zoo.datasets.survey import Survey, survey


def test_a_set_of_people(tmp_path: Path) -> None:
    lines = ["a 4 6 amy 1", "b 4 6 amy 1", "c 8 6 amy 2", "d 16 6 raj 3", "e broken", "f 4 6 raj 1"]
    found = survey(Dataset(write(tmp_path / "set", *lines), SPEC), None).to_dict()
    json.dumps(found)
    assert found["looked_at"] == {"samples": 6, "everything": True, "pixels": False}
    people = found["identities"]
    assert (people["count"], people["images"]) == (2, {"min": 2, "median": 2.5, "max": 3})
    assert people["most"] == {"amy": 3, "raj": 2}
    images = found["images"]
    assert (images["count"], images["formats"], images["sizes"]) == (5, {"PNG": 5}, 3)
    assert images["commonest"] == {"4x6": 3, "16x6": 1, "8x6": 1}
    assert images["longer_side"]["histogram"] == {"4-7": 3, "8-15": 1, "16-31": 1}
    assert images["bytes"]["max"] == max(len(grey(4, 6, 1)), len(grey(8, 6, 2)), len(grey(16, 6, 3)))
    assert images["duplicates"] == {"count": 2, "samples": [[0, 1, 5]]}
    assert found["faces"]["count"] == 5
    assert found["faces"]["an_image"]["histogram"] == {"1": 5}
    [broken] = found["broken"]["first"]
    assert broken.items() >= {"key": "e", "why": "its line says so", "offset": 4}.items()


def test_a_quick_look_says_that_it_is_one(tmp_path: Path) -> None:
    path = numbered(tmp_path / "set", 30)
    assert survey(Dataset(path, SPEC), 10).to_dict()["looked_at"] == {
        "samples": 10,
        "everything": False,
        "pixels": False,
    }
    assert survey(Dataset(path, SPEC), 30).complete
    assert survey(Dataset(path, SPEC, LinesOptions(stream=True)), 31).complete


def test_images_that_cannot_be_used_are_broken_samples_and_counted_nowhere_else() -> None:
    whole = grey(40, 40, 1)
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF  # the checksum of its chunk tells
    found = Survey()
    for key, data in {"cut": whole[:-20], "text": b"no image", "empty": b"", "damaged": bytes(damaged)}.items():
        found.add(Sample(key, EncodedImage(data), identity=1))
    found.add(Sample("raw", EncodedImage(b"123", RAW, (1, 2, 3))))
    told = found.to_dict()
    assert set(told) == {"looked_at", "broken"}
    assert told["broken"]["count"] == 5
    reasons = {broken["key"]: broken["why"] for broken in told["broken"]["first"]}
    assert reasons["cut"] == "its image is a truncated or damaged PNG file."
    assert reasons["empty"] == "its image is empty."
    assert "3 bytes of pixels are not 2 x 1 x 3" in reasons["raw"]


def test_a_broken_sample_always_has_a_key_and_a_reason() -> None:
    found = Survey()
    found.add(Broken("", "it has no name"))
    assert found.to_dict()["broken"]["first"] == [{"key": "", "why": "it has no name"}]


def test_only_decoding_finds_damage_inside_pixels(fixtures: Path) -> None:
    data = bytearray((fixtures / "images" / "insightface_t1.jpg").read_bytes())
    header = data.find(b"\xff\xc0")
    data[header + 4] = 12  # 12 bits a sample: a whole file that the decoder does not know
    for decode in (False, True):
        found = Survey(decode)
        found.add(Sample("a", EncodedImage(bytes(data))))
        assert found.broken_count == int(decode)


def test_faces_boxes_points_and_attributes() -> None:
    nan = np.full((1, 5, 2), np.nan, np.float32)
    half = nan.copy()
    half[0, :2] = 3
    found = Survey()
    boxes = np.array([[0, 0, 10, 10], [5, 5, 5, 9], [0, 0, 40, 10], [0, 0, np.nan, 1], [0, 0, np.inf, 1]], np.float32)
    keypoints = np.concatenate([np.ones((3, 5, 2), np.float32), half, nan])
    flags = np.array([[0, 0, 0, 0, 1]] * 5, np.float32)
    ignored = np.array([True, False, True, False, False])
    blur = {"blur": np.array([0, 2, 2, 2, 1])}
    found.add(Sample("a", faces=Annotation(boxes, keypoints, flags, ignored=ignored, attributes=blur)))
    found.add(Sample("b", faces=Annotation(landmarks=np.zeros((2, 68, 2), np.float32))))
    found.add(Sample("c", faces=Annotation(boxes=np.zeros((0, 4), np.float32))))
    told = found.to_dict()
    assert told["images"] == {"without_image": 3}
    faces = told["faces"]
    assert (faces["count"], faces["degenerate"], faces["ignored"]) == (7, 3, 2)
    assert faces["an_image"]["histogram"] == {"0": 1, "2-3": 1, "4-7": 1}
    assert faces["box_side"] == {"min": 10, "mean": 15, "max": 20, "histogram": {"8-15": 1, "16-31": 1}}
    assert faces["faces_with_keypoints"] == {"all": 3, "none": 1, "some": 1}
    assert faces["keypoint_flags"] == {"0": 20, "1": 5}
    assert faces["landmarks_a_face"] == {"68": 2}
    assert faces["attributes"] == {"blur": {"2": 3, "0": 1, "1": 1}}


def test_pairs_are_counted_once() -> None:
    found = Survey()
    for pair, same in enumerate([True, False, True, None]):
        found.add(Sample("a", pair=pair, same=same))
        found.add(Sample("b", pair=pair, same=same))
    assert found.to_dict()["pairs"] == {"same": 2, "different": 1, "unknown": 1}


def test_memory_is_bounded_and_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HASHES", 3)
    monkeypatch.setattr("zoo.datasets.counting.DISTINCT", 2)
    found = Survey()
    for number in range(6):
        found.add(Sample(str(number), EncodedImage(grey(3, 3, number // 2)), identity=number))
    for _ in range(50):
        found.add(Broken("x", "broken"))
    told = found.to_dict()
    assert told["images"]["duplicates"] == {"count": 1, "samples": [[0, 1]], "looked_for_among": 3}
    assert told["identities"]["not_told_apart"] == 4
    assert (told["broken"]["count"], len(told["broken"]["first"])) == (50, module.SHOWN)


def test_counts_and_histograms() -> None:
    counts, histogram = Counts(), Histogram()
    assert histogram.to_dict() == counts.to_dict() == {}
    counts.add_all(range(150))
    assert counts.to_dict()["other"] == 50
    histogram.add_all([0, 0.5, 1, 2, 3, 4, 1000])
    assert histogram.to_dict() == {
        "min": 0,
        "mean": 144.36,
        "max": 1000,
        "histogram": {"0": 2, "1": 1, "2-3": 2, "4-7": 1, "512-1023": 1},
    }
