"""WIDER FACE's formats: against the genuine files, round trips, chains, and hostile files."""

from __future__ import annotations

import tarfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo_coco.reader import CocoReader
from zoo_coco.writer import CocoWriter
from zoo_widerface import sniff
from zoo_widerface.labelv2 import LabelV2Reader, LabelV2Writer
from zoo_widerface.lines import FACES
from zoo_widerface.mat import WiderMatReader
from zoo_widerface.matlab import load
from zoo_widerface.options import LabelReadOptions, LabelWriteOptions, MatReadOptions, WiderTextWriteOptions
from zoo_widerface.predictions import PredictionReader, PredictionWriter
from zoo_widerface.retinaface import RetinaFaceReader, RetinaFaceWriter
from zoo_widerface.widertxt import WiderTextReader, WiderTextWriter

from tests.converters.driving import append, contents, mutations, write_with_kills
from tests.converters.driving import write as drive
from tests.converters.faces import assert_same_labels, labelled, picture, read_all, walk
from zoo.datasets.beside import FILE, FOLDER
from zoo.datasets.formats import About
from zoo.datasets.sample import Annotation, Broken, EncodedImage, Sample
from zoo.errors import InputError, UsageError

FORMATS: dict[str, tuple[Any, Any, set[str]]] = {
    "wider-txt": (WiderTextReader, WiderTextWriter, {"boxes", "ignored", "attributes", "keys"}),
    "labelv2": (LabelV2Reader, LabelV2Writer, {"boxes", "ignored", "keypoints", "flags", "scores", "keys"}),
    "retinaface-txt": (RetinaFaceReader, RetinaFaceWriter, {"boxes", "keypoints", "flags", "scores", "keys"}),
    "wider-predictions": (PredictionReader, PredictionWriter, {"boxes", "scores", "keys"}),
    "coco": (CocoReader, CocoWriter, {"boxes", "keypoints", "flags", "ignored", "scores", "attributes", "keys"}),
}
SNIFFERS = {
    "wider-txt": sniff.wider_txt,
    "labelv2": sniff.labelv2,
    "retinaface-txt": sniff.retinaface_txt,
    "wider-mat": sniff.wider_mat,
    "wider-predictions": sniff.wider_predictions,
}

RETINAFACE = """\
# 0--Parade/0_Parade_marchingband_1_849.jpg
449 330 122 149 488.906 373.643 0.0 542.089 376.442 0.0 515.031 412.83 0.0 485.174 425.893 0.0 538.357 431.491 0.0 0.82
# 0--Parade/0_Parade_Parade_0_904.jpg
361 98 263 339 424.143 251.656 0.0 547.134 232.571 0.0 494.121 325.875 0.0 453.83 368.286 0.0 561.978 342.839 0.0 0.89
7 9 3 4 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 -1.0 0.5
"""
LABELV2 = """\
# a/one.jpg 640 480
10 20 30 45 11 21 0 28.5 22 1 20 30.125 0 12 40 0 -1 -1 -1
1 2 3 4 1
5 6 7 8
# a/none.png 16 16
# b two/three.jpg 32 24
0 0 9 9 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 0.75
"""
WIDER = """\
0--Parade/a.jpg
2
449 330 122 149 0 0 0 0 0 0 \n10 20 0 5 2 1 1 1 2 1 \n0--Parade/no face.jpg
0
0 0 0 0 0 0 0 0 0 0 \n1--Handshaking/b.png
1
1 2 3 4 0 0 0 0 1 0 \n"""
TEXTS = {
    "wider-txt": (WiderTextReader, WIDER),
    "labelv2": (LabelV2Reader, LABELV2),
    "retinaface-txt": (RetinaFaceReader, RETINAFACE),
}


def write(format: str, folder: Path, samples: list[Sample], options: Any = None) -> Path:
    """Write the samples into ``folder/out``, in units of seven."""
    return drive(lambda work: FORMATS[format][1](work, options), folder, samples, 7)


def label_file(tmp_path: Path, text: str | bytes, name: str = "labels.txt") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# --- the genuine files


@pytest.mark.parametrize(("setting", "kept"), [("easy", 7211), ("medium", 13319), ("hard", 31958)])
def test_the_matlab_files_have_the_published_counts(fixtures: Path, setting: str, kept: int) -> None:
    own = WiderMatReader(fixtures / "wider" / "gt" / f"wider_{setting}_val.mat")
    beside = WiderMatReader(fixtures / "wider" / "gt" / "wider_face_val.mat", MatReadOptions(setting=setting))  # type: ignore[arg-type]
    for reader in (own, beside):
        facts = reader.about().facts
        assert (facts["images"], facts["faces"], facts["degenerate boxes"], facts["events"]) == (3226, 39708, 11, 61)
        assert facts["faces"] - facts["ignored faces"] == kept
    assert sum(int((~sample.faces.ignored).sum()) for sample in read_all(beside, 1024)) == kept  # type: ignore[union-attr, operator]


