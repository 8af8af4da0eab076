"""The folder formats: genuine sets, the originals' conventions by hand, round trips, faults."""

from __future__ import annotations

import io
import struct
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo_folders import sniff
from zoo_folders.facesynthetics import FaceSyntheticsReader, FaceSyntheticsWriter, window_corner
from zoo_folders.identities import IdentityReader, IdentityWriter
from zoo_folders.identitylist import IdentityListReader
from zoo_folders.options import (
    FaceSyntheticsReadOptions,
    FaceSyntheticsWriteOptions,
    IdentityReadOptions,
    IdentityWriteOptions,
    PatchWriteOptions,
    SidecarWriteOptions,
)
from zoo_folders.patches import PatchReader, PatchWriter
from zoo_folders.sidecars import SidecarReader, SidecarWriter

from tests.converters.driving import contents, mutations, write, write_with_kills
from tests.converters.pictures import picture, read_all
from tests.converters.samples import assert_same, random_sample
from zoo import names
from zoo.conversion.plan import make_plan, require_possible
from zoo.datasets.formats import About, Writer
from zoo.datasets.recognise import recognise
from zoo.datasets.sample import RAW, Annotation, Broken, EncodedImage, Sample
from zoo.errors import InputError, UsageError, ZooError

UNCUT = PatchWriteOptions(crop="none")
FORMATS: dict[str, tuple[Any, Any, Any]] = {
    "image-boxes-landmarks": (SidecarReader, SidecarWriter, None),
    "facesynthetics": (FaceSyntheticsReader, FaceSyntheticsWriter, None),
    "npts-patches": (PatchReader, PatchWriter, UNCUT),
}
formats = pytest.mark.parametrize("name", FORMATS)


def write_all(writer: Writer, samples: list[Sample], unit: int = 7) -> None:
    """Write a set with this writer alone."""
    write(lambda _: writer, writer.work, samples, unit)


