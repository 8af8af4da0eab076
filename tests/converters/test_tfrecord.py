"""TFRecord against files that TensorFlow wrote, against random samples, and against damage."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zoo_tfrecord import deflate, files, records, schema, wire
from zoo_tfrecord.landmark56 import Landmark56Reader, Landmark56Writer
from zoo_tfrecord.options import Landmark56Options, ReadOptions, WriteOptions
from zoo_tfrecord.reader import ExampleReader
from zoo_tfrecord.sniff import sniff, sniff_landmark56
from zoo_tfrecord.writer import ExampleWriter

from tests.converters.driving import MakeWriter, contents, mutations, write, write_with_kills
from tests.converters.samples import assert_same, random_sample
from zoo.datasets.formats import ANNOTATIONS, KINDS, About, Unit
from zoo.datasets.sample import RAW, Annotation, Broken, EncodedImage, Sample
from zoo.datasets.windows import Inflated, Window
from zoo.errors import InputError, UsageError

HOLDS = frozenset(ANNOTATIONS)
PAYLOADS = [b"", b"a", b"hello world", bytes(range(256)) * 4]


def examples(options: WriteOptions | None = None, about: About | None = None) -> MakeWriter:
    return lambda work: ExampleWriter(work, options, about)


def some(kind: str, count: int, seed: int = 0) -> list[Sample]:
    rng = np.random.default_rng(seed)
    return [random_sample(kind, rng, number) for number in range(count)]


def all_payloads(path: Path, verify: bool = True) -> list[bytes | Broken]:
    with files.window(path) as window:
        return [payload for _, payload in records.payloads(window, path.name, verify)]


def all_offsets(path: Path) -> list[int]:
    with files.window(path) as window:
        return list(records.offsets(window))


# What TensorFlow wrote


@pytest.mark.parametrize("name", ["tf_edge.tfrecord", "tf_edge.gzip.tfrecord", "tf_edge.zlib.tfrecord"])
def test_records_of_tensorflow_are_read(fixtures: Path, name: str) -> None:
    path = fixtures / "written_by_originals" / name
    assert all_payloads(path) == PAYLOADS
    assert all_offsets(path) == [0, 16, 33, 60]


def test_records_are_written_as_tensorflow_writes_them(fixtures: Path) -> None:
    ours = b"".join(map(records.frame, PAYLOADS))
    assert ours == (fixtures / "written_by_originals" / "tf_edge.tfrecord").read_bytes()


@pytest.mark.parametrize(("name", "strings"), [("py2style", "many"), ("singlebytes", "one")])
def test_landmarks_of_tensorflow_are_read_and_written_to_the_last_bit(
    fixtures: Path, tmp_path: Path, name: str, strings: Any
) -> None:
    path = fixtures / "written_by_originals" / f"landmark56.{name}.tfrecord"
    expected = np.load(fixtures / "written_by_originals" / "landmark56_expected.npz")
    samples = [sample for sample in Landmark56Reader(path) if isinstance(sample, Sample)]
    assert len(samples) == 3
    for sample, image, points in zip(samples, expected["images"], expected["points"], strict=True):
        assert sample.image is not None and sample.faces is not None and sample.faces.landmarks is not None
        np.testing.assert_array_equal(sample.image.decode(), image)
        np.testing.assert_array_equal(sample.faces.landmarks, points.reshape(1, 68, 2) * np.float32(56))
    written = write(lambda work: Landmark56Writer(work, Landmark56Options(strings=strings)), tmp_path, samples)
    assert written.read_bytes() == path.read_bytes()


def test_the_landmark_format_is_told_from_other_examples(fixtures: Path, tmp_path: Path) -> None:
    theirs = fixtures / "written_by_originals" / "landmark56.py2style.tfrecord"
    ours = write(examples(), tmp_path, some("identities", 2))
    assert sniff_landmark56(theirs)[0] > sniff(theirs)[0] > 0.5
    assert sniff(ours)[0] > 0.8 and sniff_landmark56(ours)[0] == 0
    for name in ("tf_edge.gzip.tfrecord", "insightface_rec/train.rec", "im2rec.lst", "nothing"):
        assert max(sniff(theirs.parent / name)[0], sniff_landmark56(theirs.parent / name)[0]) < 0.5


# Round trips


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), compression=st.sampled_from(["none", "gzip", "zlib"]), shard=st.integers(0, 3))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, kind: str, seed: int, compression: Any, shard: int
) -> None:
    samples = some(kind, 7, seed)
    options = WriteOptions(compression=compression, shard=shard)
    written = write(examples(options), tmp_path_factory.mktemp("w"), samples)
    reader = ExampleReader(written)
    for found, wanted in zip(list(reader), samples, strict=True):
        assert_same(found, wanted, HOLDS)
        assert found.size == wanted.size  # type: ignore[union-attr]
    about = reader.about()
    assert about.kind == kind
    assert about.count == (7 if compression == "none" else None)


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=100, deadline=None)
@given(key=names, identity=st.none() | names | st.integers(-(2**63), 2**63 - 1), pair=st.none() | st.integers(0, 2**62))
def test_names_and_numbers_of_all_sorts(key: str, identity: int | str | None, pair: int | None) -> None:
    sample = Sample(key, EncodedImage(b"no image", ""), identity=identity, pair=pair)
    assert_same(schema.read_sample(schema.write_sample(sample), 0), sample, HOLDS)


def test_raw_pixels_and_images_of_unknown_format_pass_through() -> None:
    grey = EncodedImage(bytes(range(12)), RAW, (4, 3, 1))
    found = schema.read_sample(schema.write_sample(Sample("a", grey)), 0)
    assert found.image == grey and found.size == (3, 4)
    found = schema.read_sample(schema.write_sample(Sample("a", EncodedImage(b"\x89PNG..."))), 0)
    assert found.image == EncodedImage(b"\x89PNG...", "png")


def test_the_names_of_classes_are_kept() -> None:
    data = schema.write_sample(Sample("a", EncodedImage(b""), identity=1), classes=("amy", "bob"))
    assert schema.read_sample(data, 0).identity == "bob"


def test_entries_are_sorted_as_deterministic_protobuf_sorts_them() -> None:
    sample = some("detection", 1, seed=3)[0]
    sample.identity, sample.pair, sample.same = "amy", 1, True
    keys = list(wire.features(schema.write_sample(sample, fractions=True)))
    assert keys == sorted(keys) and b"image/object/bbox/xmin" in keys


def test_boxes_as_fractions_are_read_where_there_are_no_others(tmp_path: Path) -> None:
    boxes = np.array([[1, 2, 3, 4], [10, 10, 20, 16]], np.float32)
    entries = [
        wire.bytes_feature(b"image/encoded", b"jpeg"),
        wire.integers_feature(b"image/height", [32]),
        *(
            wire.floats_feature(b"image/object/bbox/" + side, boxes[:, column] / (64, 32)[column % 2])
            for side, column in ((b"xmax", 2), (b"xmin", 0), (b"ymax", 3), (b"ymin", 1))
        ),
        wire.integers_feature(b"image/width", [64]),
    ]
    path = tmp_path / "od.tfrecord"
    path.write_bytes(records.frame(wire.example(entries)))
    reader = ExampleReader(path)
    assert reader.about().kind == "detection" and "boxes" in reader.about().holds
    (sample,) = reader
    assert isinstance(sample, Sample) and sample.faces is not None
    np.testing.assert_array_equal(sample.faces.boxes, boxes)


@pytest.mark.parametrize("unit", [1, 2, 3, 10])
def test_units_and_random_access_agree_with_reading_it_all(tmp_path: Path, unit: int) -> None:
    samples = some("identities", 8)
    written = write(examples(WriteOptions(shard=3)), tmp_path, samples)
    reader = ExampleReader(written)
    units = list(reader.units(unit))
    assert [(u.start, u.stop) for u in units] == [(i, min(i + unit, 8)) for i in range(0, 8, unit)]
    keys = [sample.key for u in units for sample in ExampleReader(written).read(u)]
    assert keys == [sample.key for sample in samples] == [reader.sample(i).key for i in range(8)]
    with pytest.raises(IndexError):
        reader.sample(8)


def test_compressed_files_are_units_with_right_numbers(tmp_path: Path) -> None:
    written = write(examples(WriteOptions(shard=3, compression="zlib")), tmp_path, some("identities", 8))
    reader = ExampleReader(written)
    assert [(u.start, u.stop) for u in reader.units()] == [(0, -1), (3, -1), (6, -1)]
    with pytest.raises(TypeError, match="compressed"):
        reader.sample(0)


# Files


def test_shards_have_the_names_of_tensorflow(tmp_path: Path) -> None:
    written = write(examples(WriteOptions(shard=4, name="train")), tmp_path, some("identities", 9))
    assert list(contents(written)) == [f"train-{i:05d}-of-00003.tfrecord" for i in range(3)]
    with pytest.raises(UsageError, match="name"):
        ExampleWriter(tmp_path, WriteOptions(name="../x"))


def test_a_part_of_more_than_a_shard_becomes_several_files(tmp_path: Path) -> None:
    written = write(examples(WriteOptions(shard=2)), tmp_path, some("identities", 5), unit=5)
    assert [len(all_payloads(file)) for file in sorted(written.iterdir())] == [2, 2, 1]


@pytest.mark.parametrize("compression", ["gzip", "zlib"])
def test_python_inflates_what_was_deflated_in_parts(tmp_path: Path, compression: Any) -> None:
    samples = some("identities", 10)
    plain = write(examples(), tmp_path / "plain", samples).read_bytes()
    packed = write(examples(WriteOptions(compression=compression)), tmp_path / "c", samples, unit=3).read_bytes()
    assert (gzip.decompress if compression == "gzip" else zlib.decompress)(packed) == plain


@given(first=st.binary(), second=st.binary(), form=st.sampled_from(["gzip", "zlib"]))
def test_checksums_are_combined(first: bytes, second: bytes, form: str) -> None:
    check = {"gzip": zlib.crc32, "zlib": zlib.adler32}[form]
    assert deflate.combine(form, check(first), check(second), len(second)) == check(first + second)


@pytest.mark.parametrize("options", [WriteOptions(), WriteOptions(shard=3), WriteOptions(compression="gzip")])
def test_a_killed_writer_goes_on_to_the_same_bytes(tmp_path: Path, options: WriteOptions) -> None:
    samples = some("detection", 10)
    undisturbed = contents(write(examples(options), tmp_path / "a", samples, unit=3))
    assert contents(write_with_kills(examples(options), tmp_path / "b", samples, unit=3)) == undisturbed


@pytest.mark.parametrize(
    "options", [WriteOptions(), WriteOptions(compression="gzip"), WriteOptions(compression="zlib")]
)
def test_a_set_of_nothing_is_a_file_of_nothing(tmp_path: Path, options: WriteOptions) -> None:
    written = write(examples(options), tmp_path, [])
    assert all_payloads(written) == [] and ExampleReader(written).about().kind in KINDS


def test_a_sample_that_cannot_be_written_leaves_the_part_as_it_was(tmp_path: Path) -> None:
    writer = ExampleWriter(tmp_path)
    part = writer.part(0, 0)
    part.write(Sample("a", EncodedImage(b"1")))
    with pytest.raises(InputError, match="64 bits"):
        part.write(Sample("b", EncodedImage(b"2"), identity=2**64))
    with pytest.raises(InputError, match="UTF-8"):
        part.write(Sample("\ud800", EncodedImage(b"2")))
    part.write(Sample("c", EncodedImage(b"3")))
    writer.append(0, part.close())
    writer.finish()
    assert [sample.key for sample in ExampleReader(writer.out)] == ["a", "c"]


# 56-pixel landmarks


def face(width: int = 100, height: int = 80) -> Sample:
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    points = rng.uniform((30, 20), (70, 60), (1, 68, 2)).astype(np.float32)
    return Sample("f", EncodedImage(pixels.tobytes(), RAW, pixels.shape), faces=Annotation(landmarks=points))


def test_a_whole_image_becomes_56_pixels(tmp_path: Path) -> None:
    sample = face()
    written = write(lambda work: Landmark56Writer(work), tmp_path, [sample])
    (found,) = Landmark56Reader(written)
    assert isinstance(found, Sample) and found.faces is not None and sample.faces is not None
    assert found.image is not None and found.image.decode().shape == (56, 56, 3)
    scale = np.array([56 / 100, 56 / 80])
    np.testing.assert_allclose(found.faces.landmarks, sample.faces.landmarks * scale, atol=1e-4)  # type: ignore[operator]


def test_a_crop_is_the_originals_square_clipped_at_the_border(tmp_path: Path) -> None:
    sample = face()
    options = Landmark56Options(crop="clipped", crop_around="landmarks")
    (found,) = Landmark56Reader(write(lambda work: Landmark56Writer(work, options), tmp_path, [sample]))
    assert isinstance(found, Sample) and sample.faces is not None and sample.faces.landmarks is not None
    points = sample.faces.landmarks[0]
    low, high = points.min(axis=0), points.max(axis=0)
    half = (high - low).max() * 1.1 / 2
    corner = np.round((low + high) / 2 - half)
    extent = np.round((low + high) / 2 + half) - corner
    np.testing.assert_allclose(found.extra["points"].reshape(68, 2), (points - corner) / extent, atol=1e-5)


@pytest.mark.parametrize(
    ("landmarks", "why"),
    [
        (np.zeros((1, 70, 2), np.float32), "70 landmarks; this format holds 68"),
        (np.zeros((2, 68, 2), np.float32), "2 faces .* crop_faces=largest cuts out"),
        (None, "no landmarks"),
        (np.full((1, 68, 2), np.nan, np.float32), "missing"),
    ],
)
def test_what_is_no_face_of_68_landmarks_is_refused(tmp_path: Path, landmarks: Any, why: str) -> None:
    sample = face()
    sample.faces = Annotation(landmarks=landmarks)
    with pytest.raises(InputError, match=why):
        Landmark56Writer(tmp_path).encode(sample)


def test_records_that_are_no_landmarks_are_broken(tmp_path: Path) -> None:
    pixels, points = bytes(9408), np.zeros(136, np.float32)
    bad = [
        [wire.bytes_feature(b"image", pixels)],
        [wire.bytes_feature(b"image", pixels[1:]), wire.floats_feature(b"points", points)],
        [wire.bytes_feature(b"image", pixels), wire.floats_feature(b"points", points[1:])],
        [wire.floats_feature(b"image", points), wire.floats_feature(b"points", points)],
    ]
    good = [wire.bytes_feature(b"image", pixels[:3136]), wire.floats_feature(b"points", points)]
    path = tmp_path / "x"
    path.write_bytes(records.frame(b"\x0a\xff") + records.frame(b""))
    assert Landmark56Reader(path).about().facts == {"files": 1, "compression": "none"}
    path.write_bytes(b"".join(records.frame(wire.example(entries)) for entries in [*bad, good]))
    *broken, grey = Landmark56Reader(path)
    assert all(isinstance(item, Broken) for item in broken)
    assert isinstance(grey, Sample) and grey.image is not None and grey.image.decode().shape == (56, 56, 3)


# The wire format


def test_lists_that_are_not_packed_odd_orders_and_unknown_fields_are_read() -> None:
    floats = b"".join(b"\x0d" + struct.pack("<f", value) for value in (1.5, -2.0))
    feature = b"\x12" + bytes([len(floats)]) + floats
    entry = b"\x12" + bytes([len(feature)]) + feature + b"\x18\x05" + b"\x0a\x01f"  # value, unknown, name
    ints = b"\x08\x05" + b"\x0a\x02\x96\x01" + b"\x08" + b"\xff" * 9 + b"\x01"
    feature = b"\x1a" + bytes([len(ints)]) + ints
    other = b"\x0a\x01i" + b"\x12" + bytes([len(feature)]) + feature
    unknown = b"\x3d\1\2\3\4" + b"\x41" + bytes(8) + b"\x52\x02hi"
    body = unknown + b"".join(b"\x0a" + bytes([len(item)]) + item for item in (entry, other)) + unknown
    data = unknown + b"\x0a" + bytes([len(body)]) + body
    found = wire.features(data)
    assert wire.floats(data, found[b"f"]).tolist() == [1.5, -2.0]
    assert wire.integers(data, found[b"i"]) == [5, 150, -1]
    assert wire.first_integer(data, found[b"i"]) == 5


@given(values=st.lists(st.binary(max_size=300), max_size=5), numbers=st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_features_come_back(values: list[bytes], numbers: list[int]) -> None:
    array = np.array([float(number % 1000) for number in numbers], np.float32)
    entries = [wire.bytes_feature(b"b" * 200, *values), wire.floats_feature(b"f", array)]
    data = wire.example([*entries, wire.integers_feature(b"i", numbers), wire.single_bytes_feature(b"s", b"xyz")])
    found = wire.features(data)
    assert list(wire.byte_strings(data, found[b"b" * 200])) == values
    assert wire.first_string(data, found[b"b" * 200]) == (values or [b""])[0]
    assert wire.joined_strings(data, found[b"b" * 200]) == b"".join(values)
    assert wire.floats(data, found[b"f"]).tolist() == array.tolist()
    assert wire.integers(data, found[b"i"]) == numbers
    assert list(wire.byte_strings(data, found[b"s"])) == [b"x", b"y", b"z"]
    assert wire.joined_strings(data, found[b"s"]) == b"xyz"


@pytest.mark.parametrize("name", [b"", b"image/encoded", b"n" * 127, b"n" * 128])
@pytest.mark.parametrize("around", [0, 1 << 7, 1 << 14, 1 << 21])
def test_a_string_in_two_pieces_is_the_string_in_one(name: bytes, around: int) -> None:
    """Around the lengths at which one of the five lengths before the string takes a byte more."""
    for length in range(max(0, around - 160), around + 3):
        value = bytes(length)
        before, same = wire.string_feature(name, value)
        assert same is value
        assert before + same == wire.bytes_feature(name, value)
        data = wire.example([before, same])
        assert wire.first_string(data, wire.features(data)[name]) == value


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=200))
def test_bytes_of_any_kind_are_an_example_or_an_error(data: bytes) -> None:
    try:
        found = wire.features(data)
        for feature in found.values():
            for read in (wire.first_string, wire.joined_strings, wire.floats, wire.integers, wire.first_integer):
                try:
                    read(data, feature)  # type: ignore[operator]
                except wire.WireError:
                    continue
    except wire.WireError:
        return


# Damage


@pytest.fixture
def small(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    data = [b"payload %d " % i + rng.bytes(int(rng.integers(0, 40))) for i in range(6)]
    path = tmp_path / "small.tfrecord"
    path.write_bytes(b"".join(map(records.frame, data)))
    return path


def test_a_file_cut_at_any_byte_loses_only_its_last_record(small: Path) -> None:
    data, whole = small.read_bytes(), all_payloads(small)
    ends = [*all_offsets(small), len(data)]
    for end in range(len(data) + 1):
        small.write_bytes(data[:end])
        found = all_payloads(small)
        complete = sum(stop <= end for stop in ends[1:])
        assert found[:complete] == whole[:complete]
        rest = found[complete:]
        assert len(rest) == (end not in ends)
        assert all(isinstance(item, Broken) and item.offset == ends[complete] for item in rest)
        assert len(all_offsets(small)) == len(found)


@pytest.mark.parametrize("form", ["none", "gzip", "zlib"])
def test_damage_gives_broken_records_and_the_same_number_of_offsets(small: Path, form: str) -> None:
    data = small.read_bytes()
    packed = {"none": data, "gzip": gzip.compress(data, mtime=0), "zlib": zlib.compress(data)}[form]
    whole = set(all_payloads(small))
    for damaged in mutations(packed, 400, seed=1):
        small.write_bytes(damaged)
        found = all_payloads(small)
        assert {item for item in found if isinstance(item, bytes)} <= whole
        assert len(all_offsets(small)) == len(found)


def test_a_damaged_payload_is_broken_unless_checksums_are_not_asked_for(small: Path) -> None:
    data, whole = bytearray(small.read_bytes()), all_payloads(small)
    third = all_offsets(small)[2]
    data[third + 12] ^= 1
    small.write_bytes(data)
    found = all_payloads(small)
    assert isinstance(whole[2], bytes)
    assert [isinstance(item, Broken) for item in found] == [False, False, True, False, False, False]
    assert isinstance(found[2], Broken) and found[2].offset == third and found[2].data == b"q" + whole[2][1:]
    assert not any(isinstance(item, Broken) for item in all_payloads(small, verify=False))
    assert ReadOptions().verify


def test_a_damaged_length_costs_one_record(small: Path) -> None:
    whole, offsets = all_payloads(small), all_offsets(small)
    data = bytearray(small.read_bytes())
    data[offsets[2] + 1] = 7
    small.write_bytes(data)
    found = all_payloads(small)
    assert isinstance(found[2], Broken) and found[2].offset == offsets[2] and "length" in found[2].why
    assert found[:2] + found[3:] == whole[:2] + whole[3:]
    assert all_offsets(small) == offsets


@pytest.mark.parametrize("length", [100, 2**31, 2**40, 2**63, 2**64 - 1])
def test_a_length_that_lies_is_not_believed(small: Path, length: int) -> None:
    head = struct.pack("<Q", length)
    lie = head + struct.pack("<I", records.masked(head))
    whole = all_payloads(small)
    small.write_bytes(lie + small.read_bytes()[:80])
    found = all_payloads(small)
    assert isinstance(found[0], Broken) and found[0].offset == 0 and str(length) in found[0].why
    assert found[1] == whole[0]


def test_damaged_examples_are_samples_or_broken(tmp_path: Path) -> None:
    good = schema.write_sample(some("detection", 1, seed=3)[0], fractions=True)
    path = tmp_path / "x"
    for damaged in mutations(good, 600, seed=2):
        path.write_bytes(records.frame(damaged))
        (found,) = ExampleReader(path)
        assert isinstance(found, Sample) or (isinstance(found, Broken) and found.offset == 0 and found.data == damaged)


@pytest.mark.parametrize("compression", [gzip.compress, zlib.compress])
def test_a_compressed_file_cut_anywhere_says_so(small: Path, compression: Any) -> None:
    whole = all_payloads(small)
    packed = compression(small.read_bytes())
    for end in range(12, len(packed) - 8):
        small.write_bytes(packed[:end])
        *found, last = all_payloads(small)
        assert found == whole[: len(found)]
        assert isinstance(last, Broken) and ("cut off" in last.why or "ends with" in last.why)


def test_a_set_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file named"):
        ExampleReader(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        ExampleReader(tmp_path / "nothing")


# The windows that both formats look through


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(0, 400_000), max_size=6), inflate=st.booleans())
def test_a_window_gives_the_bytes_of_its_file(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], inflate: bool
) -> None:
    data = np.random.default_rng(1).bytes(700_000)
    path = tmp_path_factory.mktemp("w") / "x"
    path.write_bytes(gzip.compress(data, 1) if inflate else data)
    place = 0
    with Window(path, inflate=inflate) as window:
        position = 0
        for size in sizes:
            position = window.jump(position, size)
            place = min(place + size, len(data))
            if len(window.data) < position + 5:
                window.fill(position, 5)
                position = 0
            assert window.base + position == place
            assert window.data[position : position + 5] == data[place : place + 5]


def test_members_of_gzip_follow_one_another_and_padding_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"one") + gzip.compress(b"two") + bytes(700))
    with path.open("rb") as stream:
        inflated = Inflated(stream)
        assert inflated.read(2) + inflated.read(10) + inflated.read(10) == b"onetwo"
        assert inflated.read(10) == b"" and not inflated.fault


def test_a_file_that_grows_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(200_000_000)))
    with path.open("rb") as stream:
        inflated, length = Inflated(stream), 0
        while piece := inflated.read(1 << 20):
            length += len(piece)
    assert "grows to more than 250 times" in inflated.fault
    assert length < 150_000_000


def test_units_are_json(tmp_path: Path) -> None:
    written = write(examples(), tmp_path, some("identities", 3))
    (unit,) = ExampleReader(written).units()
    assert Unit(unit.start, unit.stop, json.loads(json.dumps(unit.place))) == unit
