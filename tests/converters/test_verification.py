"""Verification sets: insightface's files read exactly, ours loaded the way it does, pairs kept together throughout."""

from __future__ import annotations

import itertools
import json
import pickle
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo_verification import lists
from zoo_verification.bins import BinReader
from zoo_verification.binwriter import BinWriter
from zoo_verification.making import People, shuffled
from zoo_verification.options import BinOptions, ReadPairsOptions, WritePairsOptions
from zoo_verification.pairs import PairsReader
from zoo_verification.pairswriter import PairsWriter
from zoo_verification.sniff import bin_file, pairs_folder

from tests.converters import driving
from tests.converters.samples import assert_same, random_sample
from zoo import alignment, images
from zoo.conversion.engine import Converted, convert
from zoo.conversion.plan import make_plan
from zoo.datasets.formats import Reader, Writer
from zoo.datasets.recognise import recognise
from zoo.datasets.sample import Broken, EncodedImage, Sample
from zoo.errors import InputError, UsageError

KINDS = ("ndarray", "py2_str", "py3_bytes")
HOLDS = frozenset(("pairs", "images"))


def good(reader: Reader) -> list[Sample]:
    found = list(reader)
    assert not [item for item in found if isinstance(item, Broken)]
    return found  # type: ignore[return-value]


