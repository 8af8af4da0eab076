"""RecordIO against files that MXNet and insightface's tools wrote, against random samples, and against damage."""

from __future__ import annotations

import io
import pickle
import shutil
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo_recordio import lists, meta, records
from zoo_recordio.files import find
from zoo_recordio.im2rec import Im2recWriter
from zoo_recordio.insightface import InsightfaceWriter
from zoo_recordio.labels import EXACT, pack_header
from zoo_recordio.options import Im2recOptions, InsightfaceOptions, ReadOptions
from zoo_recordio.reader import RecordReader
from zoo_recordio.sniff import im2rec, insightface

from tests.converters.driving import MakeWriter, append, contents, mutations, write, write_with_kills
from tests.converters.samples import assert_same, random_sample
from zoo.conversion.engine import convert
from zoo.conversion.plan import make_plan
from zoo.datasets.formats import About, Unit
from zoo.datasets.sample import RAW, Broken, EncodedImage, Sample
from zoo.errors import InputError, UsageError
from zoo.safepickle import load

HOLDS = frozenset({"identity", "images"})
LAYOUTS = ("recbuilder", "insightface", "package", "sequential")
SCAN = ReadOptions(index="scan")
JPEG = b"\xff\xd8\xff"


def faces(layout: Any = "recbuilder", about: About | None = None, **options: Any) -> MakeWriter:
    return lambda work: InsightfaceWriter(work, InsightfaceOptions(layout=layout, **options), about)


def lists_of_images(about: About | None = None, **options: Any) -> MakeWriter:
    return lambda work: Im2recWriter(work, Im2recOptions(**options), about)


def some(count: int, seed: int = 0, people: int = 4) -> list[Sample]:
    """Samples grouped by identity."""
    rng = np.random.default_rng(seed)
    samples = [random_sample("identities", rng, number) for number in range(count)]
    for number, sample in enumerate(samples):
        sample.identity = number * people // count
    return samples


def samples_of(path: Path, options: ReadOptions | None = None) -> list[Sample]:
    found = list(RecordReader(path, options))
    assert not [sample for sample in found if isinstance(sample, Broken)]
    return [sample for sample in found if isinstance(sample, Sample)]


def facts_of(path: Path, options: ReadOptions | None = None) -> Any:
    return RecordReader(path, options).about().facts


def originals(fixtures: Path) -> Path:
    return fixtures / "written_by_originals"


def in_sequence(head: bytes, *bodies: bytes) -> bytes:
    return b"".join([head, *bodies])


# Records


def test_what_mxnet_wrote_around_magic_numbers_is_read_and_written_alike(fixtures: Path) -> None:
    path = originals(fixtures) / "mx_edge.rec"
    expected = load((originals(fixtures) / "mx_edge.expected.pkl").read_bytes(), "mx_edge.expected.pkl")
    found = list(records.payloads(path))
    assert [payload for _, payload in found] == expected
    assert len(found) == 15
    assert b"".join(records.pack(payload) for payload in expected) == path.read_bytes()
    rows = [line.split() for line in (originals(fixtures) / "mx_edge.idx").read_text().splitlines()]
    assert [offset for offset, _ in found] == [int(offset) for _, offset in rows]
    with records.Records(path) as file:
        for offset, payload in reversed(found):
            assert file.payload(offset) == payload
            data, start, stop = file.locate(offset)
            assert data[start:stop] == payload
            assert (file.peek(offset).length, file.peek(offset).head) == (len(payload), payload[: records.PEEK])


PAYLOADS = st.lists(st.one_of(st.just(records.MARK), st.binary(max_size=9)), max_size=9).map(b"".join)


@given(st.lists(PAYLOADS, max_size=8))
@settings(max_examples=200, deadline=None)
def test_payloads_with_magic_numbers_come_back(tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("records") / "a.rec"
    packed = [records.pack(payload) for payload in payloads]
    path.write_bytes(b"".join(packed))
    assert [payload for _, payload in records.payloads(path)] == payloads
    for record in packed:
        inside = [at for at in range(4, len(record), 4) if record[at : at + 4] == records.MARK]
        flags = [struct.unpack_from("<I", record, at + 4)[0] >> 29 for at in (0, *inside)]
        assert flags == ([0] if not inside else [1, *[2] * (len(inside) - 1), 3])


def test_records_larger_than_a_chunk_and_across_chunks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = [records.CHUNK * 3 + 1, 5, records.CHUNK - 8, 0, records.CHUNK, *rng.integers(0, 9000, 200).tolist()]
    payloads = [rng.bytes(size) for size in sizes]
    path = tmp_path / "a.rec"
    path.write_bytes(b"".join(records.pack(payload) for payload in payloads))
    assert [payload for _, payload in records.payloads(path)] == payloads


def test_a_payload_of_half_a_gigabyte_is_refused() -> None:
    with pytest.raises(InputError, match="at most 536,870,911 bytes, not 536,870,912"):
        records.pack(bytes(1 << 29))


def part(flag: int, data: bytes) -> bytes:
    return records.MARK + struct.pack("<I", flag << 29 | len(data)) + data + bytes(-len(data) % 4)


@pytest.mark.parametrize(
    ("data", "why", "offset"),
    [
        (part(0, b"good") + part(2, b"abcd"), "a part of a record .2. stands where a record should begin", 12),
        (part(3, b"abcd"), "a part of a record .3. stands where", 0),
        (part(1, b"abcd") + part(0, b"abcd"), "byte 12 has the flag 0: the record's last part is missing", 0),
        (part(1, b"abcd") + part(1, b"abcd") + part(3, b""), "byte 12 has the flag 1", 0),
        (part(1, b"abc") + part(3, b""), "a part at byte 0 has 3 bytes, no multiple of 4", 0),
        (part(1, b"abcd"), "8 bytes should follow but only 0 are left", 0),
        (part(1, b"abcd") + b"somewhat else", "the next part of the record should begin at byte 12", 0),
        (part(5, b"abcd"), "a part of a record .5. stands", 0),
        (b"no magic number", "no record begins here", 0),
        (b"abc", "8 bytes should follow but only 3 are left: it is cut off", 0),
        (records.MARK + b"\xff\xff\xff\x1f" + b"short", "536,870,919 bytes should follow but only 13 are left", 0),
    ],
)
def test_damaged_records_are_named_with_their_offset(tmp_path: Path, data: bytes, why: str, offset: int) -> None:
    path = tmp_path / "a.rec"
    path.write_bytes(data)
    with pytest.raises(records.RecordError, match=why) as caught:
        list(records.payloads(path))
    assert caught.value.offset == offset
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.offset) == (str(caught.value), offset)


