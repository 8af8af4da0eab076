"""WebDataset against Python's tarfile, the package webdataset, random samples, and damage."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo_webdataset import headers
from zoo_webdataset.members import groups
from zoo_webdataset.names import member_name
from zoo_webdataset.options import WriteOptions
from zoo_webdataset.reader import ShardReader
from zoo_webdataset.sniff import sniff
from zoo_webdataset.writer import ShardWriter

from tests.converters.driving import MakeWriter, contents, mutations, write, write_with_kills
from tests.converters.samples import assert_same, random_sample
from zoo.datasets.formats import ANNOTATIONS, KINDS, About
from zoo.datasets.sample import RAW, Annotation, Broken, EncodedImage, Sample
from zoo.datasets.windows import Window
from zoo.errors import InputError

HOLDS = frozenset(ANNOTATIONS)
JPEG = b"\xff\xd8\xff photograph \xff\xd9"


def shards(shard: int = 0, about: About | None = None) -> MakeWriter:
    return lambda work: ShardWriter(work, WriteOptions(shard=shard), about)


def some(kind: str, count: int, seed: int = 0) -> list[Sample]:
    rng = np.random.default_rng(seed)
    return [random_sample(kind, rng, number) for number in range(count)]


def archive(path: Path, members: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    """A tar as Python writes it."""
    with tarfile.open(path, "w", format=form) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def read(path: Path) -> list[Sample | Broken]:
    return list(ShardReader(path))


def offsets(path: Path) -> list[int]:
    return list(ShardReader(path).offsets(path))


# Oracles


@pytest.mark.parametrize("kind", KINDS)
def test_tarfile_reads_what_is_written(tmp_path: Path, kind: str) -> None:
    samples = some(kind, 5)
    samples[0].key = "deep/" * 40 + "x" * 90
    samples[1].key = "y" * 300
    samples[2].key = "bärbel/é"
    written = write(shards(), tmp_path, samples)
    with tarfile.open(written, "r:") as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]
        assert all((m.mtime, m.uid, m.gid, m.mode) == (0, 0, 0, 0o644) for m in tar.getmembers())
    for sample in samples:
        assert sample.image is not None
        assert found[sample.key + sample.image.suffix] == sample.image.data


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_tarfile_writes_is_read(tmp_path: Path, form: int) -> None:
    long = "d/" * 30 + "e" * 90 if form == tarfile.USTAR_FORMAT else "ü" * 200
    keys = ["a", "b/c", "x" * 96, long]
    members = {f"{key}{suffix}": data for key in keys for suffix, data in ((".jpg", JPEG), (".cls", b"7\n"))}
    path = archive(tmp_path / "x.tar", members, form)
    found = read(path)
    assert [sample.key for sample in found] == keys
    assert all(isinstance(s, Sample) and s.image == EncodedImage(JPEG, "jpeg") and s.identity == 7 for s in found)


def test_the_package_webdataset_reads_what_is_written(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    samples = some("detection", 5) + some("identities", 2, seed=9)
    for number, sample in enumerate(samples):
        sample.key = f"dir.with.dots/{number}"
    written = write(shards(), tmp_path, samples).rename(tmp_path / "x.tar")
    found = list(webdataset.WebDataset(str(written), shardshuffle=False, empty_check=False))
    for sample, theirs in zip(samples, found, strict=True):
        assert sample.image is not None
        assert theirs["__key__"] == sample.key
        assert theirs[sample.image.suffix[1:]] == sample.image.data
    assert found[-1]["cls"] == str(samples[-1].identity).encode()


def test_what_the_package_webdataset_writes_is_read(tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    path = tmp_path / "theirs.tar"
    with webdataset.TarWriter(str(path)) as tar:
        for number in range(3):
            document = {"boxes": [[1, 2, 3, 4.5]], "caption": "a face"}
            tar.write({"__key__": f"s{number}", "png": pixels, "cls": number, "json": document, "txt": "hello"})
    found = read(path)
    assert sniff(path)[0] > 0.9
    for number, sample in enumerate(found):
        assert isinstance(sample, Sample) and sample.image is not None and sample.faces is not None
        assert (sample.key, sample.identity) == (f"s{number}", number)
        np.testing.assert_array_equal(sample.image.decode()[:, :, ::-1], pixels)
        np.testing.assert_array_equal(sample.faces.boxes, np.array([[1, 2, 3, 4.5]], np.float32))
        assert sample.extra == {"json": {"caption": "a face"}, "txt": b"hello"}


def test_a_tar_of_photographs_of_another_program_is_read(fixtures: Path) -> None:
    path = fixtures / "recognition" / "small_dataset.tar"
    with tarfile.open(path) as tar:
        wanted = {
            member.name: tar.extractfile(member).read()  # type: ignore[union-attr]
            for member in tar.getmembers()
            if member.name.endswith(".jpg")
        }
    found = [sample for sample in read(path) if isinstance(sample, Sample)]
    assert len(found) == len(read(path)) == len(offsets(path)) == 10, "label.txt is no sample"
    assert {f"{sample.key}.jpg": sample.image.data for sample in found if sample.image} == wanted


# Round trips


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), shard=st.integers(0, 3))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, kind: str, seed: int, shard: int) -> None:
    samples = some(kind, 7, seed)
    reader = ShardReader(write(shards(shard), tmp_path_factory.mktemp("w"), samples))
    for found, wanted in zip(list(reader), samples, strict=True):
        assert_same(found, wanted, HOLDS)
        assert found.size == wanted.size  # type: ignore[union-attr]
    about = reader.about()
    assert (about.kind, about.count) == (kind, 7)


names = st.text(st.characters(), max_size=30)
odd_names = st.sampled_from(
    ["", ".", "..", "/", "a.b", "../../x", "/etc/x", "a//b", "a/./b", "%", "C:\\x", "\ud800", "a/.b"]
)


@settings(max_examples=200, deadline=None)
@given(
    keys=st.sets(names | odd_names, min_size=1, max_size=8), identity=names.map(lambda n: n or None) | st.integers(0)
)
def test_keys_and_identities_of_all_sorts_come_back(
    tmp_path_factory: pytest.TempPathFactory, keys: set[str], identity: Any
) -> None:
    try:
        str(identity).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        identity = "amy"
    samples = [Sample(key, EncodedImage(JPEG, "jpeg"), identity=identity) for key in sorted(keys)]
    found = read(write(shards(), tmp_path_factory.mktemp("w"), samples))
    for sample, wanted in zip(found, samples, strict=True):
        assert_same(sample, wanted, HOLDS)


@given(first=names | odd_names, second=names | odd_names)
def test_names_are_safe_and_no_two_keys_become_one(first: str, second: str) -> None:
    name = member_name(first)
    assert (name == member_name(second)) == (first == second)
    assert "." not in name.rpartition("/")[2] and name.strip("/") == name != ""
    assert not {"", ".", ".."} & set(name.split("/")) and not set('\\:*?"<>|\0') & set(name)


def test_the_names_of_classes_are_kept(tmp_path: Path) -> None:
    about = About("identities", 1, frozenset(), classes=("amy", "bob"))
    samples = [Sample("a", EncodedImage(JPEG), identity=1), Sample("b", EncodedImage(JPEG), identity="007")]
    found = read(write(shards(about=about), tmp_path, samples))
    assert [sample.identity for sample in found if isinstance(sample, Sample)] == ["bob", "007"]


def test_raw_pixels_become_png_and_unknown_bytes_stay(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3)).astype(np.uint8)
    samples = [Sample("a", EncodedImage(pixels.tobytes(), RAW, (5, 4, 3))), Sample("b", EncodedImage(b"what is it"))]
    raw, unknown = read(write(shards(), tmp_path, samples))
    assert isinstance(raw, Sample) and raw.image is not None and raw.image.format == "png"
    np.testing.assert_array_equal(raw.image.decode(), pixels)
    assert isinstance(unknown, Sample) and unknown.image == samples[1].image


def test_what_the_detectors_of_the_zoo_write_is_read(tmp_path: Path) -> None:
    faces = [
        {"box": [1, 2, 3, 4], "score": 0.5, "keypoints": [[i, i] for i in range(5)]},
        {"box": [5, 6, 7, 8], "score": 1},
    ]
    path = archive(tmp_path / "x.tar", {"a.jpg": JPEG, "a.json": json.dumps({"faces": faces, "image": "a"}).encode()})
    (sample,) = read(path)
    assert isinstance(sample, Sample) and sample.faces is not None and sample.faces.boxes is not None
    assert sample.faces.boxes.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert sample.faces.scores is not None and sample.faces.scores.tolist() == [0.5, 1]
    assert sample.faces.keypoints is None, "not every face has them"


# Units, shards, kills


@pytest.mark.parametrize("unit", [1, 2, 3, 10])
def test_units_and_random_access_agree_with_reading_it_all(tmp_path: Path, unit: int) -> None:
    samples = some("detection", 8)
    samples[3].key = "long/" * 60 + "x"
    written = write(shards(3), tmp_path, samples)
    reader = ShardReader(written)
    units = list(reader.units(unit))
    assert [(u.start, u.stop) for u in units] == [(i, min(i + unit, 8)) for i in range(0, 8, unit)]
    keys = [sample.key for u in units for sample in ShardReader(written).read(u)]
    assert keys == [sample.key for sample in samples] == [reader.sample(i).key for i in range(8)]
    with pytest.raises(IndexError):
        reader.sample(-9)


def test_shards_are_numbered_and_a_pattern_names_them(tmp_path: Path) -> None:
    samples = some("identities", 5)
    written = write(shards(2), tmp_path, samples)
    assert list(contents(written)) == ["data-000000.tar", "data-000001.tar", "data-000002.tar"]
    pattern = written / "data-{000001..000002}.tar"
    assert [sample.key for sample in read(pattern)] == [sample.key for sample in samples[2:]]
    for bad in ("data-{2..1}.tar", "data-{0..99999999}.tar"):
        with pytest.raises(InputError, match="mend the range"):
            ShardReader(written / bad)


def test_a_compressed_archive_is_one_unit(tmp_path: Path) -> None:
    samples = some("identities", 4)
    written = write(shards(2), tmp_path, samples)
    for file in list(written.iterdir()):
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    reader = ShardReader(written)
    assert [(u.start, u.stop) for u in reader.units(1)] == [(0, -1), (2, -1)]
    for found, wanted in zip(list(reader), samples, strict=True):
        assert_same(found, wanted, HOLDS)


@pytest.mark.parametrize("shard", [0, 3])
def test_a_killed_writer_goes_on_to_the_same_bytes(tmp_path: Path, shard: int) -> None:
    samples = some("verification", 10)
    undisturbed = contents(write(shards(shard), tmp_path / "a", samples, unit=3))
    assert contents(write_with_kills(shards(shard), tmp_path / "b", samples, unit=3)) == undisturbed


def test_a_sample_that_cannot_be_written_leaves_the_part_as_it_was(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, WriteOptions(shard=0))
    part = writer.part(0, 0)
    part.write(Sample("a", EncodedImage(JPEG)))
    with pytest.raises(InputError, match="neither an image nor faces"):
        part.write(Sample("b"))
    with pytest.raises(InputError, match="infinite"):
        part.write(Sample("b", EncodedImage(JPEG), faces=Annotation(scores=np.array([np.inf], np.float32))))
    part.write(Sample("c", EncodedImage(JPEG)))
    writer.append(0, part.close())
    writer.finish()
    assert [sample.key for sample in read(writer.out)] == ["a", "c"]


def test_an_empty_set_is_an_empty_archive(tmp_path: Path) -> None:
    assert read(write(shards(), tmp_path, [])) == []
    assert list(write(shards(4), tmp_path / "b", []).iterdir()) == []


# Sniffing


def test_how_sure_the_sniffer_is(tmp_path: Path, fixtures: Path) -> None:
    ours = write(shards(2), tmp_path, some("identities", 3))
    photographs = archive(tmp_path / "p.tar", {"a.jpg": JPEG, "b.jpg": JPEG})
    texts = archive(tmp_path / "t.tar", {"a.txt": b"", "b.py": b""})
    (tmp_path / "no.tar").write_bytes(b"no tar" * 200)
    assert sniff(ours)[0] == sniff(ours / "data-000000.tar")[0] == 0.95
    assert 0.5 < sniff(photographs)[0] < 0.7
    assert sniff(archive(tmp_path / "d.tar", {"a.json": b"{}", "b.json": b"{}"}))[0] == 0.7
    assert sniff(archive(tmp_path / "c.tar", {"a.cls": b"1", "b.cls": b"1"}))[0] == 0  # of what, is not there
    assert sniff(texts)[0] == sniff(tmp_path / "no.tar")[0] == sniff(tmp_path / "none")[0] == 0
    assert sniff(fixtures / "written_by_originals" / "im2rec.rec")[0] == sniff(fixtures)[0] == 0


# Damage


@pytest.fixture
def small(tmp_path: Path) -> Path:
    samples = some("identities", 4)
    for sample in samples:
        assert sample.image is not None
        sample.image = EncodedImage(JPEG + sample.image.data[:40], "jpeg")
    return write(shards(), tmp_path, samples)


def test_an_archive_cut_at_any_byte_says_so(tmp_path: Path) -> None:
    small = write(shards(), tmp_path, [Sample(key, EncodedImage(JPEG, "jpeg"), identity=3) for key in ("a", "b")])
    data, whole = small.read_bytes(), read(small)
    for end in range(len(data) - 1023):
        small.write_bytes(data[:end])
        found = read(small)
        assert isinstance(found[-1], Broken) and found[-1].offset >= 0
        good = [sample for sample in found if isinstance(sample, Sample)]
        assert good == whole[: len(good)]
        assert len(good) >= end // 2048 - 1
        assert len(offsets(small)) == len(found)


@pytest.mark.parametrize("compressed", [False, True])
def test_damage_gives_broken_samples_and_the_same_number_of_offsets(small: Path, compressed: bool) -> None:
    data = gzip.compress(small.read_bytes(), mtime=0) if compressed else small.read_bytes()
    for damaged in mutations(data, 400, seed=4):
        small.write_bytes(damaged)
        found = read(small)
        assert all(isinstance(item, Sample | Broken) for item in found)
        assert len(offsets(small)) == len(found)


def test_a_damaged_header_costs_the_samples_on_both_sides(small: Path) -> None:
    whole, data = read(small), bytearray(small.read_bytes())
    third = offsets(small)[2]
    data[third + 1] ^= 1
    small.write_bytes(data)
    found = read(small)
    assert len(found) == 4 and (found[0], found[3]) == (whole[0], whole[3])
    for broken in found[1:3]:
        assert isinstance(broken, Broken) and "checksum" in broken.why and f"byte {third}" in broken.why
    for number, unit in enumerate(ShardReader(small).units(1)):
        assert list(ShardReader(small).read(unit)) == [found[number]]


def test_damage_without_a_name_is_called_after_its_place(small: Path) -> None:
    small.write_bytes(b"no tar" * 200)
    [broken] = read(small)
    assert isinstance(broken, Broken) and broken.key == "member-at-0"


def test_an_end_mark_may_be_short(small: Path) -> None:
    whole, data = read(small), small.read_bytes()
    for short in (1, 511, 512):
        small.write_bytes(data[:-short])
        assert read(small) == whole


def test_archives_that_were_appended_are_read_on(small: Path) -> None:
    whole = read(small)
    small.write_bytes(small.read_bytes() * 2 + bytes(8192))
    assert read(small) == whole * 2


def test_a_block_of_zeros_in_place_of_a_header_is_no_end(small: Path) -> None:
    whole, data = read(small), bytearray(small.read_bytes())
    third = offsets(small)[2]
    data[third : third + 512] = bytes(512)
    small.write_bytes(data)
    found = read(small)
    assert len(found) == 4 and (found[0], found[3]) == (whole[0], whole[3])
    assert all(isinstance(broken, Broken) and f"byte {third}" in broken.why for broken in found[1:3])


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"a.jpg": JPEG, "a.JPG": JPEG}, "twice"),
        ({"a.cls": b"7"}, "no image and no faces"),
        ({"a.jpg": JPEG, "a.json": b"{"}, "no JSON"),
        ({"a.jpg": JPEG, "a.json": b"[" * 100_000}, "no JSON"),
        ({"a.jpg": JPEG, "a.json": b"[1]"}, "no object"),
        ({"a.jpg": JPEG, "a.json": b'{"boxes": [[1, 2, 3]]}'}, "boxes"),
        ({"a.jpg": JPEG, "a.json": b'{"boxes": "many"}'}, "boxes"),
        ({"a.jpg": JPEG, "a.json": b'{"boxes": [[1, 2, 3, 4e50]]}'}, "boxes"),
        ({"a.jpg": JPEG, "a.json": b'{"boxes": [[1, 2, 3, {}]]}'}, "boxes"),
        ({"a.jpg": JPEG, "a.json": b'{"boxes": [[1, 2, 3, 4]], "scores": [1, 2]}'}, "different numbers"),
        ({"a.jpg": JPEG, "a.json": b'{"attributes": {"blur": [0.5]}}'}, "attributes"),
        ({"a.jpg": JPEG, "a.json": b'{"attributes": [1]}'}, "attributes"),
        ({"a.jpg": JPEG, "a.json": b'{"faces": [3]}'}, "faces"),
        ({"a.jpg": JPEG, "a.json": b'{"size": [3]}'}, "size"),
        ({"a.jpg": JPEG, "a.json": b'{"pair": true}'}, "pair"),
        ({"a.jpg": JPEG, "a.json": b'{"key": 5}'}, "key"),
    ],
)
def test_what_makes_a_sample_broken(tmp_path: Path, members: dict[str, bytes], why: str) -> None:
    found = read(archive(tmp_path / "x.tar", {**members, "b.jpg": JPEG}))
    assert isinstance(found[0], Broken) and why in found[0].why and found[0].offset == 0
    assert isinstance(found[1], Sample) and found[1].key == "b"


def test_damaged_documents_are_samples_or_broken(tmp_path: Path) -> None:
    written = write(shards(), tmp_path, some("detection", 1, seed=3))
    with Window(written) as window:
        (group,) = groups(window)
    for damaged in mutations(group.parts[b"json"], 600, seed=5):
        (found,) = read(archive(tmp_path / "x.tar", {"a.jpg": JPEG, "a.json": damaged}))
        assert isinstance(found, Sample | Broken)


@settings(max_examples=300, deadline=None)
@given(block=st.binary(min_size=512, max_size=512))
def test_a_block_of_any_bytes_is_a_header_or_an_error(block: bytes) -> None:
    blank = block[:148] + b" " * 8 + block[156:]
    for candidate in (block, blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]):
        try:
            assert headers.parse(candidate).size >= 0
        except headers.HeaderError:
            continue


def test_old_signed_checksums_are_right_too() -> None:
    block = bytearray(headers.make("é".encode() * 20 + b".jpg", 5))
    block[148:156] = b" " * 8
    total = sum(byte - 256 * (byte > 127) for byte in block)
    block[148:156] = b"%06o\0 " % total
    assert headers.parse(bytes(block)).size == 5


def test_a_photograph_survives(tmp_path: Path) -> None:
    pixels = np.full((16, 16, 3), 77, np.uint8)
    data = cv2.imencode(".jpg", pixels)[1].tobytes()
    (found,) = read(write(shards(), tmp_path, [Sample("a", EncodedImage(data))]))
    assert isinstance(found, Sample) and found.image is not None
    np.testing.assert_array_equal(found.image.decode(), cv2.imdecode(np.frombuffer(data, np.uint8), 1))
