"""Pickles of plain data, of every protocol, NumPy and Python, read without running them."""

from __future__ import annotations

import math
import mmap
import pickle
import struct
import subprocess
import sys
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import InputError
from zoo.safepickle import Limits, load

PROTOCOLS = range(6)
protocols = pytest.mark.parametrize("protocol", PROTOCOLS)

numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.booleans() | st.none()
keys = numbers | st.text() | st.binary()
values = st.recursive(
    keys,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner)
        | st.tuples(inner, inner)
        | st.tuples(inner, inner, inner, inner)
        | st.dictionaries(keys, inner)
        | st.sets(keys)
        | st.frozensets(keys)
    ),
    max_leaves=20,
)


@given(values, st.sampled_from(PROTOCOLS))
def test_what_cpython_writes_is_read_as_it_was(value: Any, protocol: int) -> None:
    assert load(pickle.dumps(value, protocol), "it") == value


@given(values, st.sampled_from(PROTOCOLS))
def test_the_pickler_written_in_python_is_understood_as_well(value: Any, protocol: int) -> None:
    assert load(pickle._dumps(value, protocol), "it") == value  # type: ignore[attr-defined]


def old(data: bytes) -> bytes:
    """The same pickle as NumPy 1 spells it. Only for protocols below 4, where names are lines."""
    return data.replace(b"cnumpy._core.", b"cnumpy.core.")


ARRAYS = [
    np.arange(6, dtype="<f4").reshape(2, 3),
    np.arange(6, dtype=">f8").reshape(3, 2),
    np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
    np.zeros((0, 3), np.uint8),
    np.array(7, np.uint16),
    np.array([True, False]),
    np.array([1 + 2j]),
    np.arange(250, dtype=np.uint8)[:, None],
]


@protocols
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype.str}{array.shape}")
@pytest.mark.parametrize("spelled", ["1", "2"])
def test_arrays(array: Any, protocol: int, spelled: str) -> None:
    data = pickle.dumps([array, array], protocol)
    data = old(data) if spelled == "1" else data
    assert (b"numpy.core" in data) is (spelled == "1" and protocol < 4)
    first, second = load(data, "it")
    assert first is second
    assert first.dtype == array.dtype and first.shape == array.shape and np.array_equal(first, array)
    assert not first.size or not first.flags.writeable