def original(data: bytes) -> tuple[list[bytes], list[bool]]:
    """The set as arcface_torch's load_bin has it: loaded by Python 3, or else as a file of Python 2."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            bins, same = pickle.loads(data)
        except UnicodeDecodeError:
            bins, same = pickle.loads(data, encoding="bytes")
    return [bytes(np.asarray(bytearray(image) if isinstance(image, bytes) else image)) for image in bins], same


def pairs(count: int, seed: int = 0) -> list[Sample]:
    rng = np.random.default_rng(seed)
    return [random_sample("verification", rng, number) for number in range(2 * count)]


# ---- reading .bin -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["recognition/small_lfw.bin", *(f"written_by_originals/verif_{k}.bin" for k in KINDS)])
def test_genuine_files(fixtures: Path, name: str) -> None:
    wanted, same = original((fixtures / name).read_bytes())
    reader = BinReader(fixtures / name)
    found = good(reader)
    assert [sample.image.data for sample in found if sample.image] == wanted
    assert [sample.same for sample in found[::2]] == [sample.same for sample in found[1::2]] == list(same)
    assert [sample.pair for sample in found] == [i // 2 for i in range(len(wanted))]
    assert {type(sample.image.data) for sample in found if sample.image} == {bytes}
    assert found[0].image is not None and found[0].image.size == (112, 112)
    about = reader.about()
    assert about.count == len(wanted) and about.facts["pairs"] == len(same)
    assert about.facts["of one person"] == sum(same)
    assert_same(reader.sample(5), found[5], HOLDS)
    assert recognise(fixtures / name)[0].name == "verification-bin"


def test_what_is_said_of_small_lfw(fixtures: Path) -> None:
    about = BinReader(fixtures / "recognition/small_lfw.bin").about()
    assert about.facts == {"pairs": 10, "of one person": 10, "elements": "NumPy arrays", "protocol": 3}


JPEG = cv2.imencode(".jpg", np.full((8, 9, 3), 77, np.uint8))[1]
ELEMENTS = {
    "bytes": JPEG.tobytes(),
    "a column": JPEG.reshape(-1, 1),
    "flat": JPEG,
    "columns first": np.asfortranarray(JPEG.reshape(-1, 1)),
    "a bytearray": bytearray(JPEG.tobytes()),
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ELEMENTS)
@pytest.mark.parametrize("same", [[True], (False,), np.array([True]), [np.True_], [1]], ids=str)
def test_every_kind_of_element_and_answer(tmp_path: Path, kind: str, protocol: int, same: Any) -> None:
    path = tmp_path / "it.bin"
    path.write_bytes(pickle.dumps(([ELEMENTS[kind]] * 2, same), protocol))
    found = good(BinReader(path))
    assert [sample.image.data for sample in found if sample.image] == [JPEG.tobytes()] * 2
    assert found[0].same is bool(same[0]) and found[0].image and found[0].image.format == "jpeg"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1024])
def test_units_cut_no_pair(fixtures: Path, size: int) -> None:
    reader = BinReader(fixtures / "recognition/small_lfw.bin")
    units = list(reader.units(size))
    assert [unit.start % 2 for unit in units] == [0] * len(units)
    assert units[-1].stop == 20 and all(a.stop == b.start for a, b in itertools.pairwise(units))
    apart = [sample.key for unit in units for sample in BinReader(reader.path).read(json_unit(unit))]
    assert apart == [sample.key for sample in reader]


def json_unit(unit: Any) -> Any:
    return type(unit)(**json.loads(json.dumps({"start": unit.start, "stop": unit.stop, "place": unit.place})))


WRONG_SETS = {
    "empty": (b"", "is empty"),
    "no pair": (pickle.dumps([1]), "not one of a list of images"),
    "a dictionary": (pickle.dumps({}), "not one of a list of images"),
    "odd": (pickle.dumps(([b"a"], [True])), "has 1 images for 1 pairs"),
    "answers of other kinds": (pickle.dumps(([b"a"] * 2, ["yes"])), "else than true and false"),
    "answers in between": (pickle.dumps(([b"a"] * 2, [2])), "else than true and false"),
    "an answer that is an array": (pickle.dumps(([b"a"] * 2, [np.arange(3)])), "else than true and false"),
    "code": (b"cos\nsystem\n.", r"os\.system, which is refused because it could run code \(pickle, byte 0\)"),
    "a JPEG": (JPEG.tobytes(), "no pickle or damaged"),
}


@pytest.mark.parametrize("name", WRONG_SETS)
def test_what_is_no_such_file(tmp_path: Path, name: str) -> None:
    data, why = WRONG_SETS[name]
    path = tmp_path / "it.bin"
    path.write_bytes(data)
    with pytest.raises(InputError, match=why):
        BinReader(path).about()


def test_a_pair_with_a_broken_image_is_broken_as_a_whole(tmp_path: Path) -> None:
    junk = b"this is no image, but long enough to be seen where it lies in the file....."
    path = tmp_path / "it.bin"
    elements = [JPEG, junk, JPEG, JPEG, b"", JPEG, 7, JPEG, np.zeros(3), JPEG]
    path.write_bytes(pickle.dumps((elements, [True] * 5), 4))
    found = list(BinReader(path))
    assert [isinstance(item, Broken) for item in found] == [True, True, False, False] + [True] * 6
    broken = [item for item in found if isinstance(item, Broken)]
    assert "the other image of its pair, 000001" in broken[0].why
    assert broken[1].data == junk and broken[1].offset == path.read_bytes().index(junk)
    assert "it is empty" in broken[2].why and "neither bytes nor an array" in broken[4].why
    with pytest.raises(InputError, match="begins like no image"):
        BinReader(path).sample(1)
    with pytest.raises(IndexError):
        BinReader(path).sample(10)


def tiny(folder: Path, protocol: int, elements: str) -> bytes:
    make = bin_writer(BinOptions(elements=elements, protocol=str(protocol)))  # type: ignore[arg-type]
    small = EncodedImage(b"\xff\xd8\xff\xd9", "jpeg")
    samples = [Sample(str(i), small, pair=i // 2, same=i < 2) for i in range(4)]
    return driving.write(make, folder, samples).read_bytes()


def attempt(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        for item in BinReader(path):
            assert isinstance(item, Sample | Broken)
    except InputError as error:
        assert str(error).isprintable()


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("elements", ["bytes", "ndarray"])
def test_damage(tmp_path: Path, elements: str, protocol: int) -> None:
    data = tiny(tmp_path, protocol, elements)
    path = tmp_path / "it.bin"
    for end in range(len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(InputError, match=r"it\.bin.*(byte \d+|is empty)"):
            list(BinReader(path))
    for damaged in driving.mutations(data, 300, protocol):
        attempt(path, damaged)


# ---- writing .bin -------------------------------------------------------------------------------------------------


def bin_writer(options: BinOptions | None = None) -> Any:
    return lambda work: BinWriter(work, options)


@pytest.mark.parametrize("elements", ["bytes", "ndarray"])
@pytest.mark.parametrize("protocol", ["2", "3", "4"])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_the_originals_way_of_loading_reads_ours(tmp_path: Path, elements: Any, protocol: Any, count: int) -> None:
    samples = pairs(count)
    out = driving.write(bin_writer(BinOptions(elements=elements, protocol=protocol)), tmp_path, samples, unit=4)
    loaded, same = original(out.read_bytes())
    assert loaded == [sample.image.data for sample in samples if sample.image]
    assert same == [sample.same for sample in samples[::2]]
    raw = pickle.loads(out.read_bytes(), encoding="bytes")[0]
    kind = np.ndarray if elements == "ndarray" else bytes
    assert {type(image) for image in raw} == ({kind} if count else set())
    assert elements == "bytes" or all(image.shape == (len(image), 1) and image.dtype == np.uint8 for image in raw)
    assert [wanted.image for wanted in good(BinReader(out))] == [sample.image for sample in samples]


def test_protocol_2_is_what_python_2_writes(fixtures: Path, tmp_path: Path) -> None:
    wanted = (fixtures / "written_by_originals/verif_py2_str.bin").read_bytes()
    samples = good(BinReader(fixtures / "written_by_originals/verif_py2_str.bin"))
    found = driving.write(bin_writer(BinOptions(protocol="2")), tmp_path, samples).read_bytes()
    assert b"T" + len(samples[0].image.data).to_bytes(4, "little") in wanted  # type: ignore[union-attr]
    with pytest.raises(UnicodeDecodeError):
        pickle.loads(found)
    assert pickle.loads(found, encoding="bytes") == pickle.loads(wanted, encoding="bytes")


@given(st.integers(0, 2**32), st.integers(0, 12), st.sampled_from(["bytes", "ndarray"]), st.sampled_from("234"))
@settings(max_examples=25, deadline=None)
def test_round_trips(tmp_path_factory: Any, seed: int, count: int, elements: Any, protocol: Any) -> None:
    samples = pairs(count, seed)
    options = BinOptions(elements=elements, protocol=protocol)
    out = driving.write(bin_writer(options), tmp_path_factory.mktemp("bin"), samples, unit=6)
    for found, wanted in zip(good(BinReader(out)), samples, strict=True):
        assert_same(found, wanted, HOLDS)


def test_a_writer_that_is_killed_goes_on(tmp_path: Path) -> None:
    samples = pairs(11)
    whole = driving.write(bin_writer(), tmp_path / "a", samples, unit=4)
    resumed = driving.write_with_kills(bin_writer(), tmp_path / "b", samples, 4)
    assert resumed.read_bytes() == whole.read_bytes()


def test_images_are_passed_through_unless_they_are_resized(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    shapes = [(112, 112), (60, 90), (200, 150), (112, 113)]
    encoded = [images.encode(rng.integers(0, 255, (*shape, 3), np.uint8), ".png") for shape in shapes]
    samples = [Sample(str(i), EncodedImage(data, "png"), pair=i // 2, same=True) for i, data in enumerate(encoded)]
    kept, _ = original(driving.write(bin_writer(), tmp_path / "a", samples).read_bytes())
    assert kept == encoded
    writer = BinWriter(tmp_path / "b", BinOptions(resize=112))
    driving.append(writer, writer, 0, samples)
    writer.finish()
    made, _ = original(writer.out.read_bytes())
    assert made[0] == encoded[0]
    assert [images.image_size(data) for data in made] == [(112, 112)] * 4
    assert writer.notes()["resized"] == "3 images"


def test_a_square_keeps_proportions() -> None:
    from zoo_verification.resizing import square

    wide = np.zeros((50, 100, 3), np.uint8)
    wide[:, 25:75] = 255
    assert square(wide, 112)[:, 2:-2].min() == 255
    assert square(np.zeros((3, 4000, 3), np.uint8), 16).shape == (16, 16, 3)


@pytest.mark.parametrize("make", [bin_writer(), lambda work: PairsWriter(work)])
def test_samples_that_are_no_pairs_are_refused(tmp_path: Path, make: Any) -> None:
    part = make(tmp_path).part(0, 0)
    image = EncodedImage(JPEG.tobytes(), "jpeg")
    for sample in (Sample("a", image), Sample("a", image, pair=0), Sample("a", None, pair=0, same=True)):
        with pytest.raises(InputError, match=r"belongs to no pair|has no image"):
            part.write(sample)
    assert part.withdraw() == []


def test_the_half_of_a_pair_is_withdrawn(tmp_path: Path) -> None:
    writer = BinWriter(tmp_path)
    part = writer.part(0, 0)
    samples = pairs(3)
    for number in (1, 2, 3, 4):
        part.write(samples[number])
    assert [broken.key for broken in part.withdraw()] == ["set/000001", "set/000004"]
    writer.append(0, part.close())
    writer.finish()
    assert [sample.image for sample in good(BinReader(writer.out))] == [samples[2].image, samples[3].image]


# ---- lists of pairs -----------------------------------------------------------------------------------------------

LISTS = {
    "LFW": (b"10\t300\nAbel\t1\t4\nAbel Xu\t1\tBo\t12\n", [["Abel/Abel_0001", "Abel/Abel_0004", True],
            ["Abel Xu/Abel Xu_0001", "Bo/Bo_0012", False]]),
    "LFW of one number, spaces": (b"2\nAbel 1 2\nAbel 1 Bo 10001\n", [["Abel/Abel_0001", "Abel/Abel_0002", True],
            ["Abel/Abel_0001", "Bo/Bo_10001", False]]),
    "LFW without header": (b"Abel\t0001\t2", [["Abel/Abel_0001", "Abel/Abel_0002", True]]),
    "labels": (b"a/1.jpg b/2.png 1\r\n\r\na.jpg c.jpg 0\r\n", [["a/1.jpg", "b/2.png", True],
            ["a.jpg", "c.jpg", False]]),
    "labels with tabs": (b"a b/1.jpg\tc d.jpg\t0\n", [["a b/1.jpg", "c d.jpg", False]]),
    "nothing": (b"\n \n", []),
    "a byte order mark": (b"\xef\xbb\xbfa.jpg b.jpg 1", [["a.jpg", "b.jpg", True]]),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_lists(tmp_path: Path, name: str) -> None:
    data, wanted = LISTS[name]
    (tmp_path / "list").write_bytes(data)
    assert list(lists.rows(tmp_path / "list")) == wanted


def test_lines_that_are_no_pair_are_told_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"10\t300\nA\t1\t2\nA\t1\nA\tx\tB\t2\n\xff\xfe\n")
    found = list(lists.rows(tmp_path / "list"))
    assert [row[-1] for row in found] == [True, 13, 17, 25]
    (tmp_path / "list").write_bytes(b"a b 1\na b 2\n")
    assert list(lists.rows(tmp_path / "list"))[1][1] == 6
    (tmp_path / "list").write_bytes(b"a " * 10_000)
    with pytest.raises(InputError, match="is no list of pairs"):
        list(lists.rows(tmp_path / "list"))


def folder(root: Path, *paths: str, shape: tuple[int, int] = (20, 24)) -> Path:
    """A folder with an image at each path, all different."""
    for number, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (*shape, 3), np.uint8)
        (root / path).write_bytes(images.encode(pixels, Path(path).suffix))
    return root


def lfw(root: Path) -> Path:
    paths = [f"{name}/{name}_000{i}.{suffix}" for name, suffix in (("Al", "jpg"), ("Bo", "png")) for i in (1, 2)]
    folder(root, *paths)
    (root / "pairs.txt").write_text("1\t2\nAl\t1\t2\nAl\t2\tBo\t1\nBo\t2\t1\n")
    return root


def test_a_folder_as_lfw_has_it(tmp_path: Path) -> None:
    root = lfw(tmp_path)
    for path in (root, root / "pairs.txt"):
        reader = PairsReader(path)
        found = good(reader)
        assert [(sample.pair, sample.same) for sample in found[::2]] == [(0, True), (1, False), (2, True)]
        wanted = [
            "Al/Al_0001.jpg",
            "Al/Al_0002.jpg",
            "Al/Al_0002.jpg",
            "Bo/Bo_0001.png",
            "Bo/Bo_0002.png",
            "Bo/Bo_0001.png",
        ]
        assert [sample.extra["path"] for sample in found] == wanted
        assert [sample.image.data for sample in found if sample.image] == [(root / p).read_bytes() for p in wanted]
        assert len({sample.key for sample in found}) == 6
        about = reader.about()
        assert about.count == 6 and about.facts["pairs"] == 3 and about.facts["from"] == "pairs.txt"
        assert "none" in about.facts["alignment"]
        assert_same(reader.sample(3), found[3], HOLDS)
        assert pairs_folder(path)[0] > 0.9


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    root = folder(tmp_path, "a.jpg", "b.jpg")
    (root / "text.jpg").write_text("no image")
    (root / "pairs_label.txt").write_text(
        "a.jpg b.jpg 1\na.jpg gone.jpg 0\ntext.jpg a.jpg 0\nno pair\n../a.jpg b.jpg 1\n"
    )
    reader = PairsReader(root)
    assert reader.about().count == 10 and reader.about().facts["lines that are no pair"] == 1
    found = list(reader)
    assert [isinstance(item, Broken) for item in found] == [False] * 2 + [True] * 8
    why = [item.why if isinstance(item, Broken) else "" for item in found]
    assert "There is no image gone.jpg in" in why[3] and "000003/gone.jpg, is not there" in why[2]
    assert "is not an image" in why[4] and "2 columns" in why[6] and "leads out of the folder" in why[8]
    assert isinstance(found[6], Broken) and found[6].offset == (root / "pairs_label.txt").read_bytes().index(b"no pair")


def test_a_folder_without_a_list_says_what_to_do(tmp_path: Path) -> None:
    root = folder(tmp_path, "a/1.jpg")
    with pytest.raises(InputError, match=r"has no pairs\.txt .* make=true"):
        PairsReader(root).about()
    with pytest.raises(InputError, match="is a folder where a file is wanted"):
        BinReader(root).about()
    with pytest.raises(InputError, match="cannot be read"):
        PairsReader(root, ReadPairsOptions(list="other.txt")).about()
    assert pairs_folder(root)[0] == 0
    (root / "pairs.txt").write_text("nothing of the kind")
    assert pairs_folder(root)[0] < 0.5


def test_confidence(tmp_path: Path, fixtures: Path) -> None:
    assert bin_file(fixtures / "recognition/small_lfw.bin")[0] > 0.9
    assert bin_file(tmp_path)[0] == 0 and bin_file(tmp_path / "none")[0] == 0
    for data in (b"", JPEG.tobytes(), pickle.dumps({"a": 1}), b"\0" * 99):
        (tmp_path / "it.bin").write_bytes(data)
        assert bin_file(tmp_path / "it.bin")[0] == 0
    (tmp_path / "it.bin").write_bytes(pickle.dumps([1, 2]))
    assert bin_file(tmp_path / "it.bin")[0] < 0.5
    for protocol in range(6):
        for elements in ([JPEG.tobytes()] * 2, [JPEG] * 2):
            (tmp_path / "it.dat").write_bytes(pickle.dumps((elements, [True]), protocol))
            assert bin_file(tmp_path / "it.dat")[0] > 0.5, (protocol, type(elements[0]))


# ---- writing pairs ------------------------------------------------------------------------------------------------


def pairs_writer(options: WritePairsOptions | None = None) -> Any:
    return lambda work: PairsWriter(work, options)


@pytest.mark.parametrize("style", ["label", "lfw"])
@given(seed=st.integers(0, 2**32), count=st.integers(0, 9))
@settings(max_examples=10, deadline=None)
def test_round_trips_of_folders(tmp_path_factory: Any, style: Any, seed: int, count: int) -> None:
    samples = pairs(count, seed)
    options = WritePairsOptions(style=style)
    out = driving.write(pairs_writer(options), tmp_path_factory.mktemp("pairs"), samples, unit=4)
    for found, wanted in zip(good(PairsReader(out)), samples, strict=True):
        assert_same(found, wanted, HOLDS)


@pytest.mark.parametrize("style", ["label", "lfw"])
def test_lfw_keeps_its_names(tmp_path: Path, style: Any) -> None:
    root = lfw(tmp_path / "in")
    out = driving.write(
        pairs_writer(WritePairsOptions(style=style)), tmp_path / "work", good(PairsReader(root)), unit=2
    )
    written = driving.contents(out)
    wanted = driving.contents(root)
    assert {name for name in written if "/" in name} == {name for name in wanted if "/" in name}
    if style == "lfw":
        assert written["pairs.txt"] == b"1\t3\nAl\t1\t2\nAl\t2\tBo\t1\nBo\t2\t1\n"
    else:
        assert written["pairs_label.txt"].splitlines()[1] == b"Al/Al_0002.jpg Bo/Bo_0001.png 0"


def test_paths_of_strangers_stay_inside(tmp_path: Path) -> None:
    image = EncodedImage(JPEG.tobytes(), "jpeg")
    for number, path in enumerate(
        ("../../out.jpg", "/etc/x.jpg", "a b/c d.jpg", "C:\\x.jpg", "x\n1.jpg", 7, "a//b.jpg")
    ):
        samples = [Sample(f"k{side}", image, pair=0, same=True, extra={"path": path}) for side in (0, 1)]
        out = driving.write(pairs_writer(), tmp_path / str(number), samples)
        assert set(driving.contents(out)) == {"k0.jpg", "k1.jpg", "pairs_label.txt"}
        assert len(good(PairsReader(out))) == 2
    assert {path.name for path in tmp_path.iterdir()} == {str(number) for number in range(7)}


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    part = PairsWriter(tmp_path).part(0, 0)
    encoded = [images.encode(np.full((9, 9, 3), grey, np.uint8), ".png") for grey in (0, 9)]
    first, second = (
        Sample(str(i), EncodedImage(data, "png"), pair=0, same=True, extra={"path": "a.png"})
        for i, data in enumerate(encoded)
    )
    part.write(first)
    with pytest.raises(InputError, match="Two different images are called a"):
        part.write(second)


def test_a_writer_of_folders_that_is_killed_goes_on(tmp_path: Path) -> None:
    samples = pairs(9)
    whole = driving.write(pairs_writer(), tmp_path / "a", samples, unit=4)
    resumed = driving.write_with_kills(pairs_writer(), tmp_path / "b", samples, 4)
    assert driving.contents(resumed) == driving.contents(whole)


# ---- making pairs of people ---------------------------------------------------------------------------------------


def people(root: Path, *sizes: int) -> Path:
    for person, size in enumerate(sizes):
        for number in range(size):
            path = root / f"p{person}" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(JPEG.tobytes())
    return root


def test_all_pairs_of_one_person_and_as_many_others(tmp_path: Path) -> None:
    (people(tmp_path, 3, 1, 4) / "stray.jpg").write_bytes(JPEG.tobytes())
    found = People(tmp_path)
    assert (found.same, found.others, found.count) == (3 + 6, 3 * 1 + 3 * 4 + 1 * 4, 3)
    rows = list(found.rows(0, seed=1))
    assert len({(a, b) for a, b, _ in rows}) == len(rows) == 18
    assert [same for *_, same in rows] == [True, False] * 9
    for first, second, same in rows:
        assert first != second and (str(first)[:2] == str(second)[:2]) is same
        assert (tmp_path / str(first)).exists() and (tmp_path / str(second)).exists()
    wanted = {
        pair for p in ("p0", "p2") for pair in itertools.combinations(sorted(x for x in found.images if p in x), 2)
    }
    assert {(a, b) for a, b, same in rows if same} == wanted


def test_every_pair_of_two_can_be_drawn_and_none_twice(tmp_path: Path) -> None:
    found = People(people(tmp_path, 2, 3, 5))
    rows = list(found.rows(10_000, seed=0))
    assert Counter(same for *_, same in rows) == {True: found.same, False: found.others}
    assert len({(a, b) for a, b, _ in rows}) == len(rows)


def test_a_number_of_pairs_is_drawn_by_seed(tmp_path: Path) -> None:
    found = People(people(tmp_path, 20, 20, 20))
    drawn = [list(found.rows(60, seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    for rows in drawn:
        assert Counter(same for *_, same in rows) == {True: 30, False: 30}
        assert len({str(row[0])[:2] for row in rows if row[2]}) == 3, "no person is left out"
    assert [same for *_, same in found.rows(7, 0)] == [True, False, True, False, True, False, True]


@given(st.integers(1, 300), st.text(max_size=5))
def test_the_order_is_a_permutation(count: int, seed: str) -> None:
    assert sorted(shuffled(number, count, seed) for number in range(count)) == list(range(count))


def test_people_who_make_no_pairs(tmp_path: Path) -> None:
    for number, sizes in enumerate(((), (5,), (1, 1, 1))):
        root = people(tmp_path / str(number), *sizes)
        root.mkdir(exist_ok=True)
        with pytest.raises(InputError, match="has no pairs to make"):
            PairsReader(root, ReadPairsOptions(make=True)).about()


# ---- through the engine -------------------------------------------------------------------------------------------


def run(source: Path, target: Path, to: str = "", from_: str = "", **values: Any) -> Converted:
    return convert(make_plan(source, target, {"workers": 1, **values}, from_, to))


def receipt(done: Converted) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(done.receipt.read_text())
    return document


def test_a_folder_of_people_becomes_a_bin(fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / "identities"
    done = run(source, tmp_path / "all.bin", from_="pairs", make=True, resize=112)
    assert (done.read, done.done) == (2 * 160, 2 * 160)
    loaded, same = original(done.target.read_bytes())
    assert Counter(same) == {True: 80, False: 80}
    assert {images.image_size(data) for data in loaded} == {(112, 112)}
    assert "none" in receipt(done)["notes"]["alignment"]
    again = run(source, tmp_path / "two.bin", from_="pairs", make=True, resize=112, workers=2)
    assert again.target.read_bytes() == done.target.read_bytes()


def test_a_set_of_people_in_another_format_is_told_the_way(fixtures: Path, tmp_path: Path) -> None:
    people, target = fixtures / "written_by_originals" / "insightface_rec", tmp_path / "people.bin"
    with pytest.raises(UsageError, match=r"But it can be converted to identity-folders first: --from pairs make=true"):
        make_plan(people, target, {})
    made = convert(make_plan(people, tmp_path / "people", {}, target_format="identity-folders"))
    assert make_plan(made.target, target, {"make": "true"}, "pairs").about.count == 40


def test_bin_to_folder_and_back(fixtures: Path, tmp_path: Path) -> None:
    source = fixtures / "recognition/small_lfw.bin"
    middle = run(source, tmp_path / "pairs", to="pairs").target
    back = run(middle, tmp_path / "back.bin").target
    assert original(back.read_bytes()) == original(source.read_bytes())


def test_a_pair_that_a_filter_cuts_is_put_aside_and_accounted_for(fixtures: Path, tmp_path: Path) -> None:
    source, values = fixtures / "recognition/small_lfw.bin", {"filter": "key!=000003"}
    with pytest.raises(InputError, match="the sample 000002: the other image of its pair is not there"):
        run(source, tmp_path / "out.bin", **values)
    done = run(source, tmp_path / "out.bin", **values, on_error="quarantine")
    assert (done.read, done.done, done.skipped, done.quarantined, done.exit_code) == (20, 18, 1, 1, 3)
    assert done.quarantine is not None
    [reason] = [json.loads(line) for line in (done.quarantine / "reasons.jsonl").read_text().splitlines()]
    assert reason["key"] == "000002" and (done.quarantine / reason["file"]).read_bytes()[:2] == b"\xff\xd8"
    assert len(original(done.target.read_bytes())[1]) == 9


def face(folder_: Path, names: list[str]) -> str:
    """Keypoints for `names` in a file, the same for each."""
    row = " ".join(f"{value:.3f}" for value in (alignment.template() / 4 + [3, 1]).ravel())
    path = folder_ / "label.txt"
    path.write_text("".join(f"{name} {row}\n" for name in names))
    return str(path)


def test_faces_are_aligned_by_given_keypoints_and_counted(tmp_path: Path) -> None:
    root = folder(tmp_path / "in", "a/1.jpg", "a/2.jpg", "b/1.png", shape=(40, 36))
    keypoints = face(tmp_path, ["a/1.jpg", "b/1.png"])
    values = {"make": True, "keypoints": keypoints, "align_format": "png"}
    plan = make_plan(root, tmp_path / "out.bin", values, "pairs")
    assert "112 x 112 pixels by the keypoints of label.txt" in plan.describe()["facts"]["alignment"]
    done = run(root, tmp_path / "out.bin", from_="pairs", **values)
    assert done.notes == receipt(done)["notes"]
    samples = good(PairsReader(root, ReadPairsOptions(make=True)))
    loaded, _ = original(done.target.read_bytes())
    aligned = 0
    for data, sample in zip(loaded, samples, strict=True):
        if sample.extra["path"] == "a/2.jpg":
            assert sample.image is not None and data == sample.image.data
            continue
        aligned += 1
        points = np.round(alignment.template() / 4 + [3, 1], 3).astype(np.float32)
        wanted = alignment.align(images.read(root / sample.extra["path"]), points)
        assert np.array_equal(images.decode(data), wanted)
    assert done.notes["alignment"] == f"{aligned} images aligned, {4 - aligned} not for want of keypoints"


def test_a_detector_aligns(fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", str(fixtures / "yunet"))
    root = tmp_path / "in"
    for name in ("amy", "raj"):
        for number in (1, 2):
            path = root / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((fixtures / "identities" / name / f"{name}{number}.png").read_bytes())
    folder(root, "raj/3.png", shape=(64, 64))
    done = run(root, tmp_path / "out.bin", from_="pairs", make=True, detector="yunet_n")
    assert done.notes["alignment"].endswith("not for want of keypoints")
    loaded, _ = original(done.target.read_bytes())
    sizes = Counter(images.image_size(data) for data in loaded)
    assert sizes[112, 112] > sizes[64, 64] > 0 and sum(sizes.values()) == sizes[112, 112] + sizes[64, 64]
    eyes = [images.decode(data)[40:64, 28:48].mean() for data in loaded if images.image_size(data) == (112, 112)]
    cheeks = [images.decode(data)[66:80, 28:40].mean() for data in loaded if images.image_size(data) == (112, 112)]
    assert sum(eyes) < sum(cheeks), "eyes are darker than cheeks where the template has them"


def test_a_detector_that_does_not_exist(tmp_path: Path) -> None:
    root = people(tmp_path / "in", 2, 2)
    with pytest.raises(UsageError, match="no_such"):
        run(root, tmp_path / "out.bin", from_="pairs", make=True, detector="no_such")
    assert not (tmp_path / "out.bin").exists()


def test_what_a_writer_remembers_does_not_grow(tmp_path: Path) -> None:
    writer: Writer = BinWriter(tmp_path)
    sizes = []
    for number in range(3):
        driving.append(writer, writer, number, pairs(40, number))
        sizes.append(len(json.dumps(writer.state())))
    assert max(sizes) - min(sizes) < 10