# What the original tools wrote


def test_insightfaces_set_is_read(fixtures: Path) -> None:
    path = originals(fixtures) / "insightface_rec"
    found = samples_of(path)
    assert [sample.identity for sample in found] == [0, 0, 0, 1, 1, 2, 2, 2, 2]
    assert [sample.key for sample in found] == [str(number) for number in range(1, 10)]
    assert all(sample.image and sample.image.size == (112, 112) and sample.image.format == "jpeg" for sample in found)
    about = RecordReader(path).about()
    assert (about.kind, about.count, about.holds) == ("identities", 9, HOLDS)
    assert about.facts["header"] == (
        "13 records are 9 images, 3 identities (records 10 to 12) and the header (record 0); only images are samples"
    )
    assert (about.facts["identities"], about.facts["classes"], about.facts["size"]) == (3, 3, "112x112")
    assert list(RecordReader(path).identities()) == [(10, 1, 4), (11, 4, 6), (12, 6, 10)]
    assert list(RecordReader(path, SCAN).identities()) == [(10, 1, 4), (11, 4, 6), (12, 6, 10)]
    assert samples_of(path / "train.rec") == found


def test_the_python_packages_set_is_read(fixtures: Path) -> None:
    path = originals(fixtures) / "insightface_rec_pypkg"
    found = samples_of(path)
    assert [sample.identity for sample in found] == [0, 0, 1, 1, 1, 2]
    assert [sample.key for sample in found] == list("012345")
    assert found[5].extra["label"] == [2.0, 1.0]
    facts = facts_of(path)
    assert (facts["meta"], facts["property"]) == ("train.meta lists 6 images", ["3,112,112", "6"])


def test_face2rec2s_and_im2recs_sets_are_read(fixtures: Path) -> None:
    vectors = samples_of(originals(fixtures) / "face2rec2_style.rec")
    assert [sample.extra["label"] for sample in vectors] == [[0, 1], [0, 1], [1, 1], [1, 1], [1, 1]]
    assert list(RecordReader(originals(fixtures) / "face2rec2_style.rec").identities()) == [(6, 1, 3), (7, 3, 6)]
    named = samples_of(originals(fixtures) / "im2rec.rec")
    assert [sample.key for sample in named[:3]] == ["id_1/2", "id_0/0", "id_2/0"]
    assert [sample.identity for sample in named] == [1, 0, 2, 2, 2, 0, 1, 2, 1]
    assert [sample.extra["key"] for sample in named] == [4, 0, 5, 8, 6, 1, 3, 7, 2]
    unnamed = samples_of(originals(fixtures) / "im2rec.rec", ReadOptions(lst=False))
    assert [sample.key for sample in unnamed] == list("405861372")
    for sample in named:
        number = int(str(sample.identity))
        assert sample.key.startswith(f"id_{number}/")


def test_the_genuine_sample_of_dmlc_is_read(fixtures: Path) -> None:
    found = samples_of(fixtures / "recognition" / "dmlc_sample.rec")
    assert [(sample.key, sample.identity) for sample in found] == [(str(i), i % 2) for i in range(1, 11)]
    assert [sample.image and sample.image.data for sample in found][8:] == [b"9\n" * 10, (b"10\n" * 10)[:30]]


WRITTEN: list[tuple[str, str, list[str], list[str]]] = [
    ("insightface_rec", "recbuilder", ["train.rec", "train.idx", "property"], []),
    ("insightface_rec_pypkg", "package", ["train.rec", "train.idx", "property", "train.meta"], []),
    ("face2rec2_style.rec", "insightface", ["train.rec", "train.idx"], ["face2rec2_style.rec", "face2rec2_style.idx"]),
    ("im2rec.rec", "", ["train.rec", "train.idx", "train.lst"], ["im2rec.rec", "im2rec.idx", "im2rec.lst"]),
]