def test_all_faces_count_but_the_invalid_ones(fixtures: Path) -> None:
    for path in ("wider_face_val.mat", "wider_hard_val.mat"):
        reader = WiderMatReader(fixtures / "wider" / "gt" / path, MatReadOptions(setting="all"))
        first = reader.sample(0)
        assert first.faces and first.faces.attributes and first.faces.ignored is not None
        assert (first.faces.ignored == first.faces.attributes["invalid"]).all()
        assert reader.about().facts["ignored faces"] == 585


def test_labelv2_of_the_validation_set_is_the_matlab_file_without_the_degenerate_boxes(fixtures: Path) -> None:
    reader = LabelV2Reader(fixtures / "wider" / "labelv2_val.txt")
    about = reader.about()
    assert (about.count, about.facts["faces"], about.holds) == (3226, 39697, {"boxes", "keys"})
    original = {sample.key: sample for sample in read_all(WiderMatReader(fixtures / "wider/gt/wider_face_val.mat"))}
    for sample in read_all(reader, 1000):
        boxes = original.pop(sample.key).faces.boxes  # type: ignore[union-attr]
        whole = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)  # type: ignore[index]
        np.testing.assert_array_equal(sample.faces.boxes, boxes[whole])  # type: ignore[index, union-attr]
    assert not original


def test_writing_the_genuine_labelv2_gives_the_same_bytes(fixtures: Path, tmp_path: Path) -> None:
    path = fixtures / "wider" / "labelv2_val.txt"
    assert write("labelv2", tmp_path, read_all(LabelV2Reader(path), 500)).read_bytes() == path.read_bytes()


def test_the_matlab_file_becomes_the_text_that_wider_face_has(fixtures: Path, tmp_path: Path) -> None:
    samples = read_all(WiderMatReader(fixtures / "wider" / "gt" / "wider_face_val.mat"), 1000)
    path = write("wider-txt", tmp_path, samples)
    start = "0--Parade/0_Parade_marchingband_1_465.jpg\n126\n345 211 4 4 2 0 0 0 2 0 \n331 126 3 3 0 0 0 1 0 0 \n"
    assert path.read_text().startswith(start)
    again = WiderTextReader(path)
    assert again.about().facts["degenerate boxes"] == 11
    for one, other in zip(samples, again, strict=True):
        assert isinstance(other, Sample)
        assert_same_labels(one, other, FORMATS["wider-txt"][2])


def test_genuine_predictions_are_read_and_written(fixtures: Path, tmp_path: Path) -> None:
    with tarfile.open(fixtures / "wider" / "pred" / "thflgg133__RetinaFace-optimization.tar.xz") as archive:
        members = [member for _, member in zip(range(40), archive, strict=False) if member.name.endswith(".txt")]
        archive.extractall(tmp_path, members, filter="data")
    folder = tmp_path / "widerface_txt"
    reader = PredictionReader(folder)
    assert sniff.wider_predictions(folder)[0] > 0.9
    samples = read_all(reader)
    assert len(samples) == reader.about().count == len(members)
    for sample in samples:
        lines = (folder / f"{sample.key}.txt").read_text().splitlines()
        rows = np.array([line.split() for line in lines[2:]], float).reshape(-1, 5)
        rows[:, 2:4] += rows[:, :2]
        np.testing.assert_array_equal(sample.faces.boxes, rows[:, :4])  # type: ignore[union-attr]
        np.testing.assert_array_equal(sample.faces.scores, rows[:, 4].astype(np.float32))  # type: ignore[union-attr]
    out = write("wider-predictions", tmp_path, samples)
    for path in out.rglob("*.txt"):
        original = (folder / path.relative_to(out)).read_text()
        assert path.read_text() == "".join(f"{line.rstrip()}\n" for line in original.splitlines())


# --- what the texts say


@pytest.mark.parametrize("format", TEXTS)
def test_what_was_read_is_written_as_it_stood(format: str, tmp_path: Path) -> None:
    reader, text = TEXTS[format]
    samples = read_all(reader(label_file(tmp_path, text)))
    assert write(format, tmp_path, samples).read_text() == text


@pytest.mark.parametrize("format", TEXTS)
def test_each_text_is_recognised_and_no_other_format_claims_it(format: str, tmp_path: Path) -> None:
    path = label_file(tmp_path, TEXTS[format][1])
    found = {name: sniffer(path)[0] for name, sniffer in SNIFFERS.items()}
    assert found.pop(format) >= 0.9
    assert max(found.values()) == 0.0


