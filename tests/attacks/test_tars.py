"""Archives and record files made to do harm: nothing leaves them but samples, and what is refused is named."""

from __future__ import annotations

import gzip
import io
import struct
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from zoo_tfrecord import records, wire
from zoo_tfrecord.reader import ExampleReader
from zoo_webdataset import headers
from zoo_webdataset.reader import ShardReader

from zoo.datasets.sample import Broken, Sample

JPEG = b"\xff\xd8\xff photograph \xff\xd9"


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return path


GOOD = member("good.jpg", JPEG)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (member("a.jpg", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "symbolic link"),
        (member("a.jpg", type=tarfile.LNKTYPE, linkname="good.jpg"), "hard link"),
        (member("a.jpg", type=tarfile.CHRTYPE, devmajor=1, devminor=3), "a device"),
        (member("a.jpg", type=tarfile.BLKTYPE), "a device"),
        (member("a.jpg", type=tarfile.FIFOTYPE), "a pipe"),
        (member("a.jpg", type=tarfile.CONTTYPE), ""),
        (member("a.jpg", JPEG, type=tarfile.GNUTYPE_SPARSE), "sparse"),
        (member("a.jpg", JPEG, type=b"Z"), "unknown type 'Z'"),
        (member("/a.jpg", JPEG), "leads out"),
        (member("../a.jpg", JPEG), "leads out"),
        (member("x/../../a.jpg", JPEG), "leads out"),
        (member("x\\..\\a.jpg", JPEG), "leads out"),
        (member("../" * 50 + "a.jpg", JPEG), "leads out"),
    ],
)
def test_what_has_no_place_in_a_data_set_is_refused_by_name(
    tmp_path: Path, bad: tuple[tarfile.TarInfo, bytes], why: str
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = archive(inside / "x.tar", bad, GOOD)
    found = list(ShardReader(path))
    assert [file.name for file in tmp_path.rglob("*")] == ["inside", "x.tar"]
    assert isinstance(found[-1], Sample) and found[-1].key == "good"
    if why:
        assert isinstance(found[0], Broken) and why in found[0].why and found[0].offset == 0
    else:  # a contiguous file is one like any other
        assert isinstance(found[0], Sample) and found[0].key == "a"


@pytest.mark.parametrize("size", ["GNU.sparse.major", "GNU.sparse.name", "size"])
def test_pax_records_that_change_what_a_member_is_are_refused(tmp_path: Path, size: str) -> None:
    bad = member("a.jpg", JPEG, pax_headers={size: "1"})
    found = list(ShardReader(archive(tmp_path / "x.tar", bad, GOOD, form=tarfile.PAX_FORMAT)))
    assert isinstance(found[0], Broken) and ("sparse" in found[0].why or "pax" in found[0].why)
    assert isinstance(found[1], Sample) and found[1].key == "good"


def forged(size: bytes, name: bytes = b"a.jpg", type: bytes = b"0") -> bytes:
    """A header with a right checksum and any text as size."""
    block = bytearray(headers.make(name, 0))
    block[124:136], block[156:157], block[148:156] = size.ljust(12, b"\0"), type, b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize("type", [b"0", b"L", b"x", b"K", b"2"])
@pytest.mark.parametrize("size", [b"77777777777", b"\x80" + b"\0" * 3 + b"\x7f" * 8, b"00020000000"])
def test_a_size_that_lies_is_not_believed(tmp_path: Path, size: bytes, type: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(forged(size, type=type) + JPEG.ljust(512, b"\0") + bytes(1024))
    started = time.perf_counter()
    found = list(ShardReader(path))
    assert all(isinstance(item, Broken) and item.offset == 0 for item in found) and len(found) == 1
    assert len(list(ShardReader(path).offsets(path))) == 1
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("size", [b"\xff" * 12, b"-1", b"99999999999", b"eight"])
def test_a_size_that_is_none_is_no_header(tmp_path: Path, size: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(forged(size) + archive(tmp_path / "y.tar", GOOD, member("b.jpg", JPEG)).read_bytes())
    first, second = ShardReader(path)
    assert isinstance(first, Broken), "it may lack a member"
    assert isinstance(second, Sample) and second.key == "b"


def test_a_pax_header_that_goes_round_in_circles_ends(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    for record in (b"0 path=x\n", b"5 a\n", b"-3 a=b\n", b"99 path=x\n", b"\xc2\xb2 a=b\n", b"1" * 30):
        data = forged(b"%011o" % len(record), type=b"x") + record.ljust(512, b"\0")
        path.write_bytes(data + archive(tmp_path / "y.tar", GOOD).read_bytes())
        (found,) = ShardReader(path)
        assert isinstance(found, Broken) and "pax" in found.why


def test_extensions_one_after_another_use_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(
        (forged(b"%011o" % 512, type=b"L") + b".jpg".rjust(512, b"n")) * 20_000
        + archive(tmp_path / "y", GOOD).read_bytes()
    )
    (found,) = ShardReader(path)
    assert isinstance(found, Broken) or found.key == "n" * 508


def memory_of(code: str, path: Path) -> int:
    """The growth of the peak memory of a fresh process that runs `code`, in bytes."""
    script = f"""
import resource, sys
from pathlib import Path
from zoo_tfrecord.reader import ExampleReader
from zoo_webdataset.reader import ShardReader
import numpy, zoo.images
path = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
{code}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    return int(done.stdout) * (1024 if sys.platform != "darwin" else 1)


def test_a_compressed_archive_that_bursts_takes_no_memory(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    path = tmp_path / "x.tar.gz"
    with gzip.open(path, "wb", 9) as stream:
        stream.write(forged(b"77777777777", name=b"a.jpg"))
        for _ in range(600):
            stream.write(bytes(1 << 20))
    assert path.stat().st_size < 1_000_000
    assert memory_of("for found in ShardReader(path): assert 'Broken' in type(found).__name__", path) < 30e6


def test_records_of_many_strings_or_numbers_take_no_memory(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    path = tmp_path / "x.tfrecord"
    strings = wire.feature(b"image", wire.BYTES, b"\x0a\0" * 4_000_000)
    numbers = wire.feature(b"label", wire.INTS, b"\x0a" + wire.varint(16_000_000) + bytes(16_000_000))
    path.write_bytes(records.frame(wire.example([strings])) + records.frame(wire.example([numbers])))
    code = "from itertools import islice\nfor found in ExampleReader(path): pass"
    assert memory_of(code, path) < 100e6


def test_a_file_of_false_starts_is_searched_at_the_speed_of_a_file(tmp_path: Path) -> None:
    """Zeros look like the upper half of a length, and headers like headers."""
    path = tmp_path / "x"
    started = time.perf_counter()
    path.write_bytes(b"\1" * 16 + bytes(4_000_000))
    assert [type(found) for found in ExampleReader(path)] == [Broken]
    path.write_bytes((b"x" * 257 + b"ustar\0" + b"x" * 249) * 10_000)
    assert [type(found) for found in ShardReader(path)] == [Broken]
    assert time.perf_counter() - started < 20


def test_a_record_in_a_record_is_only_found_when_the_outer_one_is_damaged(tmp_path: Path) -> None:
    inner = records.frame(wire.example([wire.bytes_feature(b"image/encoded", b"inner")]))
    outer = wire.example([wire.bytes_feature(b"image/encoded", inner)])
    path = tmp_path / "x"
    path.write_bytes(records.frame(outer))
    (found,) = ExampleReader(path)
    assert isinstance(found, Sample) and found.image is not None and found.image.data == inner
    path.write_bytes(b"\xff" * 12 + records.frame(outer)[12:])
    assert [type(item) for item in ExampleReader(path)] == [Broken, Sample, Broken]


@pytest.mark.parametrize("count", [-1, 5, 2**31, 2**62])
def test_a_number_of_faces_that_lies_is_not_believed(tmp_path: Path, count: int) -> None:
    boxes = wire.floats_feature(b"faces/boxes", np.zeros((1, 4), np.float32))
    entries = [boxes, wire.integers_feature(b"faces/count", [count]), wire.bytes_feature(b"image/encoded", b"x")]
    path = tmp_path / "x"
    path.write_bytes(records.frame(wire.example(entries)))
    (found,) = ExampleReader(path)
    assert isinstance(found, Broken) and "faces" in found.why


@pytest.mark.parametrize("size", [0, -5, 2**31, 2**62])
def test_a_size_of_raw_pixels_that_lies_is_not_believed(tmp_path: Path, size: int) -> None:
    entries = [
        wire.bytes_feature(b"image/encoded", bytes(12)),
        wire.bytes_feature(b"image/format", b"raw"),
        wire.integers_feature(b"image/height", [size]),
        wire.integers_feature(b"image/width", [2]),
    ]
    path = tmp_path / "x"
    path.write_bytes(records.frame(wire.example(entries)))
    (found,) = ExampleReader(path)
    assert isinstance(found, Broken) and "pixels" in found.why


def test_lengths_beyond_64_bits_in_an_example_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for data in (
        b"\x0a" + b"\xff" * 9 + b"\x01",
        b"\x0a" + b"\xff" * 20,
        b"\x0a\x04\x0a\xff\xff\x7f",
        struct.pack("<d", 1),
    ):
        path.write_bytes(records.frame(data))
        (found,) = ExampleReader(path)
        assert isinstance(found, Broken) and "no Example" in found.why