@pytest.mark.parametrize(("source", "layout", "ours", "theirs"), WRITTEN, ids=lambda value: str(value))
@pytest.mark.parametrize("unit", [1024, 2])
def test_our_bytes_are_those_of_the_originals(
    fixtures: Path, tmp_path: Path, source: str, layout: str, ours: list[str], theirs: list[str], unit: int
) -> None:
    path = originals(fixtures) / source
    make = faces(layout) if layout else lists_of_images()
    out = write(make, tmp_path, samples_of(path), unit)
    for our, their in zip(ours, theirs or ours, strict=True):
        folder = path.parent if theirs else path
        assert (out / our).read_bytes() == (folder / their).read_bytes(), our


@pytest.mark.parametrize("count", [0, 1, 2, 256, 257, 999, 1000, 1001, 2000, 2001, 9000])
def test_train_meta_is_what_pickle_writes(tmp_path: Path, count: int) -> None:
    identities = [number // 3 * 37 for number in range(count)]
    expected = io.BytesIO()
    entries = [{"image_index": number, "image_classes": [label]} for number, label in enumerate(identities)]
    pickle.dump(entries, expected, protocol=5)
    meta.write(tmp_path / "train.meta", [(label, 1) for label in identities], count)
    assert (tmp_path / "train.meta").read_bytes() == expected.getvalue()


# Indices that are missing, wrong or unusual


def copied(source: Path, target: Path) -> Path:
    """A copy that may be written to (the originals may not)."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        shutil.copyfile(path, target / path.name)
    return target


@pytest.fixture
def ranged(tmp_path: Path) -> Path:
    """A set of 30 images of 4 people with header and identities, without a list."""
    return write(faces(list="none"), tmp_path / "ranged", some(30))


def test_a_missing_index_is_rebuilt(ranged: Path) -> None:
    before, facts = samples_of(ranged), facts_of(ranged)
    (ranged / "train.idx").unlink()
    assert samples_of(ranged) == before
    after = facts_of(ranged)
    assert after["index"] == "there is no train.idx; rebuilt by scanning train.rec"
    assert {**after, "index": ""} == {**facts, "index": ""}


WRONG = {
    "text": "not an index\n",
    "three columns": "1\t0\t5\n",
    "empty": "",
    "far": "1\t0\n2\t99999999999999\n",
    "negative": "1\t0\n2\t-8\n",
    "huge": f"1\t0\n2\t{'9' * 5000}\n",
    "long line": "1" * 40_000,
    "beside": "1\t0\n2\t8\n",
    "late": "",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_index_is_rebuilt_and_said(ranged: Path, name: str) -> None:
    before, idx = samples_of(ranged), ranged / "train.idx"
    late = "".join(idx.read_text().splitlines(keepends=True)[1:])
    idx.write_text(WRONG[name] or (late if name == "late" else ""))
    assert samples_of(ranged) == before
    assert facts_of(ranged)["index"].startswith("wrong: train.idx ")
    if name in ("text", "huge"):
        with pytest.raises(InputError, match="index=scan does without"):
            RecordReader(ranged, ReadOptions(index="trust")).about()


def test_an_index_that_ends_early_is_no_silent_loss(ranged: Path) -> None:
    before, idx = samples_of(ranged), ranged / "train.idx"
    idx.write_text("".join(idx.read_text().splitlines(keepends=True)[:20]))
    assert samples_of(ranged) == before
    assert "ends before train.rec, which goes on after byte" in facts_of(ranged)["index"]
    assert [sample.key for sample in samples_of(ranged, ReadOptions(index="trust"))] == [str(i) for i in range(1, 21)]


def test_an_index_in_another_order_gives_the_images_in_its_order(ranged: Path) -> None:
    before, idx = samples_of(ranged), ranged / "train.idx"
    rows = idx.read_text().splitlines(keepends=True)
    idx.write_text("".join(reversed(rows)))
    assert samples_of(ranged) == before[::-1]
    idx.write_text("".join(rows[::2] + rows[1::2]))
    assert samples_of(ranged) == [sample for i in (0, 1) for sample in before[i::2]]
    assert [unit.stop - unit.start for unit in RecordReader(ranged).units(4)][:4] == [4, 4, 4, 3]


def test_a_header_that_counts_other_than_the_index_is_said(ranged: Path) -> None:
    idx = ranged / "train.idx"
    rows = idx.read_text().splitlines(keepends=True)
    idx.write_text("".join(rows[:5] + rows[6:]))
    facts = facts_of(ranged)
    assert facts["images"] == 29
    assert facts["oddities"] == ["the header record speaks of 30 images in 35 records, train.idx lists 29 in 34"]


def rewritten(folder: Path, payloads: list[bytes]) -> Path:
    """A set of these records without an index."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.rec").write_bytes(b"".join(map(records.pack, payloads)))
    return folder


def image(label: Any, own: int, id2: int = 0) -> bytes:
    return pack_header(label, own, id2) + JPEG + bytes([own % 256]) * 20