def test_sniffers_do_not_raise_on_anything(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    texts = ["", "\n", "#", "# \n", "a\n", "1\n2\n", "MATLAB 5.0 MAT-file", "{}", "x\n1\n", "# a.jpg 1 1"]
    for number, text in enumerate([*texts, *(rng.bytes(300).decode("latin-1") for _ in range(50))]):
        path = label_file(tmp_path, text.encode("latin-1"), f"f{number}")
        assert all(0 <= sniffer(path)[0] < 0.9 and sniffer(path)[1] for sniffer in SNIFFERS.values())
        assert all(sniffer(tmp_path / "absent")[0] == 0 for sniffer in SNIFFERS.values())
    (tmp_path / "empty").mkdir()
    assert all(sniffer(tmp_path / "empty")[0] == 0 for sniffer in SNIFFERS.values())


def test_labelv2_says_keypoints_flags_ignored_and_sizes(tmp_path: Path) -> None:
    one, none, three = read_all(LabelV2Reader(label_file(tmp_path, LABELV2)))
    assert (one.key, one.size, one.extra[FILE]) == ("a/one", (640, 480), "a/one.jpg")
    assert one.faces and one.faces.keypoints is not None and one.faces.flags is not None
    np.testing.assert_array_equal(one.faces.keypoints[0, 1], [28.5, 22])
    assert np.isnan(one.faces.keypoints[0, 4]).all() and np.isnan(one.faces.keypoints[1:]).all()
    np.testing.assert_array_equal(one.faces.flags, [[0, 1, 0, 0, -1], [np.nan] * 5, [np.nan] * 5])
    assert one.faces.ignored is not None and list(one.faces.ignored) == [False, True, False]
    assert none.faces is not None and len(none.faces) == 0
    assert three.key == "b two/three"
    assert three.faces and three.faces.scores is not None and three.faces.scores[0] == 0.75
    about = LabelV2Reader(tmp_path / "labels.txt").about()
    assert about.holds == {"boxes", "keypoints", "flags", "ignored", "scores", "keys"}
    assert about.facts["ignored faces"] == 1


def test_a_zero_face_image_may_lack_its_row_of_zeros(tmp_path: Path) -> None:
    text = WIDER.replace("0 0 0 0 0 0 0 0 0 0 \n", "").replace("\n", "\r\n")
    assert [len(sample.faces or ()) for sample in read_all(WiderTextReader(label_file(tmp_path, text)))] == [2, 0, 1]


def test_a_degenerate_box_is_kept_and_counted(tmp_path: Path) -> None:
    reader = WiderTextReader(label_file(tmp_path, WIDER))
    assert reader.about().facts["degenerate boxes"] == 1
    first = reader.sample(0)
    assert first.faces and first.faces.boxes is not None and first.faces.ignored is not None
    np.testing.assert_array_equal(first.faces.boxes[1], [10, 20, 10, 25])
    assert list(first.faces.ignored) == [False, True]


def test_ignored_faces_of_a_setting_become_invalid(tmp_path: Path) -> None:
    faces = Annotation(np.float32([[0, 0, 1, 1], [0, 0, 2, 2]]), ignored=np.array([True, False]))
    text = write("wider-txt", tmp_path, [Sample("a/b", faces=faces)]).read_text()
    assert text == "a/b.jpg\n2\n0 0 1 1 0 0 0 1 0 0 \n0 0 2 2 0 0 0 0 0 0 \n"


def test_an_attribute_that_wider_face_lacks_is_refused_or_dropped(tmp_path: Path) -> None:
    sample = Sample("a", faces=Annotation(np.zeros((1, 4), np.float32), attributes={"age": np.array([30])}))
    with pytest.raises(InputError, match="'age'"):
        write("wider-txt", tmp_path, [sample])
    path = write("wider-txt", tmp_path, [sample], options=WiderTextWriteOptions(drop_attributes=True))
    assert path.read_text().endswith("0 0 0 0 0 0 0 0 0 0 \n")


def test_labelv2_needs_sizes_and_takes_them_from_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="size"):
        write("labelv2", tmp_path, [Sample("a")])
    assert write("labelv2", tmp_path, [Sample("a", picture(20, 30))]).read_text() == "# a.jpg 20 30\n"