@protocols
@pytest.mark.parametrize("kind", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", "c16"])
def test_scalars_are_numbers(kind: str, protocol: int) -> None:
    scalar = np.dtype(kind).type(3.25)
    for data in {pickle.dumps((scalar, scalar), protocol), old(pickle.dumps((scalar, scalar), protocol))}:
        found = load(data, "it")
        assert found == (scalar.item(), scalar.item())
        assert type(found[0]) is type(scalar.item())


def test_scalars_keep_their_byte_order() -> None:
    data = pickle.dumps(np.float32(1.5), 4)
    assert data.count(b"<") == 1
    assert load(data.replace(b"<", b">"), "it") == struct.unpack(">f", struct.pack("<f", 1.5))[0]


@protocols
def test_bytearrays_and_ordered_dictionaries_become_plain(protocol: int) -> None:
    value = [bytearray(b"abc\xff"), bytearray(), OrderedDict(a=1, b=OrderedDict())]
    assert load(pickle.dumps(value, protocol), "it") == [b"abc\xff", b"", {"a": 1, "b": {}}]


PYTHON_2 = {
    "protocol 0": b"(lp0\nS'a\\x00\\'\\n\\\\'\np1\naS\"it's\"\np2\naVsn\\u00f6w\np3\naI01\naL12L\naF1.5\nag1\na.",
    "protocol 1": b"]q\0(U\x05a\0'\n\\q\1U\4it'sq\2X\5\0\0\0sn\xc3\xb6wq\3I01\nL12L\nG?\xf8\0\0\0\0\0\0h\1e.",
    "protocol 2": b"\x80\2]q\0(T\5\0\0\0a\0'\n\\q\1U\4it'sq\2X\5\0\0\0sn\xc3\xb6wq\3\x88\x8a\1\x0cG?\xf8"
    b"\0\0\0\0\0\0h\1e.",
}


@pytest.mark.parametrize("name", PYTHON_2)
def test_strings_of_python_2_are_bytes(name: str) -> None:
    assert load(PYTHON_2[name], "it") == [b"a\0'\n\\", b"it's", "snöw", True, 12, 1.5, b"a\0'\n\\"]
    assert pickle.loads(PYTHON_2[name], encoding="bytes") == load(PYTHON_2[name], "it")


def test_an_ordered_dictionary_and_an_array_of_python_2() -> None:
    data = b"\x80\2ccollections\nOrderedDict\nq\0]q\1]q\2(U\1aq\3K\1ea\x85q\4Rq\5."
    assert load(data, "it") == {b"a": 1}
    array = (
        b"\x80\2cnumpy.core.multiarray\n_reconstruct\nq\1cnumpy\nndarray\nq\2K\0\x85U\1b\x87Rq\3(K\1K\2K\1\x86"
        b"cnumpy\ndtype\nq\4U\2u1K\0K\1\x87Rq\5(K\3U\1|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89U\2\x07\x09tb."
    )
    assert load(array, "it").tolist() == [[7], [9]]


def test_genuine_files(fixtures: Path) -> None:
    for name in ("recognition/small_lfw.bin", *(f"written_by_originals/verif_{k}.bin" for k in KINDS)):
        data = (fixtures / name).read_bytes()
        bins, same = load(data, name)
        expected = pickle.loads(data, encoding="bytes")
        assert same == expected[1]
        assert [bytes(memoryview(item)) for item in bins] == [bytes(memoryview(item)) for item in expected[0]]
    mean = (fixtures / "recognition/meanshape_68.pkl").read_bytes()
    assert np.array_equal(load(mean, "mean"), pickle.loads(mean))


KINDS = ("ndarray", "py2_str", "py3_bytes")


def test_views_do_not_copy(tmp_path: Path) -> None:
    value = ([b"x" * 1000, b"y" * 10, np.zeros(900, np.uint8)], [True])
    path = tmp_path / "it.bin"
    path.write_bytes(pickle.dumps(value, 4))
    with path.open("rb") as stream:
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    (long, short, array), _ = load(mapped, "it", views=True)
    assert isinstance(long, memoryview) and long.obj is mapped and long.readonly and long == value[0][0]
    assert short == b"y" * 10
    assert np.array_equal(array, value[0][2]) and not array.flags.owndata


def points(count: int, seed: int = 0) -> list[Any]:
    values = np.random.default_rng(seed).normal(size=(count, 68, 2)).astype(np.float32)
    return [[(row[0], row[1]) for row in face] for face in values]


@pytest.mark.parametrize("names", [3, 400], ids=["short references", "long references"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_lists_of_points_come_as_arrays(protocol: int, names: int) -> None:
    wanted = points(120)
    found = load(pickle.dumps(([str(i) for i in range(names)], wanted), protocol), "it", points=True)[1]
    assert all(np.array_equal(np.array(a, np.float32), np.array(b)) for a, b in zip(found, wanted, strict=True))
    arrays = sum(isinstance(face, np.ndarray) and face.dtype == np.float32 for face in found)
    assert arrays > 100 if protocol > 3 else arrays == 0, "frames may cut a few lists"


def test_points_that_are_referred_to_again_are_read_without_arrays() -> None:
    faces = points(3)
    value = [faces, faces[1], faces[2][:1], faces[2][5][0]]
    again = load(pickle.dumps(value, 4), "it", points=True)
    assert again[0][0] == [(float(x), float(y)) for x, y in faces[0]]
    assert again[2] == [tuple(map(float, faces[2][0]))] and again[3] == faces[2][5][0]


def test_other_pairs_are_no_points() -> None:
    for kind in (np.float64, np.int32):
        value = [[(kind(1), kind(2))] * 3, [(kind(i), kind(5)) for i in range(9)]]
        assert load(pickle.dumps(value, 4), "it", points=True) == value


def test_a_large_set_takes_less_than_a_second() -> None:
    images = [bytes(2000) + str(i).encode() for i in range(12_000)]
    for protocol in (2, 4):
        data = pickle.dumps((images, [True] * 6000), protocol)
        started = time.process_time()
        assert len(load(data, "lfw.bin")[0]) == 12_000
        assert time.process_time() - started < 1


def test_nothing_is_imported_for_plain_data() -> None:
    code = "import sys, zoo.safepickle as s; assert s.load(b'K\\x01.', 'it') == 1; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_limits() -> None:
    with pytest.raises(InputError, match="it has 23 bytes, more than the limit of 10"):
        load(pickle.dumps(b"x" * 4, 4).ljust(23), "it", limits=Limits(size=10))
    with pytest.raises(InputError, match="more than 5 instructions"):
        load(pickle.dumps([1, 2, 3, 4]), "it", limits=Limits(instructions=5))
    nested: Any = 1
    for _ in range(33):
        nested = (nested,)
    with pytest.raises(InputError, match="nest deeper than 32 levels"):
        load(pickle.dumps(nested), "it")
    assert load(pickle.dumps(nested[0]), "it") == nested[0]


def test_not_a_number_and_infinity() -> None:
    found = load(pickle.dumps([math.inf, -math.inf, math.nan], 0), "it")
    assert found[:2] == [math.inf, -math.inf] and math.isnan(found[2])