def test_scanning_takes_ids_for_keys_only_where_they_differ(tmp_path: Path) -> None:
    shuffled = rewritten(tmp_path / "a", [image(own % 2, own) for own in (7, 3, 9)])
    assert [sample.key for sample in samples_of(shuffled)] == ["7", "3", "9"]
    doubled = rewritten(tmp_path / "b", [image(own % 2, own) for own in (7, 3, 7)])
    found = samples_of(doubled)
    assert [sample.key for sample in found] == ["0", "1", "2"]
    assert [sample.extra["id"] for sample in found] == [7, 3, 7]


@pytest.mark.parametrize("place", [0, 2, 4])
def test_the_header_may_be_anywhere_even_nowhere(tmp_path: Path, place: int) -> None:
    images = [image(0, 1), image(0, 2), image(1, 3)]
    identities = [pack_header([1, 3], 4), pack_header([3, 4], 5)]
    header = pack_header([4, 6], 0)
    before = [*images, *identities]
    path = rewritten(tmp_path, [*before[:place], header, *before[place:]])
    assert [sample.identity for sample in samples_of(path)] == [0, 0, 1]
    assert (facts_of(path)["images"], facts_of(path)["identities"]) == (3, 2)
    without = rewritten(tmp_path / "without", before)
    assert [sample.identity for sample in samples_of(without)] == [0, 0, 1]
    assert facts_of(without)["oddities"] == ["its header record is missing"]


def test_a_set_from_1_without_header_is_read_and_said(tmp_path: Path) -> None:
    path = rewritten(tmp_path, [image(0, 1), image(0, 2)])
    (path / "train.idx").write_text("1\t0\n2\t56\n")
    assert [sample.key for sample in samples_of(path)] == ["1", "2"]
    assert "KeyError: 0" in facts_of(path)["oddities"][0]


def test_beyond_2_to_the_24_the_header_is_read_with_its_rounding(tmp_path: Path) -> None:
    """Only the rows near the boundary are there: the header says an even number, meaning an odd one."""
    first = EXACT + 1
    payloads = [image(0, first - 2), image(0, first - 1), pack_header([1, 2], first), pack_header([first, 0], 0)]
    assert struct.unpack("<f", struct.pack("<f", first))[0] == EXACT
    payloads[3] = pack_header([first, first + 1], 0)
    path = rewritten(tmp_path, payloads)
    offsets = [offset for offset, _ in records.payloads(path / "train.rec")]
    keys = [first - 2, first - 1, first, 0]
    (path / "train.idx").write_text("".join(f"{key}\t{at}\n" for key, at in zip(keys, offsets, strict=True)))
    assert [sample.key for sample in samples_of(path)] == [str(first - 2), str(first - 1)]


def test_folders_with_other_and_several_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no \.rec file"):
        find(tmp_path)
    (tmp_path / "b.rec").write_bytes(records.pack(image(0, 1)))
    assert find(tmp_path).rec.name == "b.rec"
    (tmp_path / "a.rec").write_bytes(b"")
    with pytest.raises(InputError, match=r"has 2 \.rec files and no train\.rec; name one of them, a\.rec say"):
        find(tmp_path)
    (tmp_path / "property").write_text("3,112,112\n2\nshuffled\n2018-01-01\n")
    assert facts_of(tmp_path / "b.rec")["classes"] == 3
    with pytest.raises(InputError, match="cannot be read"):
        RecordReader(tmp_path / "c.rec").about()


# Lists


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("0\t0.000000\ta/b.jpg", "im2rec"),
        ("7\t1\t2.5\ta/b.jpg", "im2rec"),
        ("1\ta/b.jpg\t5", "insightface"),
        ("0\t/a/b.jpg\t5\t1\t2\t3\t4\t1\t2\t3\t4\t5\t1\t2\t3\t4\t5", "insightface"),
    ],
)
def test_the_order_of_columns_is_told(line: str, order: str) -> None:
    assert lists.order(line.split("\t"), "line 1") == order


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("5\ta/b.jpg\t3", "a path in column 2 and '5' in column 1: its columns seem to be swapped"),
        ("a/b.jpg\t1\t3", "a path in column 1 and 'a/b.jpg' in column 1"),
        ("0.5\t1\ta/b.jpg", "a path in column 3 and '0.5' in column 1"),
        ("a\tb\tc", "3 columns that are no numbers"),
        ("1 2 a.jpg", "has 1 columns, but should have, parted by tabs, key, label, path"),
    ],
)
def test_swapped_columns_are_named(line: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        lists.order(line.split("\t"), "train.lst line 1")
    assert why in str(caught.value)
    assert str(caught.value).startswith("train.lst line 1 has ")


def test_lists_that_do_not_fit_are_left_aside_and_said(tmp_path: Path) -> None:
    out = write(faces(), tmp_path, some(6))
    assert facts_of(out)["list"] == "train.lst, columns as insightface has them"
    lst = out / "train.lst"
    good = lst.read_text()
    lst.write_text(good + "1\tone/more.jpg\t3\n")
    assert facts_of(out)["list"] == "not used: train.lst has 7 lines for 6 images"
    assert [sample.key for sample in samples_of(out)] == list("123456")
    lst.write_text(good.replace("1\tset", "9\tset"))
    assert "seem to be swapped" in facts_of(out)["list"]
    lst.write_text("".join(f"{key}\t0\tp{key}.jpg\n" for key in (6, 5, 4, 3, 2, 1)))
    assert "gives the key '6' where the records have 1" in facts_of(out)["list"]
    lst.write_text("".join(f"{key}\t0\tp{key}.jpg\n" for key in (1, 2, 3, 5, 4, 6)))
    found = list(RecordReader(out))
    assert [type(sample) for sample in found] == [Sample, Sample, Sample, Broken, Broken, Sample]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("a/b.jpg", "a/b"),
        ("/data/faces/0_1.JPEG", "data/faces/0_1"),
        ("../../etc/passwd", "etc/passwd"),
        ("C:\\faces\\a.png", "C_/faces/a"),
        ("a.b/c", "a.b/c"),
        ("a/b.GIF", "a/b"),
        ("v1.5/.jpg", "v1.5/.jpg"),
        ("", "unnamed"),
    ],
)
def test_keys_from_paths_stay_inside(path: str, key: str) -> None:
    assert lists.key_of(path) == key