# --- round trips


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 20), st.sampled_from(sorted(FORMATS)))
def test_a_round_trip_keeps_what_the_format_can_say(tmp_path_factory: Any, seed: int, count: int, format: str) -> None:
    samples, (reader, _, holds) = labelled(seed, count), FORMATS[format]
    if format == "labelv2":  # of an ignored face it has the box alone
        holds = holds - {"scores"}
    path = write(format, tmp_path_factory.mktemp("trip"), samples)
    again = read_all(reader(path))
    assert len(again) == count
    for one, other in zip(samples, again, strict=True):
        assert_same_labels(one, other, holds)
    opened = reader(path)
    assert_same_labels(opened.sample(count - 1), again[-1], holds)
    assert opened.about().holds <= FORMATS[format][2] and opened.about().count == count


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.permutations(sorted(set(FORMATS) - {"wider-predictions"})))
def test_a_chain_of_formats_keeps_what_all_of_them_can_say(tmp_path_factory: Any, seed: int, order: list[str]) -> None:
    samples = labelled(seed, 9)
    sizes = {sample.key: sample.size for sample in samples}
    now, held = samples, set(FORMATS["coco"][2])
    for format in order[:3]:
        path = write(format, tmp_path_factory.mktemp("chain"), now)
        now = read_all(FORMATS[format][0](path))
        held &= FORMATS[format][2]
        if format == "labelv2":
            held -= {"scores"}
        for sample in now:  # which not every format states
            sample.size = sizes[sample.key]
    for one, other in zip(samples, now, strict=True):
        assert_same_labels(one, other, held)
        assert sorted(held) and "boxes" in held


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_no_samples_make_an_empty_set(format: str, tmp_path: Path) -> None:
    path = write(format, tmp_path, [])
    if format == "wider-predictions":
        assert not list(path.iterdir())
    else:
        assert FORMATS[format][0](path).about().count == 0


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_a_writer_that_was_killed_goes_on(format: str, tmp_path: Path) -> None:
    samples, make = labelled(5, 30), FORMATS[format][1]
    whole = write(format, tmp_path / "whole", samples)
    assert contents(write_with_kills(make, tmp_path / "killed", samples, 7)) == contents(whole)


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_a_writer_that_was_killed_while_it_finished_finishes_again(format: str, tmp_path: Path) -> None:
    samples, make = labelled(6, 9), FORMATS[format][1]
    first = make(tmp_path)
    append(first, first, 0, samples)
    state = first.state()
    first.finish()
    whole = contents(tmp_path / "out")
    again = make(tmp_path)
    again.restore(state)
    again.finish()
    assert contents(tmp_path / "out") == whole


def test_a_sample_that_cannot_be_written_leaves_the_part_as_it_was(tmp_path: Path) -> None:
    good, bad = (
        Sample("a", size=(1, 1)),
        Sample("b", size=(1, 1), faces=Annotation(np.full((1, 4), np.nan, np.float32))),
    )
    for format, (_, writer, _) in FORMATS.items():
        made = writer(tmp_path / format)
        part = made.part(0, 0)
        part.write(good)
        for broken in (bad, Sample("line\nbreak", size=(1, 1)), Sample("", size=(1, 1), extra={FILE: " x"})):
            with pytest.raises(InputError):
                part.write(broken)
        part.write(Sample("c", size=(1, 1)))
        made.append(0, part.close())
        made.finish()
    names = [sample.key for sample in read_all(CocoReader(tmp_path / "coco" / "out"))]
    assert names == ["a", "c"]
    assert (tmp_path / "labelv2" / "out").read_text() == "# a.jpg 1 1\n# c.jpg 1 1\n"
    assert sorted(path.name for path in (tmp_path / "wider-predictions" / "out").iterdir()) == ["a.txt", "c.txt"]


# --- images


def tree(folder: Path, *names: str) -> dict[str, bytes]:
    """Images below the folder, one a name."""
    made = {}
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        made[name] = picture(16, 12, seed).data
        path.write_bytes(made[name])
    return made


@pytest.mark.parametrize("place", ["labels/images", "labels", "WIDER_val/images", "images"])
def test_images_are_found_in_the_usual_places(place: str, tmp_path: Path) -> None:
    made = tree(tmp_path / place, "a/one.jpg", "a/none.png", "b two/three.jpg")
    (tmp_path / "labels").mkdir(exist_ok=True)
    reader = LabelV2Reader(label_file(tmp_path / "labels", LABELV2))
    assert reader.about().facts[FOLDER] == str(tmp_path / place)
    assert "images" in reader.about().holds
    assert [sample.image and sample.image.data for sample in read_all(reader)] == list(made.values())
    alone = LabelV2Reader(tmp_path / "labels" / "labels.txt", LabelReadOptions(images="none"))
    assert "images" not in alone.about().holds and alone.sample(0).image is None