def face(count: int = 68, seed: int = 0, number: int = 0) -> Sample:
    """A PNG of 40 x 32 with one face of `count` landmarks."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 30, (1, count, 2)).round(3).astype(np.float32)
    boxes = np.array([[2, 3, 22.5, 31]], np.float32)
    return Sample(f"{number:06d}", picture(40, 32, seed, ".png"), faces=Annotation(boxes, landmarks=points))


def landmarks(sample: Sample) -> np.ndarray[Any, Any]:
    assert sample.faces is not None
    assert sample.faces.landmarks is not None
    return sample.faces.landmarks


def test_the_genuine_people(fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / "identities"
    assert recognise(source)[0].name == "identity-folders"
    reader = IdentityReader(source)
    about = reader.about()
    samples = read_all(reader)
    assert (about.count, len(samples)) == (40, 40)
    assert about.classes == ("amy", "bernadette", "howard", "leonard", "penny", "raj", "sheldon", "stuart")
    assert [sample.key for sample in samples[:6]] == [*(f"amy/amy{i}" for i in range(1, 6)), "bernadette/bernadette1"]
    assert [about.classes.index(str(sample.identity)) for sample in samples] == [i // 5 for i in range(40)]
    write_all(IdentityWriter(tmp_path), samples)
    assert contents(tmp_path / "out") == contents(source)


def test_the_genuine_list(fixtures: Path, tmp_path: Path) -> None:
    with tarfile.open(fixtures / "recognition" / "small_dataset.tar") as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / "small_dataset"
    assert recognise(source)[0].name == "identity-list"
    reader = IdentityListReader(source)
    samples = read_all(reader, 3)
    assert reader.about().count == 10
    assert [sample.identity for sample in samples] == list(range(10))
    assert samples[1].key == "images/00000111"
    assert samples[1].image and samples[1].image.size == (112, 112)
    write_all(IdentityWriter(tmp_path, IdentityWriteOptions(digits=3)), samples)
    assert (tmp_path / "out" / "001" / "images__00000111.jpg").read_bytes() == samples[1].image.data


def test_no_two_lines_of_a_list_get_one_key(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "a-1.jpg"):
        (tmp_path / name).write_bytes(picture(8, 8, 0, name[-4:]).data)
    (tmp_path / "label.txt").write_text("a.jpg\t0\na.png\t1\na-1.jpg\t2\na.jpg\t3\n")
    for unit in (1, 3):
        samples = read_all(IdentityListReader(tmp_path), unit)
        assert [sample.identity for sample in samples] == [0, 1, 2, 3]
        assert [sample.key for sample in samples] == ["a", "a-1", "a-1-2", "a-3"]


def test_images_outside_a_persons_folder_are_reported(tmp_path: Path) -> None:
    for path in ("bob/1.jpg", "bob/sub/2.jpg", "stray.jpg", "bob/notes.txt", "nobody/readme.txt", ".x/3.jpg"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(picture(8, 8).data)
    reader = IdentityReader(tmp_path)
    about, found = reader.about(), list(reader)
    assert about.classes == ("bob",)
    assert about.facts["images outside a person's folder"] == 1
    assert about.count == len(found) == 3
    assert [(one.key, isinstance(one, Broken)) for one in found] == [
        ("bob/1", False),
        ("bob/sub/2", False),
        ("stray", True),
    ]


def test_identities_that_are_numbers(tmp_path: Path) -> None:
    samples = [Sample(str(number), picture(8, 8), identity=number // 3) for number in range(40)]
    write_all(IdentityWriter(tmp_path, IdentityWriteOptions(digits=4)), samples)
    assert (tmp_path / "out" / "0012" / "37.jpg").exists()
    read = read_all(IdentityReader(tmp_path / "out", IdentityReadOptions(identities="numbers")))
    assert sorted(int(one.identity or 0) for one in read) == [int(one.identity or 0) for one in samples]
    assert IdentityReader(tmp_path / "out", IdentityReadOptions(identities="numbers")).about().classes == ()
    (tmp_path / "out" / "0012").rename(tmp_path / "out" / "bob")
    broken = [
        one for one in IdentityReader(tmp_path / "out", IdentityReadOptions("numbers")) if isinstance(one, Broken)
    ]
    assert len(broken) == 3
    assert "not called by a number" in broken[0].why


def test_people_whose_names_differ_in_case_are_apart_on_every_disk(tmp_path: Path) -> None:
    people = ["Ann", "ANN", "ann", "Bob", "BOB", "Zo\u00e9", "Zoe\u0301", "Straße", "STRASSE", "Dan", "con", "A:b"]
    people += ["a:b"]
    samples = [Sample(f"{who}/{number}", picture(8, 8, number), identity=who) for number, who in enumerate(people)]
    while_writing = IdentityWriter(tmp_path / "x")
    folders = {while_writing.files(sample, 0)[0][0].partition("/")[0] for sample in samples}
    assert len({names.folded(folder) for folder in folders}) == len(people)
    made = write_with_kills(IdentityWriter, tmp_path / "w", samples, 2)
    found = sorted(path.name for path in made.iterdir())
    assert {"ann", "BOB", "Dan", "STRASSE"} <= set(found)
    assert len({names.folded(name) for name in found}) == len(people)
    reader = IdentityReader(made)
    read = {str(one.identity): one for one in read_all(reader)}
    kept = [who for who in people if who not in ("con", "A:b", "a:b")]
    assert set(kept) < set(read) == set(reader.about().classes)
    assert [read[who].key for who in kept] == [sample.key for sample in samples if sample.identity in kept]
    assert contents(write(IdentityWriter, tmp_path / "again", list(read.values()), 3)) == contents(made)


def test_folders_are_named_again_after_a_kill_while_they_were(tmp_path: Path) -> None:
    samples = [Sample(f"{who}/1", picture(8, 8), identity=who) for who in ("Ann", "ANN", "Cy")]
    made = write(IdentityWriter, tmp_path, samples)
    wanted = contents(made)
    (made / "Cy").rename(made / names.apart("Cy"))
    (made / "ANN").rename(made / names.apart("ANN"))
    writer = IdentityWriter(tmp_path)
    writer.restore({"files": 3})
    writer.finish()
    assert contents(made) == wanted


def test_names_of_strangers_stay_in_the_folder_and_apart(tmp_path: Path) -> None:
    image = picture(8, 8)
    identities = ["../../evil", "a:b", "a?b", "con", "", "/etc", ".hid", "x\0y"]
    samples = [Sample(f"{who}/1", image, identity=who) for who in identities]
    samples += [Sample("../../k", image, identity="bob"), Sample("/abs", image, identity="bob")]
    write_all(IdentityWriter(tmp_path / "w"), samples)
    assert {path.name for path in tmp_path.iterdir()} == {"w"}
    assert len(contents(tmp_path / "w" / "out")) == len(samples)
    assert len(list((tmp_path / "w" / "out").iterdir())) == len(identities) + 1


def test_samples_of_one_name_are_told_apart_or_told(tmp_path: Path) -> None:
    image = picture(8, 8)
    samples = [Sample("bob/1", image, identity="bob"), Sample("1", image, identity="bob")]
    with pytest.raises(ZooError, match="names=number"):
        write_all(IdentityWriter(tmp_path / "a"), samples)
    write_all(IdentityWriter(tmp_path / "b", IdentityWriteOptions(names="number")), samples)
    assert list(contents(tmp_path / "b" / "out")) == ["bob/000000.jpg", "bob/000001.jpg"]


def test_what_no_identity_folder_can_hold_is_refused(tmp_path: Path) -> None:
    part = IdentityWriter(tmp_path).part(0, 0)
    for sample in (
        Sample("1", picture(8, 8)),
        Sample("2", None, identity=1),
        Sample("3", EncodedImage(b"??"), identity=1),
    ):
        with pytest.raises(InputError):
            part.write(sample)
    part.write(Sample("4", EncodedImage(bytes(range(36)), RAW, (3, 4, 3)), identity=1))
    assert part.close() == {"files": 1}
    (stored,) = read_all(IdentityReader(tmp_path / "out"))
    assert stored.image and stored.image.decode().tobytes() == bytes(range(36))


def test_a_list_with_hostile_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture(8, 8).data)
    text = b"a.jpg\t5\n../a.jpg\t1\n/etc/passwd\t1\na.jpg 5\n\xff\t1\ngone.jpg\tx\na.jpg\tanna\n" + b"y" * 100_000
    (tmp_path / "label.txt").write_bytes(text)
    found = list(IdentityListReader(tmp_path))
    assert [found[0].identity, found[6].identity] == [5, "anna"]  # type: ignore[union-attr]
    assert all(isinstance(one, Broken) and one.offset >= 0 for one in found[1:6] + found[7:])
    assert len(found) == IdentityListReader(tmp_path).about().count


def test_the_lambda_layout_by_hand(tmp_path: Path) -> None:
    """One line of whole numbers, and %f lines, as create_data.py writes them."""
    points = "".join(f"{index * 1.5:f} {index + 0.25:f}\n" for index in range(68))
    (tmp_path / "chimp_0.png").write_bytes(picture(40, 32, suffix=".png").data)
    (tmp_path / "chimp_0_bbox.txt").write_text("85 85 426 426\n")
    (tmp_path / "chimp_0_ldmks.txt").write_text(points)
    (tmp_path / "chimp_1.png").write_bytes(picture(40, 32, suffix=".png").data)
    assert recognise(tmp_path)[0].name == "image-boxes-landmarks"
    reader = SidecarReader(tmp_path)
    assert reader.about() == About("landmarks", 2, frozenset({"boxes", "landmarks", "keys", "images"}))
    first, second = read_all(reader)
    assert first.faces is not None and first.faces.boxes is not None
    assert second.faces is None
    assert np.array_equal(first.faces.boxes, [[85, 85, 426, 426]])
    assert np.array_equal(landmarks(first)[0, 67], [100.5, 67.25])
    write_all(SidecarWriter(tmp_path / "w"), [first, second])
    assert contents(tmp_path / "w" / "out") == {
        name: data for name, data in contents(tmp_path).items() if "/" not in name
    }


def test_the_lambda_crop(tmp_path: Path) -> None:
    options = SidecarWriteOptions(crop="padded", crop_scale=1.5, crop_size=512, whole_boxes=True)
    write_all(SidecarWriter(tmp_path, options), [face()])
    assert (tmp_path / "out" / "000000_bbox.txt").read_text() == "134 85 384 426\n"  # the square of 42 begins at -9, -4
    (read,) = read_all(SidecarReader(tmp_path / "out"))
    expected = (landmarks(face()) - (12 - 21, 17 - 21)) * 512 / 42
    assert np.allclose(landmarks(read), expected, atol=1e-3)
    assert read.image and read.image.size == (512, 512)


def test_several_faces_of_one_image(tmp_path: Path) -> None:
    numbers = np.arange(4 * 140, dtype=np.float32).reshape(4, 70, 2)
    faces = Annotation(numbers[:, :2].reshape(4, 4), landmarks=numbers[:, 2:])
    sample = Sample("a/b", picture(8, 8), faces=faces)
    write_all(SidecarWriter(tmp_path), [sample])
    (read,) = read_all(SidecarReader(tmp_path / "out"))
    assert_same(read, sample, {"boxes", "landmarks", "images", "keys"})


def synthetics(root: Path, layout: str, count: int = 70) -> None:
    """Three frames with masks and points as the genuine set has them; the ids do not sort as numbers do."""
    for index in (3, 20, 100):
        image, points = (root / "img", root / "ldmks") if layout == "folders" else (root, root)
        image.mkdir(parents=True, exist_ok=True)
        points.mkdir(exist_ok=True)
        (image / f"{index}.png").write_bytes(picture(16, 16, index, ".png").data)
        (image / f"{index}_seg.png").write_bytes(picture(16, 16, 0, ".png").data)
        (points / f"{index}_ldmks.txt").write_text("".join(f"{index}.5 {row}\n" for row in range(count)))
        (root / "bbox_leftcorner_coord").mkdir(exist_ok=True)
        (root / "bbox_leftcorner_coord" / f"{index}_bbox.txt").write_text(f"{index} -{index}")


@pytest.mark.parametrize("layout", ["flat", "folders"])
@pytest.mark.parametrize("count", [68, 70])
def test_facesynthetics_is_joined_by_name(tmp_path: Path, layout: str, count: int) -> None:
    synthetics(tmp_path / "set", layout, count)
    assert recognise(tmp_path / "set")[0].name == "facesynthetics"
    reader = FaceSyntheticsReader(tmp_path / "set")
    samples = read_all(reader, 2)
    assert reader.about().count == len(samples) == 3
    for sample in samples:
        assert sample.image and sample.image.data == picture(16, 16, int(sample.key), ".png").data
        assert landmarks(sample).shape == (1, count, 2)
        assert landmarks(sample)[0, 67].tolist() == [int(sample.key) + 0.5, 67]
        assert sample.extra.pop("mask") == picture(16, 16, 0, ".png")
        assert sample.extra == {"corner": [int(sample.key), -int(sample.key)]}
    (first, *_) = read_all(FaceSyntheticsReader(tmp_path / "set", FaceSyntheticsReadOptions(points="68", masks=False)))
    assert "mask" not in first.extra
    assert landmarks(first).shape == (1, 68, 2)
    options = FaceSyntheticsWriteOptions(layout=layout)  # type: ignore[arg-type]
    write_all(FaceSyntheticsWriter(tmp_path / "w", options), samples)
    without_masks = {name: data for name, data in contents(tmp_path / "set").items() if "_seg" not in name}
    assert contents(tmp_path / "w" / "out") == without_masks


@pytest.mark.parametrize("layout", ["flat", "folders"])
@pytest.mark.parametrize("wanted", ["flat", "folders"])
def test_masks_are_passed_through(tmp_path: Path, layout: str, wanted: str) -> None:
    synthetics(tmp_path / "set", layout)
    reader = FaceSyntheticsReader(tmp_path / "set")
    assert "masks" in reader.about().holds
    write_all(FaceSyntheticsWriter(tmp_path, FaceSyntheticsWriteOptions(layout=wanted), reader.about()), [*reader])  # type: ignore[arg-type]
    folder = {"flat": "", "folders": "seg/"}[wanted]
    mask = picture(16, 16, 0, ".png").data
    assert {name: data for name, data in contents(tmp_path / "out").items() if "_seg" in name} == {
        f"{folder}{index}_seg.png": mask for index in (3, 20, 100)
    }
    again = FaceSyntheticsReader(tmp_path / "out")
    assert again.about() == replace(reader.about(), facts=again.about().facts)
    assert [sample.extra["mask"].data for sample in read_all(again)] == [mask] * 3
    (tmp_path / "out" / f"{folder}20_seg.png").write_bytes(b"no image")
    assert [type(found) for found in again].count(Broken) == 1


def test_a_loss_of_masks_is_named_and_avoidable(tmp_path: Path) -> None:
    synthetics(tmp_path / "set", "flat")
    plan = make_plan(tmp_path / "set", tmp_path / "out", {}, target_format="pts")
    assert plan.lost == ("masks",)
    with pytest.raises(UsageError, match=r"pts cannot hold segmentation masks of .*--allow-loss"):
        require_possible(plan)
    assert make_plan(tmp_path / "set", tmp_path / "out", {"masks": "false"}, target_format="pts").lost == ()
    assert make_plan(tmp_path / "set", tmp_path / "out", {}, target_format="facesynthetics").lost == ()
    assert "masks" in SidecarReader(tmp_path / "set").about().holds
    crop = {"crop": "affine"}
    assert make_plan(tmp_path / "set", tmp_path / "out", crop, target_format="facesynthetics").obstacle.startswith(
        "Masks are not cut out with the faces: masks=false leaves them out"
    )
    assert not make_plan(tmp_path / "set", tmp_path / "out", {**crop, "masks": "no"}, "", "facesynthetics").obstacle


def test_the_genuine_frame(fixtures: Path, tmp_path: Path) -> None:
    data = (fixtures / "landmarks" / "facesynthetics_000000.png").read_bytes()
    rng = np.random.default_rng(0)
    points = rng.uniform(100, 400, (1, 70, 2)).astype(np.float32)
    boxes = np.array([[180, 160, 330, 360]], np.float32)
    sample = Sample("0", EncodedImage(data, "png"), faces=Annotation(boxes, landmarks=points))
    options = FaceSyntheticsWriteOptions(names="number", corners="box")
    write_all(FaceSyntheticsWriter(tmp_path, options), [sample])
    (read,) = read_all(FaceSyntheticsReader(tmp_path / "out"))
    assert_same(read, replace(sample, key="000000"), {"landmarks", "images", "keys"})
    assert read.extra == {"corner": [127, 160]}
    cropped = FaceSyntheticsWriteOptions(crop="affine", crop_size=384, crop_rotation=20)
    write_all(FaceSyntheticsWriter(tmp_path / "w", cropped), [sample])
    (turned,) = read_all(FaceSyntheticsReader(tmp_path / "w" / "out"))
    assert turned.image and turned.image.size == (384, 384)
    scale = 384 / (200 * 1.5)
    lengths = [np.linalg.norm(one - one.mean(axis=0)) for one in (landmarks(turned)[0], landmarks(sample)[0])]
    assert lengths[0] == pytest.approx(lengths[1] * scale, rel=1e-5)


def test_the_corner_of_the_window() -> None:
    def corner(*box: float) -> tuple[int, int]:
        return window_corner(Sample("x", faces=Annotation(np.array([box], np.float32))))

    assert corner(180, 160, 330, 360) == (180 - (256 - 150) // 2, 160)
    assert corner(300, 260, 400, 380) == (255 - (256 - 145) // 2, 255)
    assert window_corner(Sample("x")) == (128, 128)


def test_facesynthetics_refuses_what_it_cannot_say(tmp_path: Path) -> None:
    part = FaceSyntheticsWriter(tmp_path).part(0, 0)
    two = face()
    two.faces = Annotation(landmarks=np.zeros((2, 68, 2), np.float32))
    missing = face()
    landmarks(missing)[0, 5] = np.nan
    for sample, why in (
        (face(19), "19 landmarks"),
        (two, "2 faces"),
        (missing, "missing"),
        (Sample("x"), "no landmarks"),
    ):
        with pytest.raises(InputError, match=why):
            part.write(sample)
    assert part.close() == {"files": 0}


def test_npts_are_relative_doubles(tmp_path: Path) -> None:
    sample = face()
    box = landmarks(sample)[0]
    sample.faces = Annotation(np.array([[20, 10, 60, 50]], np.float32), landmarks=landmarks(sample))
    write_all(PatchWriter(tmp_path), [sample])
    # a side of 44 around 40, 30: from 18, 8 to 62, 52, cut off before the last column and row, 39 and 31
    files = contents(tmp_path / "out")
    npts = np.array(struct.unpack("<136d", files["000000.npts"])).reshape(68, 2)
    cpts = np.array(struct.unpack("<136d", files["000000.cpts"])).reshape(68, 2)
    left, top, width, height = 18, 8, 21, 23
    assert np.allclose(npts, (box - (left, top)) / (width, height), atol=1e-6)
    assert np.allclose(cpts, (box - ((left + width) / 2, (top + height) / 2)) / (width / 2, height / 2), atol=1e-6)
    (read,) = read_all(PatchReader(tmp_path / "out"))
    assert read.size == (width, height)
    assert read.extra == {"crop": [left, top, width, height]}
    assert np.allclose(landmarks(read), box - (left, top), atol=1e-4)
    write_all(PatchWriter(tmp_path / "w", UNCUT), [read])
    again = contents(tmp_path / "w" / "out")
    assert np.allclose(np.frombuffer(again["000000.cpts"]), cpts.ravel(), atol=1e-6)
    assert again["000000.png"] == files["000000.png"]


def test_cpts_around_the_middle_or_none(tmp_path: Path) -> None:
    write_all(PatchWriter(tmp_path / "a", PatchWriteOptions(centre="middle")), [face()])
    cpts = np.frombuffer((tmp_path / "a" / "out" / "000000.cpts").read_bytes())
    npts = np.frombuffer((tmp_path / "a" / "out" / "000000.npts").read_bytes())
    assert np.allclose(cpts, npts * 2 - 1)
    (read,) = read_all(PatchReader(tmp_path / "a" / "out"))
    assert read.extra == {} or read.extra["crop"][:2] == [0, 0]
    write_all(PatchWriter(tmp_path / "b", PatchWriteOptions(centre="none")), [face()])
    assert set(contents(tmp_path / "b" / "out")) == {"000000.png", "000000.npts"}


def test_turned_copies(tmp_path: Path) -> None:
    options = PatchWriteOptions(crop_rotation=30, crop_scale=1)
    write_all(PatchWriter(tmp_path / "a", options), [face()])
    assert [one.key for one in read_all(PatchReader(tmp_path / "a" / "out"))] == ["000000", "000000_r"]
    write_all(PatchWriter(tmp_path / "b", replace(options, upright=False)), [face()])
    (turned,) = read_all(PatchReader(tmp_path / "b" / "out"))
    spread = [np.linalg.norm(one - one.mean(axis=0)) for one in (landmarks(turned)[0], landmarks(face())[0])]
    assert spread[0] == pytest.approx(spread[1], rel=1e-4)
    assert contents(tmp_path / "b" / "out")["000000_r.npts"] == contents(tmp_path / "a" / "out")["000000_r.npts"]


@formats
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(0, 12))
def test_round_trips(name: str, tmp_path_factory: pytest.TempPathFactory, seed: int, count: int) -> None:
    reader, writer, options = FORMATS[name]
    rng, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("set")
    samples = [random_sample("landmarks", rng, number) for number in range(count)]
    for sample in samples:
        sample.image = picture(*(sample.size or (0, 0)), seed % 4, ".png")
        sample.faces = replace(sample.faces or Annotation(), boxes=rng.uniform(-9, 40, (1, 4)).astype(np.float32))
    write_all(writer(folder, options), samples, 5)
    found = read_all(reader(folder / "out"), 4)
    assert len(found) == len(samples)
    for one, sample in zip(found, samples, strict=True):
        assert_same(one, sample, {"keys", "images", *({"boxes"} if name == "image-boxes-landmarks" else ())})
        np.testing.assert_allclose(landmarks(one), landmarks(sample), atol=4e-6)


@formats
def test_every_cut_and_many_changes_of_the_annotation(name: str, tmp_path: Path) -> None:
    """A typed answer of bounded size for each of some hundred damaged sets."""
    reader, writer, options = FORMATS[name]
    write_all(writer(tmp_path, options), [face()])
    for path in sorted((tmp_path / "out").iterdir()):
        whole = path.read_bytes()
        if path.suffix == ".png":
            continue
        cuts = (whole[:length] for length in range(len(whole)))
        for data in (*cuts, *mutations(whole, 200, seed=5)):
            path.write_bytes(data)
            (found,) = list(reader(tmp_path / "out"))
            if isinstance(found, Broken):
                assert found.why
                assert found.where or found.offset < 0
            elif found.faces is not None and found.faces.landmarks is not None:
                assert np.isfinite(found.faces.landmarks).all()
                assert found.faces.landmarks.shape in ((1, 68, 2), (0, 68, 2), (1, 70, 2))
        path.write_bytes(whole)


@formats
def test_annotation_without_image_and_image_without_annotation(name: str, tmp_path: Path) -> None:
    reader_of, writer, options = FORMATS[name]
    write_all(writer(tmp_path, options), [face(number=1), face(number=2)])
    (tmp_path / "out" / "000001.png").unlink()
    for path in (tmp_path / "out").glob("000002[._]*ts*"):
        path.unlink()
    reader = reader_of(tmp_path / "out")
    found = list(reader)
    assert len(found) == reader.about().count
    assert all("no image" in one.why for one in found if one.key.startswith("000001"))
    assert any(isinstance(one, Broken) for one in found)


@formats
def test_a_killed_run_goes_on(name: str, tmp_path: Path) -> None:
    _, writer, options = FORMATS[name]
    samples = [face(seed=number, number=number) for number in range(9)]
    whole = write(lambda work: writer(work, options), tmp_path / "whole", samples, 3)
    killed = write_with_kills(lambda work: writer(work, options), tmp_path / "killed", samples, 2)
    assert contents(killed) == contents(whole)


def test_an_empty_set_is_an_empty_folder(tmp_path: Path) -> None:
    write_all(IdentityWriter(tmp_path), [])
    assert list(IdentityReader(tmp_path / "out")) == []


def test_jpeg_frames_become_png(tmp_path: Path) -> None:
    sample = replace(face(), image=picture(40, 32))
    write_all(FaceSyntheticsWriter(tmp_path), [sample])
    (read,) = read_all(FaceSyntheticsReader(tmp_path / "out"))
    assert read.image and sample.image and io.BytesIO(read.image.data).read(4) == b"\x89PNG"
    assert np.array_equal(read.image.decode(), sample.image.decode())


SNIFFERS = (sniff.identity_folders, sniff.identity_list, sniff.boxes_landmarks, sniff.facesynthetics, sniff.npts)


def test_sniffers_are_sure_of_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a.jpg").write_bytes(picture(8, 8).data)
    (tmp_path / "one" / "person").mkdir(parents=True)
    (tmp_path / "one" / "person" / "a.jpg").write_bytes(picture(8, 8).data)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "label.txt").mkdir()
    (tmp_path / "odd" / "x.npts").symlink_to("x.npts")
    for name in ("plain", "plain/a.jpg", "gone", "odd", "one"):
        for sniffer in SNIFFERS:
            confidence, reason = sniffer(tmp_path / name)
            assert confidence < 0.5, (name, sniffer)
            assert reason