def test_long_lists_are_entered_in_the_middle(tmp_path: Path) -> None:
    samples = some(3000)
    for number, sample in enumerate(samples):
        sample.key = f"{'long/' * (number % 40)}{number:05d}"
        sample.image = EncodedImage(JPEG + bytes([number % 256]), "jpeg")
    out = write(lists_of_images(list="im2rec"), tmp_path, samples, 700)
    reader = RecordReader(out)
    for size in (1, 999, 1024, 5000):
        places = list(reader.units(size))
        assert [(unit.start, unit.stop) for unit in places][-1][1] == 3000
        for unit in places[-3:]:
            found = [sample.key for sample in reader.read(unit) if isinstance(sample, Sample)]
            assert found == [sample.key for sample in samples[unit.start : unit.stop]]
    assert reader.sample(2999).key == samples[2999].key


# What we write


@pytest.mark.parametrize("layout", LAYOUTS)
@given(seed=st.integers(0, 1 << 30), count=st.integers(1, 30), people=st.integers(1, 30))
@settings(max_examples=15, deadline=None)
def test_random_samples_come_back(
    tmp_path_factory: pytest.TempPathFactory, layout: str, seed: int, count: int, people: int
) -> None:
    samples = some(count, seed, people)
    out = write(faces(layout), tmp_path_factory.mktemp("random"), samples, 7)
    reader = RecordReader(out)
    assert reader.about().count == count
    assert reader.about().holds == HOLDS | {"keys"}
    for found, wanted in zip(reader, samples, strict=True):
        assert_same(found, wanted, HOLDS | {"keys"})
    (out / "train.idx").unlink()
    for found, wanted in zip(RecordReader(out), samples, strict=True):
        assert_same(found, wanted, HOLDS | {"keys"})


LABELS = st.one_of(
    st.floats(width=32),
    st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=5),
    st.just(struct.unpack("<ff", records.MARK + records.MARK)[0]),
    st.lists(st.just(struct.unpack("<f", records.MARK)[0]), min_size=1, max_size=3),
)
WHOLE = st.integers(0, (1 << 62) - 1)


@given(st.lists(st.tuples(LABELS, WHOLE, st.integers(0, (1 << 64) - 1)), min_size=1, max_size=8), st.booleans())
@settings(max_examples=100, deadline=None)
def test_records_with_any_labels_and_ids_are_copied_exactly(
    tmp_path_factory: pytest.TempPathFactory, labels: list[tuple[Any, int, int]], scan: bool
) -> None:
    folder = tmp_path_factory.mktemp("labels")
    rows = [pack_header(label, own, id2) + JPEG + records.MARK * 2 for label, own, id2 in labels]
    source = rewritten(folder / "source", rows)
    if not scan:
        offsets = [offset for offset, _ in records.payloads(source / "train.rec")]
        (source / "train.idx").write_text("".join(f"{i * 3}\t{offset}\n" for i, offset in enumerate(offsets)))
    out = write(lists_of_images(), folder, samples_of(source), 3)
    assert (out / "train.rec").read_bytes() == (source / "train.rec").read_bytes()
    if not scan:
        assert (out / "train.idx").read_bytes() == (source / "train.idx").read_bytes()


def test_the_first_number_of_a_vector_in_the_header_is_kept(tmp_path: Path) -> None:
    """The C++ im2rec writes the first label of a vector into the header too."""
    source = rewritten(tmp_path / "source", [pack_header([3, 0.5], 0, 0, 3.0) + JPEG])
    assert samples_of(source)[0].identity == 3
    out = write(lists_of_images(), tmp_path, samples_of(source))
    assert (out / "train.rec").read_bytes() == (source / "train.rec").read_bytes()


def test_ids_follow_the_keys_when_images_are_left_out(tmp_path: Path) -> None:
    samples = some(10)
    whole = samples_of(write(faces(), tmp_path / "whole", samples))
    kept = [sample for number, sample in enumerate(whole) if number not in (0, 5)]
    again = write(faces(), tmp_path / "kept", kept, 3)
    assert [(sample.extra["key"], sample.extra.get("id")) for sample in samples_of(again)] == [
        (key, None) for key in range(1, 9)
    ]
    fresh = [sample for number, sample in enumerate(samples) if number not in (0, 5)]
    assert contents(again) == contents(write(faces(), tmp_path / "fresh", fresh, 1024))