def test_a_missing_image_is_a_broken_sample_and_a_missing_folder_an_error(tmp_path: Path) -> None:
    tree(tmp_path / "images", "a/one.jpg", "b two/three.jpg")
    good, broken = walk(LabelV2Reader(label_file(tmp_path, LABELV2)))
    assert [sample.key for sample in good] == ["a/one", "b two/three"]
    assert "a/none.png" in broken[0].why and broken[0].offset == LABELV2.index("# a/none")
    with pytest.raises(InputError, match="no folder"):
        LabelV2Reader(tmp_path / "labels.txt", LabelReadOptions(images=str(tmp_path / "no"))).about()


@pytest.mark.parametrize("format", ["wider-txt", "labelv2", "retinaface-txt", "coco"])
def test_copied_images_and_labels_are_a_folder_that_is_read_again(format: str, tmp_path: Path) -> None:
    reader, writer, holds = FORMATS[format]
    samples = labelled(8, 10)
    options = type(writer(tmp_path / "x").options)(copy_images=True)
    path = write(format, tmp_path, samples, options=options)
    assert path.is_dir()
    again = reader(path)
    assert again.about().facts[FOLDER] == str(path / "images")
    for one, other in zip(samples, again, strict=True):
        assert_same_labels(one, other, holds - {"scores"} | {"images"})
    if format in SNIFFERS:
        assert SNIFFERS[format](path)[0] >= 0.6


def test_what_lies_in_an_images_place_and_is_none_is_a_broken_sample(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("<html>404</html>")
    (tmp_path / "labelv2.txt").write_text("# a.jpg 8 8\n1 2 3 4\n# b.jpg 8 8\n")
    found = list(LabelV2Reader(tmp_path / "labelv2.txt"))
    assert [type(one) for one in found] == [Broken, Broken]
    assert "a.jpg is not an image" in found[0].why  # type: ignore[union-attr]
    assert "There is no image b.jpg" in found[1].why  # type: ignore[union-attr]


def test_copied_images_stay_in_their_folder(tmp_path: Path) -> None:
    options = LabelWriteOptions(copy_images=True)
    for number, name in enumerate(["../x.jpg", "/x.jpg", "a/../../x.jpg", "C:\\x.jpg", "..\\x.jpg", "a/" + "n" * 300]):
        writer = LabelV2Writer(tmp_path / str(number), options)
        part = writer.part(0, 0)
        with pytest.raises(InputError):
            part.write(Sample("k", picture(8, 8), (8, 8), extra={FILE: name}))
        part.close()
    assert not list(tmp_path.rglob("*.jpg"))


def test_two_images_of_one_name_are_not_mixed_up(tmp_path: Path) -> None:
    part = LabelV2Writer(tmp_path, LabelWriteOptions(copy_images=True)).part(0, 0)
    part.write(Sample("a", picture(8, 8, 1), (8, 8)))
    part.write(Sample("a", picture(8, 8, 1), (8, 8)))
    with pytest.raises(InputError, match="Two different images"):
        part.write(Sample("a", picture(8, 8, 2), (8, 8)))


def test_images_out_of_an_archive_are_not_lost_silently(tmp_path: Path) -> None:
    packed = About("detection", 1, frozenset({"boxes", "images"}))
    for _, writer, _ in FORMATS.values():
        if writer is PredictionWriter:
            continue
        with pytest.raises(UsageError, match="copy_images"):
            writer(tmp_path, None, packed)
        writer(tmp_path, type(writer(tmp_path).options)(copy_images=False), packed)
        writer(tmp_path, None, About("detection", 1, packed.holds, facts={FOLDER: "images"}))


def test_raw_pixels_are_copied_as_png(tmp_path: Path) -> None:
    raw = EncodedImage(bytes(range(48)), "raw", (4, 4, 3))
    path = write("labelv2", tmp_path, [Sample("a", raw)], options=LabelWriteOptions(copy_images=True))
    assert (path / "labelv2.txt").read_text() == "# a.png 4 4\n"
    assert (read_all(LabelV2Reader(path))[0].image.decode() == raw.decode()).all()  # type: ignore[union-attr]


# --- hostile files


def test_names_that_lead_out_of_the_folder_are_broken(tmp_path: Path) -> None:
    tree(tmp_path, "secret.jpg")
    tree(tmp_path / "images", "ok.jpg")
    names = ["ok.jpg", "../secret.jpg", "/etc/passwd", "a/../../secret.jpg", "..\\secret.jpg", "C:\\x.jpg", "./ok.jpg"]
    path = label_file(tmp_path, "".join(f"# {name} 9 9\n1 2 3 4\n" for name in names))
    for options in (None, LabelReadOptions(images="none")):
        good, broken = walk(LabelV2Reader(path, options))
        assert [sample.key for sample in good] == ["ok", "ok-6"]
        assert len(broken) == 5 and all("leads out" in one.why for one in broken)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a.jpg\n2147483648\n1 2 3 4\n", "2,147,483,648 faces"),
        ("a.jpg\n99999999999999999999999\n1 2 3 4\n", "may have 0 to"),
        ("a.jpg\n-1\n1 2 3 4\n", "-1 faces"),
        ("a.jpg\n3\n1 2 3 4\n1 2 3 4\n", "2 rows follow"),
        ("a.jpg\n1\n1 2 3 4\n1 2 3 4\n", "more rows than the 1"),
        ("a.jpg\n1 2 3 4\n", "no number of faces"),
        ("a.jpg\n", "no number of faces"),
        ("a.jpg\n1\nnan 2 3 4\n", "not within"),
        ("a.jpg\n1\n1 inf 3 4\n", "not within"),
        ("a.jpg\n1\n1 2 1e300 4\n", "not within"),
        ("a.jpg\n1\n1 2 1_0 4\n", "not of numbers"),
        ("a.jpg\n1\n1 2 3 4 5\n", "neither 4 numbers"),
        ("a.jpg\n1\n1 2 3 4 0 0 0 0 0 0.5\n", "no whole number"),
        ("a.jpg\n1\n1 2 3 " + "4" * 2000 + "\n", "longer than"),
    ],
)
def test_a_bad_wider_block_is_broken_and_the_rest_is_read(text: str, why: str, tmp_path: Path) -> None:
    after = "next/b.jpg\n1\n5 6 7 8\n"
    reader = WiderTextReader(label_file(tmp_path, "first/a.jpg\n1\n1 1 1 1\n" + text + after))
    good, broken = walk(reader)
    assert [sample.key for sample in good] == ["first/a", "next/b"]
    assert [one.offset for one in broken] == [len("first/a.jpg\n1\n1 1 1 1\n")]
    assert why in broken[0].why
    assert reader.about().count == 3 and reader.about().facts["broken images"] == 1
    with pytest.raises(InputError, match="at byte 22"):
        reader.sample(1)


