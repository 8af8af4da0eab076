"""Damaged and hostile TFLite files are refused before the interpreter, which trusts what it reads, sees them."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest
from zoo_tflite import cards, model
from zoo_tflite.flat import TABLES, Table, root

from tests.converters import slim
from zoo.errors import ModelError


@pytest.fixture
def whole(fixtures: Path) -> bytes:
    return (fixtures / "written_by_originals" / slim.FOLDERS[0] / "landmark.float.tflite").read_bytes()


def graph(data: bytearray) -> Table:
    return next(root(memoryview(data), model.IDENTIFIER).tables(2))


def put(data: bytearray, at: int, value: int) -> None:
    struct.pack_into("<I", data, at, value)


def test_cut_files(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    for size in (0, 4, 7, 8, 40, 1000, len(whole) // 2, len(whole) - 2000):
        path.write_bytes(whole[:size])
        for look in (model.describe, cards.read_card, lambda path: cards.write_card(path, "{}")):
            with pytest.raises(ModelError, match="damaged or no TFLite file"):
                look(path)
        assert path.read_bytes() == whole[:size]


@pytest.mark.parametrize(
    "other", [b"", b"TFL2", b"PK\x03\x04" * 10, b"\x00" * 64, b"\x1c\x00\x00\x00TFL3" + b"\xff" * 64]
)
def test_other_files(tmp_path: Path, other: bytes) -> None:
    (tmp_path / "net.tflite").write_bytes(other)
    with pytest.raises(ModelError, match="damaged or no TFLite file"):
        model.describe(tmp_path / "net.tflite")


def test_lists_of_impossible_length(whole: bytes) -> None:
    for field in (0, 1, 2, 3):
        data = bytearray(whole)
        table = graph(data)
        place = table.field(field)
        put(data, place + struct.unpack_from("<I", data, place)[0], 0xFFFFFFF0)
        with pytest.raises(ModelError, match="past the end"):
            model.parse(memoryview(data), "net")


def test_tensors_that_are_not_there(whole: bytes) -> None:
    for field in (1, 2):
        data = bytearray(whole)
        place = graph(data).field(field)
        put(data, place + struct.unpack_from("<I", data, place)[0] + 4, 10_000)
        with pytest.raises(ModelError, match="no tensor 10000"):
            model.parse(memoryview(data), "net")
    data = bytearray(whole)
    operator = next(graph(data).tables(3))
    place = operator.field(1)
    put(data, place + struct.unpack_from("<I", data, place)[0] + 4, 10_000)
    with pytest.raises(ModelError, match="no tensor 10000"):
        model.parse(memoryview(data), "net")


def test_shapes_that_the_numbers_do_not_fill(whole: bytes) -> None:
    data = bytearray(whole)
    held = [len(buffer.bytes(0)) for buffer in root(memoryview(data), model.IDENTIFIER).tables(4)]
    tensor = next(table for table in graph(data).tables(0) if held[table.number(2, "<I")])
    place = tensor.field(0)
    put(data, place + struct.unpack_from("<I", data, place)[0] + 4, 1 << 20)
    with pytest.raises(ModelError, match="do not fill its shape"):
        model.parse(memoryview(data), "net")


def test_lists_that_share_their_place_keep_nobody_busy(whole: bytes) -> None:
    data = bytearray(whole)
    long = len(data)
    data += struct.pack("<I", 1 << 20) + b"a" * (1 << 20)
    for tensor in graph(data).tables(0):
        put(data, tensor.field(3), long - tensor.field(3))
    with pytest.raises(ModelError, match="too many or overlap"):
        model.parse(memoryview(data), "net")


def test_a_shape_of_many_dimensions(whole: bytes) -> None:
    data = bytearray(whole)
    place = next(graph(data).tables(0)).field(0)
    put(data, place, len(data) - place)
    data += struct.pack("<I", 1 << 16) + b"\xff\xff\xff\x7f" * (1 << 16)
    with pytest.raises(ModelError, match="impossible shape"):
        model.parse(memoryview(data), "net")


def test_one_table_in_a_long_list() -> None:
    count = TABLES + 1
    head = struct.pack("<I4s4HiI", 16, b"TFL3", 8, 8, 0, 4, 8, 4)  # the root's place, its fields, and the root
    places = b"".join(struct.pack("<I", 4 * (count - index) + 4) for index in range(count))
    data = head + struct.pack("<I", count) + places + struct.pack("<2Hi", 4, 4, 4)
    with pytest.raises(ModelError, match="too many or overlap"):
        model.parse(memoryview(data), "net")


RUN = """
import sys
from pathlib import Path
import numpy as np
from zoo.errors import ModelError
from zoo_tflite.session import TFLiteSession
folder, whole = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()
path, rng, refused = folder / "net.tflite", np.random.default_rng(0), 0
structure = [at for at in range(4096)] + [at for at in range(len(whole) - 4096, len(whole))]
for _ in range(150):
    data = bytearray(whole)
    for at in rng.choice(structure, 2):
        data[at] = int(rng.integers(256))
    path.write_bytes(data)
    try:
        TFLiteSession(path)
    except ModelError:
        refused += 1
print(refused)
"""


def test_damage_at_random_ends_no_process(fixtures: Path, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="its interpreter is what must not be shown such files")
    source = fixtures / "written_by_originals" / slim.FOLDERS[0] / "landmark.float.tflite"
    command = [sys.executable, "-c", RUN, str(tmp_path), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert 50 < int(done.stdout) <= 150


def test_a_card_that_is_no_text(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(whole)
    cards.write_card(path, "the card")
    path.write_bytes(path.read_bytes().replace(b"the card", b"\xff\xfe\xfd\xfc\xff\xff\xff\xff"))
    with pytest.raises(ModelError, match="no text"):
        cards.read_card(path)