def test_names_are_numbered_in_the_order_of_the_classes(tmp_path: Path) -> None:
    samples, people = some(4, people=2), ("raj", "amy")
    for sample in samples:
        sample.identity = people[int(str(sample.identity))]
    about = About("identities", 4, HOLDS, ("amy", "raj"))
    out = write(faces(about=about), tmp_path / "named", samples)
    assert "names became numbers from 0 on" in faces(about=about)(tmp_path).notes()["identities"]
    assert [sample.identity for sample in samples_of(out)] == [1, 1, 0, 0]
    assert (out / "property").read_text().startswith("2,")
    short = About("identities", 4, HOLDS, ("amy",))
    with pytest.raises(InputError, match="The identity 'raj' is not in the source's own list"):
        write(faces(about=short), tmp_path / "unlisted", samples)


def unlisted(count: int) -> tuple[list[Sample], list[Sample]]:
    """People with names, one after the other, and the same with numbers in their order."""
    numbered = [replace(sample, identity=number // 3) for number, sample in enumerate(some(count))]
    return [replace(sample, identity=f"n\u00e9 {sample.identity}") for sample in numbered], numbered


@pytest.mark.parametrize("layout", ["recbuilder", "package"])
@pytest.mark.parametrize("unit", [1, 4, 1024])
@pytest.mark.parametrize("columns", ["insightface", "im2rec", "none"])
def test_names_that_are_not_listed_are_numbered_as_they_come(
    tmp_path: Path, layout: str, unit: int, columns: str
) -> None:
    """Each unit alone numbers the names in it from 0 on: the set's numbers are another matter."""
    names, numbers = unlisted(20)
    make = faces(layout, list=columns)
    wanted = contents(write(make, tmp_path / "numbers", numbers))
    assert contents(write(make, tmp_path / "names", names, unit)) == wanted
    assert contents(write_with_kills(make, tmp_path / "killed", names, unit)) == wanted


def test_the_first_of_several_labels_is_the_name(tmp_path: Path) -> None:
    names, numbers = unlisted(9)
    for sample in [*names, *numbers]:
        sample.extra["label"] = [0.0, 1.0, 0.25]
    make = lists_of_images()
    wanted = contents(write(make, tmp_path / "numbers", numbers))
    assert contents(write(make, tmp_path / "names", names, 4)) == wanted


def test_names_beside_numbers_are_refused(tmp_path: Path) -> None:
    names, numbers = unlisted(4)
    for mixed in ([*names, *numbers], [*numbers, *names]):
        for unit in (4, 1024):
            with pytest.raises(InputError, match="Some identities are names and others are numbers"):
                write(faces("sequential"), tmp_path / f"{unit}", mixed, unit)


def test_ranges_need_grouped_identities_and_say_so(tmp_path: Path) -> None:
    samples = some(8)
    mixed = samples[::2] + samples[1::2]
    with pytest.raises(InputError, match=r"not grouped by identity: 0 comes back after others.*layout=sequential"):
        write(faces(), tmp_path / "ranged", mixed, 3)
    for layout in ("package", "sequential"):
        out = write(faces(layout), tmp_path / layout, mixed, 3)
        assert [sample.identity for sample in samples_of(out)] == [sample.identity for sample in mixed]
        assert facts_of(out)["header"] == "none"


def test_property_states_height_before_width_of_the_first_image(tmp_path: Path) -> None:
    samples = some(3)
    assert samples[0].size
    width, height = samples[0].size
    assert (write(faces(), tmp_path, samples) / "property").read_text() == f"3,{height},{width}\n"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"image": None}, "The sample set/000000 has no image"),
        ({"image": EncodedImage(b"")}, "has no image"),
        ({"identity": None}, "The label None is no number of an identity"),
        ({"identity": -1}, "The label -1 is no number of an identity"),
        ({"identity": EXACT + 1}, "The label 16777217 is no number"),
        ({"extra": {"id": -5}}, "out of range for a record"),
        ({"extra": {"id": 1 << 64}}, "out of range for a record"),
        ({"extra": {"label": [1.0, 1e300]}}, "out of range for a record"),
    ],
)
def test_what_cannot_be_written_leaves_the_part_as_it_was(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    good, bad = some(3), some(1)[0]
    for name, value in change.items():
        setattr(bad, name, value)
    writer = faces()(tmp_path / "with")
    made = writer.part(0, 0)
    made.write(good[0])
    with pytest.raises(InputError, match=why):
        made.write(bad)
    for sample in good[1:]:
        made.write(sample)
    writer.append(0, made.close())
    writer.finish()
    assert contents(writer.out) == contents(write(faces(), tmp_path / "without", good))


def test_im2rec_takes_labels_of_any_kind_but_not_inexact_ones(tmp_path: Path) -> None:
    samples = some(3)
    samples[0].identity, samples[0].extra = None, {"label": 0.25}
    samples[1].identity = -(1 << 30)
    found = samples_of(write(lists_of_images(name="a.b-1"), tmp_path / "good", samples))
    assert [sample.identity for sample in found] == [None, -(1 << 30), 2]
    assert find(tmp_path / "good" / "out").rec.name == "a.b-1.rec"
    with pytest.raises(UsageError, match="Option name takes letters"):
        lists_of_images(name="a/../b")(tmp_path)
    for value in (EXACT + 1, 1 << 200):
        samples[2].identity = value
        with pytest.raises(InputError, match="is beyond 16,777,216, up to which labels"):
            write(lists_of_images(), tmp_path / "bad", samples)
    samples[2].identity, samples[2].extra = None, {}
    with pytest.raises(InputError, match="has no identity, which is the label"):
        write(lists_of_images(), tmp_path / "none", samples)


@pytest.mark.parametrize("own", [None, 5])
def test_a_label_like_the_magic_number_is_written_only_where_its_id_is_known(tmp_path: Path, own: int | None) -> None:
    """The id of a counted key may be corrected later, which needs its place in the record."""
    sample = some(1)[0]
    sample.identity = int(struct.unpack("<f", records.MARK)[0])
    sample.extra = {} if own is None else {"id": own}
    if own is None:
        with pytest.raises(InputError, match="looks like RecordIO's magic number"):
            write(lists_of_images(), tmp_path, [sample])
    else:
        assert samples_of(write(lists_of_images(), tmp_path, [sample]))[0].identity == sample.identity


@pytest.mark.parametrize("layout", LAYOUTS)
def test_more_images_than_float32_counts_are_refused(
    tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo_recordio.insightface.EXACT", 20)
    if layout in ("package", "sequential"):
        write(faces(layout), tmp_path, some(25), 10)
        return
    with pytest.raises(InputError, match="cannot count more than 20 images and identities exactly"):
        write(faces(layout), tmp_path / "images", some(25), 10)
    with pytest.raises(InputError, match="cannot count more than 20 images and identities exactly"):
        write(faces(layout), tmp_path / "identities", some(15, people=8), 10)


def test_bare_pixels_are_encoded_and_noted(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (8, 12, 3), np.uint8)
    bare = Sample("a", EncodedImage(pixels.tobytes(), RAW, (8, 12, 3)), identity=0)
    writer = faces(encoding="png")(tmp_path)
    append(writer, writer, 0, [bare])
    writer.finish()
    (found,) = samples_of(writer.out)
    assert found.image
    assert np.array_equal(found.image.decode(), pixels)
    assert writer.notes() == {"encoded": "1 images as png"}
    assert (writer.out / "train.lst").read_text() == "1\ta.png\t0\n"


def test_an_empty_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no image to write"):
        write(lists_of_images(), tmp_path, [])


@pytest.mark.parametrize("layout", [*LAYOUTS, "im2rec"])
def test_killed_and_continued_gives_the_same_bytes(tmp_path: Path, layout: str) -> None:
    samples = some(23, people=3)
    make = lists_of_images() if layout == "im2rec" else faces(layout)
    if layout == "sequential":
        make = faces("sequential", list="none")
    undisturbed = contents(write(make, tmp_path / "a", samples, 4))
    assert contents(write_with_kills(make, tmp_path / "b", samples, 4)) == undisturbed
    assert contents(write(make, tmp_path / "c", samples)) == undisturbed


# Through the engine


@pytest.mark.parametrize("workers", [1, 2])
def test_a_set_converted_to_its_own_layout_is_itself(ranged: Path, tmp_path: Path, workers: int) -> None:
    plan = make_plan(ranged, tmp_path / "again", {"workers": workers, "list": "none"}, "", "insightface-rec")
    assert plan.reads.name == "insightface-rec"
    assert convert(plan).done == 30
    assert contents(tmp_path / "again") == contents(ranged)


def test_sniffers_tell_the_formats_apart(fixtures: Path, tmp_path: Path) -> None:
    path = originals(fixtures)
    for name in ("insightface_rec", "insightface_rec_pypkg", "face2rec2_style.rec"):
        assert insightface(path / name)[0] > 0.9 > im2rec(path / name)[0], name
    assert im2rec(path / "im2rec.rec")[0] > 0.8 > insightface(path / "im2rec.rec")[0]
    found = im2rec(path / "mx_edge.rec")
    assert found == (0.2, "mx_edge.rec is RecordIO, but its first record has no label header")
    assert insightface(path / "mx_edge.rec")[0] == 0.0
    for name in ("verif_py3_bytes.bin", "im2rec_images", "tf_edge.tfrecord"):
        assert (insightface(path / name)[0], im2rec(path / name)[0]) == (0.0, 0.0), name
    (tmp_path / "empty.rec").write_bytes(b"")
    assert im2rec(tmp_path / "empty.rec")[0] == im2rec(tmp_path / "none.rec")[0] == im2rec(tmp_path)[0] == 0.0
    renamed = tmp_path / "renamed.dat"
    shutil.copyfile(path / "im2rec.rec", renamed)
    assert im2rec(renamed)[0] > 0.8


# Reading in any way


@pytest.mark.parametrize("options", [None, SCAN])
def test_units_and_random_access_agree(ranged: Path, options: ReadOptions | None) -> None:
    reader = RecordReader(ranged, options)
    everything = list(reader)
    assert [reader.sample(i) for i in range(30)] == everything
    for size in (1, 7, 30, 1000):
        places = list(reader.units(size))
        assert [unit.stop - unit.start for unit in places[:-1]] == [size] * (len(places) - 1)
        afresh = RecordReader(ranged, options)
        assert [sample for unit in reversed(places) for sample in reversed(list(afresh.read(unit)))] == everything[::-1]


def test_an_index_that_became_shorter_is_no_silent_loss(ranged: Path) -> None:
    reader = RecordReader(ranged)
    (unit,) = reader.units()
    idx = ranged / "train.idx"
    idx.write_text("".join(idx.read_text().splitlines(keepends=True)[:3]))
    with pytest.raises(InputError, match="became shorter while it was read"):
        list(reader.read(unit))


# Damage


def test_one_broken_record_costs_one_sample(ranged: Path) -> None:
    before = samples_of(ranged)
    offsets = [offset for offset, _ in records.payloads(ranged / "train.rec")]
    data = bytearray((ranged / "train.rec").read_bytes())
    data[offsets[4] + 3] ^= 1
    data[offsets[8] + 7] |= 0x1F
    data[offsets[12] + 8 + 3] = 9
    (ranged / "train.rec").write_bytes(data)
    for options in (None, SCAN):
        found = list(RecordReader(ranged, options))
        assert [i for i, sample in enumerate(found) if isinstance(sample, Broken)] == [4, 8, 12]
        assert [sample for i, sample in enumerate(found) if i not in (4, 8, 12)] == [
            sample for i, sample in enumerate(before) if i not in (4, 8, 12)
        ]
        broken = [sample for sample in found if isinstance(sample, Broken)]
        assert [(item.where, item.offset) for item in broken] == [("train.rec", offsets[i]) for i in (4, 8, 12)]
        assert broken[0].why == "no record begins here"
        assert broken[2].why.startswith("its label should have 150,994,944 numbers, but the record has ")
        assert before[12].image and broken[2].data.endswith(before[12].image.data)
        with pytest.raises(InputError, match=rf"at byte {offsets[4]:,}\) cannot be read: no record begins"):
            RecordReader(ranged, options).sample(4)


def test_imageless_records_are_no_samples(tmp_path: Path) -> None:
    path = rewritten(tmp_path, [image(0, 0), pack_header(1, 1), b"short"])
    found = list(RecordReader(path))
    assert [sample.why for sample in found if isinstance(sample, Broken)] == [
        "it holds no image",
        "its 5 bytes are no label header, which takes 24",
    ]


def walk(path: Path) -> Iterator[Sample | Broken]:
    """Everything that a reader can be asked for."""
    reader = RecordReader(path)
    about = reader.about()
    found = list(reader)
    assert len(found) == about.count
    list(reader.identities())
    yield from found


def test_cut_off_at_every_byte(tmp_path: Path) -> None:
    whole = rewritten(tmp_path / "whole", [image(i // 2, i + 1) for i in range(4)])
    data = (whole / "train.rec").read_bytes()
    before = {sample.key: sample for sample in samples_of(whole)}
    for indexed in (False, True):
        cut = tmp_path / f"cut{indexed}"
        cut.mkdir()
        if indexed:
            (cut / "train.idx").write_text("".join(f"{i + 1}\t{i * 56}\n" for i in range(4)))
        for length in range(len(data)):
            (cut / "train.rec").write_bytes(data[:length])
            try:
                found = list(walk(cut))
            except InputError as error:
                assert length < 56, error
                continue
            good = [sample for sample in found if isinstance(sample, Sample)]
            assert [before[sample.key] for sample in good] == good
            assert len(good) == (length + 1) // 56, "the last byte is padding"


@pytest.mark.parametrize("name", ["train.rec", "train.idx", "train.lst", "property", "train.meta"])
def test_mutations_are_survived(tmp_path: Path, name: str) -> None:
    layout = "package" if name == "train.meta" else "recbuilder"
    path = write(faces(layout), tmp_path, some(12))
    data = (path / name).read_bytes()
    for damaged in mutations(data, 400, seed=len(name)):
        (path / name).write_bytes(damaged)
        insightface(path)
        im2rec(path)
        try:
            for sample in walk(path):
                assert isinstance(sample, Sample) or sample.why
        except InputError:
            pass


def test_a_claimed_size_allocates_nothing(tmp_path: Path) -> None:
    import tracemalloc

    huge = records.MARK + struct.pack("<I", (1 << 29) - 1)
    (tmp_path / "train.rec").write_bytes(records.pack(image(0, 0)) + huge + bytes(100))
    labels = struct.pack("<IfQQ", (1 << 32) - 1, 0, 1, 0) + JPEG
    with (tmp_path / "train.rec").open("ab") as stream:
        stream.write(records.pack(labels))
    tracemalloc.start()
    found = list(RecordReader(tmp_path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [type(sample) for sample in found] == [Sample, Broken, Broken]
    assert peak < 4_000_000


def test_units_are_json(ranged: Path) -> None:
    import json

    for options in (None, SCAN):
        for unit in RecordReader(ranged, options).units(7):
            place = json.loads(json.dumps(unit.place))
            assert place == unit.place
            assert list(RecordReader(ranged, options).read(Unit(unit.start, unit.stop, place)))