def test_rows_before_the_first_name_are_broken(tmp_path: Path) -> None:
    good, broken = walk(WiderTextReader(label_file(tmp_path, "1 2 3 4\n1 2 3 4\nb.jpg\n0\n")))
    assert [sample.key for sample in good] == ["b"]
    assert ["rows stand where" in one.why for one in broken] == [True]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("# a.jpg 10\n", "width and the height"),
        ("# a.jpg\n", "width and the height"),
        ("# a.jpg 0 10\n", "width and the height"),
        ("# a.jpg -5 10\n", "width and the height"),
        ("# a.jpg 99999999999 10\n", "width and the height"),
        ("#\n", "width and the height"),
        ("# a.jpg 9 9\n1 2 3\n", "has 3 numbers"),
        ("# a.jpg 9 9\n1 2 3 nan\n", "not within"),
        ("# a.jpg 9 9\n1 2 3 x\n", "not of numbers"),
        ("# a.jpg 9 9\n" + "1 " * 40 + "\n", "has 40 numbers"),
    ],
)
def test_a_bad_labelv2_block_is_broken_and_the_rest_is_read(text: str, why: str, tmp_path: Path) -> None:
    good, broken = walk(LabelV2Reader(label_file(tmp_path, "# x.jpg 9 9\n" + text + "# y.jpg 9 9\n1 2 3 4\n")))
    assert [sample.key for sample in good] == ["x", "y"]
    assert len(broken) == 1 and why in broken[0].why and broken[0].offset == 12


def test_rows_before_the_first_name_names_in_another_encoding_and_too_many_faces(tmp_path: Path) -> None:
    path = label_file(
        tmp_path, b"1 2 3 4\n# caf\xe9.jpg\n1 2 3 4\n# many.jpg\n" + b"1 2 3 4\n" * (FACES + 1) + b"# b.jpg\n"
    )
    good, broken = walk(RetinaFaceReader(path))
    assert [sample.key for sample in good] == ["b"]
    assert [words in one.why for words, one in zip(("before", "UTF-8", "more than"), broken, strict=True)] == [True] * 3


def test_a_line_of_a_hundred_megabytes_takes_no_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "labels.txt"
    with path.open("wb") as stream:
        stream.write(b"# a.jpg 9 9\n")
        stream.seek(100 << 20)
        stream.write(b"\n# b.jpg 9 9\n1 2 3 4\n")
    tracemalloc.start()
    good, broken = walk(LabelV2Reader(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [sample.key for sample in good] == ["b"] and len(broken) == 1
    assert peak < 10 << 20


def test_one_name_many_times_gets_keys_of_its_own(tmp_path: Path) -> None:
    reader = RetinaFaceReader(label_file(tmp_path, "# same.jpg\n" * 3000))
    samples = read_all(reader, 1000)
    assert len({sample.key for sample in samples}) == 3000
    assert reader.sample(2500).key == samples[2500].key == "same-2500"
    assert reader.about().facts["names given twice"] == 2999


@pytest.mark.parametrize("format", TEXTS)
def test_a_text_cut_off_or_changed_anywhere_never_surprises(format: str, tmp_path: Path) -> None:
    make, text = TEXTS[format]
    data = text.encode()
    cases = [*(data[:length] for length in range(len(data))), *mutations(data, 400, 11)]
    for one in cases:
        reader = make(label_file(tmp_path, one))
        good, broken = walk(reader)
        assert reader.about().count == len(good) + len(broken)
        assert all(one.why and 0 <= one.offset <= len(text) + 40 for one in broken)
        pieces = [found for unit in reader.units(1) for found in reader.read(unit)]
        assert [found.key for found in pieces] == [found.key for found in reader]


def test_bad_predictions_are_broken(tmp_path: Path) -> None:
    texts = [
        "",
        "a\n",
        "a\n2\n1 2 3 4 0.5\n",
        "a\n1\n1 2 3 4\n",
        "a\n1\n1 2 3 4 nan\n",
        "a\n1\n1 2 3 4 1\nb\n1\n1 2 3 4 1\n",
    ]
    for number, text in enumerate(texts):
        label_file(tmp_path, text, f"{number}.txt")
    label_file(tmp_path, "good\n1\n1 2 3 4 0.5\n", "good.txt")
    good, broken = walk(PredictionReader(tmp_path))
    assert [sample.key for sample in good] == ["good"]
    assert len(broken) == len(texts) and all(one.why for one in broken)
    with pytest.raises(InputError, match=r"no \.txt files"):
        PredictionReader(tmp_path / "absent").about()


# --- pieces of MATLAB files


def savemat(path: Path, compressed: bool = False, **variables: Any) -> Path:
    io = pytest.importorskip("scipy.io")
    io.savemat(path, variables, do_compression=compressed)
    return path


def cells(*values: Any) -> Any:
    column = np.empty((len(values), 1), object)
    for number, value in enumerate(values):
        column[number, 0] = value
    return column


def small_mat(path: Path, compressed: bool = False, **more: Any) -> Path:
    boxes = cells(cells(np.int32([[1, 2, 3, 4], [5, 6, 0, 8]]), np.zeros((0, 0))))
    lists = {"event_list": cells("0--Parade"), "file_list": cells(cells("one", "two")), "face_bbx_list": boxes}
    return savemat(path, compressed, **{**lists, **more})


def test_a_small_matlab_file(tmp_path: Path) -> None:
    one, two = read_all(WiderMatReader(small_mat(tmp_path / "m.mat", gt_list=cells(cells(np.uint8([[2]]), [])))))
    assert (one.key, two.key) == ("0--Parade/one", "0--Parade/two")
    assert one.faces and one.faces.ignored is None and len(two.faces or ()) == 0
    easy = small_mat(tmp_path / "wider_easy_val.mat", gt_list=cells(cells(np.uint8([[2]]), [])))
    kept = WiderMatReader(easy).sample(0).faces
    assert kept and kept.ignored is not None and list(kept.ignored) == [True, False]
    with pytest.raises(InputError, match=r"wider_hard_val\.mat"):
        WiderMatReader(easy, MatReadOptions(setting="hard")).about()


def test_matlab_files_that_do_not_fit_together(tmp_path: Path) -> None:
    for name, more, why in [
        ("a", {"event_list": np.zeros(3)}, "no list of cells"),
        ("b", {"event_list": cells("x", "y")}, "different lengths"),
        ("c", {"event_list": cells(np.zeros(1))}, "something else than a name"),
        ("d", {"file_list": cells(cells("one"))}, "different lengths"),
    ]:
        with pytest.raises(InputError, match=why):
            WiderMatReader(small_mat(tmp_path / f"{name}.mat", **more)).about()
    with pytest.raises(InputError, match="no event_list"):
        WiderMatReader(savemat(tmp_path / "e.mat", x=np.zeros(2))).about()
    bad = cells(cells(np.int32([[1, 2, 3]]), np.array([[1.0, 2, np.nan, 4]])))
    good, broken = walk(WiderMatReader(small_mat(tmp_path / "f.mat", face_bbx_list=bad)))
    assert not good and len(broken) == 2
    easy = small_mat(tmp_path / "wider_easy_val.mat", gt_list=cells(cells(np.uint8([[3]]), np.uint8([[1]]))))
    assert len(walk(WiderMatReader(easy))[1]) == 2


def test_matlab_files_that_claim_too_much_are_refused(tmp_path: Path) -> None:
    def refused(data: bytes, why: str) -> None:
        with pytest.raises(InputError, match=why):
            WiderMatReader(label_file(tmp_path, data, "x.mat")).about()

    small = small_mat(tmp_path / "p.mat").read_bytes()
    refused(b"", "no MATLAB file")
    refused(b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n", "7.3")
    refused(savemat(tmp_path / "s.mat", x={"a": 1}).read_bytes(), "class 2")
    dims = small.index((1).to_bytes(4, "little") * 2, 128)  # of event_list: 1 x 1 cells
    refused(small[:dims] + (2**31 - 1).to_bytes(4, "little") + small[dims + 4 :], "2,147,483,647 cells")
    refused(small[:132] + (2**31).to_bytes(4, "little") + small[136:], "2,147,483,648 bytes")
    nested = cells("deep")
    for _ in range(6):
        nested = cells(nested)
    refused(savemat(tmp_path / "n.mat", x=nested).read_bytes(), "cells within cells")


def test_a_matlab_file_that_inflates_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo_widerface.matlab.LARGEST", 1 << 16)
    bomb = savemat(tmp_path / "b.mat", True, x=np.zeros((1 << 16, 4)))
    with pytest.raises(InputError, match="becomes larger"):
        WiderMatReader(bomb).about()


@pytest.mark.parametrize("compressed", [False, True])
def test_a_matlab_file_cut_off_or_changed_anywhere_never_surprises(compressed: bool, tmp_path: Path) -> None:
    data = small_mat(tmp_path / "m.mat", compressed).read_bytes()
    cases = [data[:length] for length in range(0, len(data), 3)]
    for one in (*cases, *(data[:124] + body for body in mutations(data[124:], 400, 12))):
        reader = WiderMatReader(label_file(tmp_path, one, "x.mat"))
        try:
            good, broken = walk(reader)
        except InputError as error:
            assert "x.mat" in str(error)
        else:
            assert reader.about().count == len(good) + len(broken)


def plain(value: Any) -> Any:
    """What scipy gives for a value of ours."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value if isinstance(value, str) else np.asarray(value).tolist()


def as_scipy_has_it(value: Any) -> Any:
    if value.dtype == object:
        return [as_scipy_has_it(one) for one in value.ravel(order="F")]
    return (value.item() if value.size else "") if value.dtype.kind == "U" else value.tolist()


@pytest.mark.parametrize("name", ["wider_face_val", "wider_easy_val", "wider_medium_val", "wider_hard_val"])
def test_the_genuine_matlab_files_are_read_as_scipy_reads_them(fixtures: Path, name: str) -> None:
    path = fixtures / "wider" / "gt" / f"{name}.mat"
    wanted = pytest.importorskip("scipy.io").loadmat(path)
    found = load(path)
    assert set(found) == {name for name in wanted if not name.startswith("__")}
    for variable, value in found.items():
        assert plain(value) == as_scipy_has_it(wanted[variable]), variable


@pytest.mark.parametrize("compressed", [False, True])
def test_all_kinds_of_numbers_and_texts_are_read_as_scipy_reads_them(compressed: bool, tmp_path: Path) -> None:
    kinds = {f"x{code}": np.arange(6).reshape(3, 2).astype(code) for code in "bBhHiIqQfd"}
    more = {"text": np.array("Füße 面"), "deep": cells(cells("a", np.zeros((0, 4))), 2.5), "cube": np.ones((2, 3, 4))}
    path = savemat(tmp_path / "k.mat", compressed, **kinds, **more)
    wanted = pytest.importorskip("scipy.io").loadmat(path)
    found = load(path)
    assert {name: plain(value) for name, value in found.items()} == {
        name: as_scipy_has_it(wanted[name]) for name in (*kinds, *more)
    }


def test_units_are_the_same_whatever_their_size(tmp_path: Path) -> None:
    path = write("labelv2", tmp_path, labelled(9, 25))
    whole = [sample.key for sample in read_all(LabelV2Reader(path), 1000)]
    for size in (1, 4, 25):
        units = list(LabelV2Reader(path).units(size))
        assert all(before.stop == after.start for before, after in pairwise(units))
        fresh = [sample for unit in units for sample in LabelV2Reader(path).read(unit)]
        assert [sample.key for sample in fresh] == whole
