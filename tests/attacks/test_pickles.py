"""Pickles made to run code, to eat memory or time, or merely damaged: a sentence with the offset, and nothing else."""

from __future__ import annotations

import collections
import functools
import operator
import os
import pickle
import random
import struct
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.converters.driving import tries
from zoo.errors import InputError
from zoo.safepickle import Limits, load


class Calls:
    """Pickles as a call of `called` with `arguments`."""

    def __init__(self, called: Any, *arguments: Any) -> None:
        self.how = called, arguments

    def __reduce__(self) -> Any:
        return self.how


class Plain:
    """An object of some class."""

    def __init__(self) -> None:
        self.value = 1


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


MARK = "/tmp/zoo-must-not-exist"
HARMFUL = {
    "os.system": Calls(os.system, f"touch {MARK}"),
    "eval": Calls(eval, f"open({MARK!r}, 'w')"),
    "exec": Calls(exec, "1"),
    "open": Calls(open, MARK, "w"),
    "getattr of a call": Calls(getattr, Calls(getattr, Calls(__import__, "os"), "path"), "join"),
    "partial": functools.partial(os.system, f"touch {MARK}"),
    "attrgetter": operator.attrgetter("system"),
    "import": Calls(__import__, "os"),
    "numpy.load": Calls(np.load, "x"),
    "numpy.fromfile": Calls(np.fromfile, "/etc/passwd"),
    "object": Plain(),
    "class": Plain,
    "function": os.getcwd,
    "defaultdict": collections.defaultdict(list),
    "deque": collections.deque([1]),
    "record type": np.zeros(1, [("a", "f4")]),
    "array of objects": np.array([Plain()], object),
    "array of text": np.array(["a"]),
    "array of bytes": np.array([b"a"]),
    "array of dates": np.array(["2020-01-01"], "M8[D]"),
    "masked array": np.ma.array([1], mask=[1]),
    "matrix": np.array([[1]]).view(np.recarray),
    "complex": 1j,
    "large integer": 1 << 80,
    "tuple as a key": {(1, 2): 3},
}


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", HARMFUL)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_anything_but_plain_data_is_refused(name: str, protocol: int) -> None:
    with pytest.raises(InputError, match=r"^it cannot be used: .*\(pickle, byte \d+\)\.$"):
        load(pickle.dumps(HARMFUL[name], protocol), "it")
    assert not Path(MARK).exists()


SPELLED = {
    "the global": (b"cos\nsystem\n(S'x'\ntR.", "os.system, which is refused because it could run code"),
    "builtins": (b"c__builtin__\neval\n(S'x'\ntR.", "__builtin__.eval, which is refused"),
    "names from the memo": (
        b"\x80\4" + text("builtins") + b"\x94" + text("eval") + b"\x9400h\0h\1\x93.",
        "builtins.eval, which is refused",
    ),
    "a dotted name": (b"\x80\4" + text("numpy") + text("ndarray.__class__") + b"\x93.", "ndarray.__class__"),
    "a dotted module": (b"\x80\4" + text("builtins.bytes") + text("__class__") + b"\x93.", "__class__"),
    "a name joined otherwise": (
        b"cnumpy._core\nmultiarray.scalar\n.",
        "numpy._core.multiarray.scalar, which is refused",
    ),
    "an instance": (b"(S'x'\nios\nsystem\n.", "makes an object of os.system, which is refused"),
    "an object": (b"(cnumpy\nndarray\nK\1o.", "instruction OBJ, which is refused"),
    "a new object": (b"\x80\2cnumpy\nndarray\nK\1\x85\x81.", "instruction NEWOBJ, which is refused"),
    "a new object with keywords": (b"\x80\4cnumpy\nndarray\n)}\x92.", "instruction NEWOBJ_EX"),
    "an extension": (b"\x80\2\x82\1.", "instruction EXT1"),
    "a wider extension": (b"\x80\2\x83\1\0.", "instruction EXT2"),
    "the widest extension": (b"\x80\2\x84\1\0\0\0.", "instruction EXT4"),
    "a persistent name": (b"Pid\n.", "instruction PERSID"),
    "a persistent value": (b"\x80\2K\1Q.", "instruction BINPERSID"),
    "a buffer from elsewhere": (b"\x80\5\x97.", "instruction NEXT_BUFFER"),
    "a class that is called": (b"cnumpy\nndarray\n(I1000000000\ntR.", "no constructor of plain data"),
    "a number that is called": (b"K\1)R.", "no constructor of plain data"),
    "arguments that are no tuple": (b"ccollections\nOrderedDict\n]R.", "no constructor of plain data"),
    "the state of a list": (b"]}b.", "neither an array nor a NumPy type"),
    "the state of a name": (b"cnumpy\nndarray\n}b.", "neither an array nor a NumPy type"),
    "a subclass of array": (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(K\0tS'b'\ntR.", "not NumPy's own"),
    "gigabytes of zeros": (b"c__builtin__\nbytes\n(I8000000000\ntR.", "something else than bytes"),
    "gigabytes to be changed": (b"c__builtin__\nbytearray\n(I8000000000\ntR.", "something else than bytes"),
    "a type with fields": (b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(K\3S'<'\nNS'a'\nNtb.", "with fields"),
    "a type of objects": (b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.", "'O8', and only numbers are read"),
    "a type that is evaluated": (b"cnumpy\ndtype\n(S'f4,(1000,1000)i8'\nI0\nI1\ntR.", "only numbers are read"),
    "no pickle": (b"\xff\xd8\xff\xe0", "no instruction 0xff, so it is no pickle or damaged"),
    "a later protocol": (b"\x80\6K\1.", "protocol 6 is newer than 5"),
    "escapes for the terminal": (b"cos\x1b[31m\nsys\x07tem\n.", r"os\\x1b\[31m\.sys\\x07tem"),
}


@pytest.mark.parametrize("name", SPELLED)
def test_the_refusal_says_what_and_where(name: str) -> None:
    data, why = SPELLED[name]
    with pytest.raises(InputError, match=why) as caught:
        load(data, "it")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 300


def array(shape: bytes, data: bytes, kind: bytes = b"S'u1'") -> bytes:
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tS'b'\ntRp9\n(K\1" + shape
        + b"cnumpy\ndtype\n(" + kind + b"\nI0\nI1\ntR(K\3S'|'\nNNNI-1\nI-1\nI0\ntbI00\n" + data + b"tb."
    )  # fmt: skip


WRONG_ARRAYS = {
    "a shape too large": array(b"(I3000000000\nt", b"S'ab'\n"),
    "a shape whose product wraps": array(b"(I4294967296\nI4294967296\nt", b"S''\n"),
    "a negative shape": array(b"(I-1\nI-2\nt", b"S'ab'\n"),
    "a boolean as a side": array(b"(I01\nI2\nt", b"S'ab'\n"),
    "a shape that is no tuple": array(b"]", b"S'ab'\n"),
    "too many axes": array(b"(" + b"K\1" * 33 + b"t", b"S'a'\n"),
    "objects as data": array(b"(K\1t", b"](K\1e"),
    "itself as data": array(b"(K\1t", b"g9\n"),
    "an empty one too large for an index": array(b"(K\0I9000000000000000000\nI9000000000000000000\nt", b"S''\n"),
}


@pytest.mark.parametrize("name", WRONG_ARRAYS)
def test_arrays_that_are_not_what_they_say(name: str) -> None:
    with pytest.raises(InputError):
        load(WRONG_ARRAYS[name], "it")


def test_the_arrays_above_are_wrong_in_that_alone() -> None:
    assert load(array(b"(K\1I2\nt", b"S'ab'\n"), "it").tolist() == [[97, 98]]


def test_an_array_that_is_never_filled_does_not_get_out() -> None:
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tS'b'\ntR"
    for data in (made + b".", b"(" + made + b"l.", made + b"p1\n0g1\n.", made + b"2."):
        with pytest.raises(InputError, match=r"never filled|not filled yet"):
            load(data, "it")


CLAIMS = {
    "BINBYTES": b"B" + struct.pack("<I", 1 << 31),
    "BINBYTES8": b"\x8e" + struct.pack("<Q", 1 << 62),
    "BYTEARRAY8": b"\x96" + struct.pack("<Q", (1 << 64) - 1),
    "BINUNICODE": b"X" + struct.pack("<I", (1 << 32) - 1),
    "BINUNICODE8": b"\x8d" + struct.pack("<Q", 1 << 40),
    "BINSTRING": b"T" + struct.pack("<i", -1),
    "LONG4": b"\x8b" + struct.pack("<i", -1),
    "FRAME": b"\x95" + struct.pack("<Q", 1 << 63),
    "LONG_BINPUT": b"K\1r" + struct.pack("<I", (1 << 32) - 1) + b"j\0\0\0\0",
}


@pytest.mark.parametrize("views", [False, True])
@pytest.mark.parametrize("name", CLAIMS)
def test_no_memory_is_taken_for_what_is_only_claimed(name: str, views: bool) -> None:
    with pytest.raises(InputError):
        load(b"\x80\5" + CLAIMS[name] + b"abc.", "it", views=views)


def laughs(times: int) -> bytes:
    """A pair of twice the pair before, and so on."""
    return b")\x94" + b"".join(b"0h%ch%c\x86\x94" % (i, i) for i in range(times))


def test_a_billion_laughs_are_shared_and_never_counted_out() -> None:
    started = time.process_time()
    with pytest.raises(InputError, match="nest deeper than 32 levels"):
        load(laughs(200) + b".", "it")
    first, second = load(laughs(30) + b".", "it")
    assert first is second
    with pytest.raises(InputError, match="neither text nor bytes nor a number"):
        load(b"}" + laughs(30) + b"K\1s.", "it")
    assert time.process_time() - started < 1


QUADRATIC = {
    "encoding": (b"X" + struct.pack("<I", 200_000) + b"a" * 200_000, b"latin1", b"c_codecs\nencode\n"),
    "a set": (b"](" + b"K\1" * 100_000 + b"e", None, b"c__builtin__\nset\n"),
    "a dictionary": (b"](" + b"](K\1K\2e" * 20_000 + b"e", None, b"ccollections\nOrderedDict\n"),
}


@pytest.mark.parametrize("name", QUADRATIC)
def test_the_same_data_is_not_copied_over_and_over(name: str) -> None:
    source, second, called = QUADRATIC[name]
    arguments = b"g1\n" + (text(second.decode()) + b"\x86" if second else b"\x85")
    data = source + b"p1\n0" + called + b"p2\n0](" + b"".join([b"g2\n" + arguments + b"R"] * 20_000) + b"e."
    started = time.process_time()
    with pytest.raises(InputError, match="copies the same data over and over"):
        load(data, "it")
    assert time.process_time() - started < 1


def test_a_value_that_contains_itself_is_refused() -> None:
    for data in (b"]\x94h\0a.", b"}\x94K\1h\0s.", b"]\x94h\0\x85a."):
        with pytest.raises(InputError, match="nest deeper"):
            load(b"\x80\4" + data, "it")


@pytest.mark.parametrize(
    "digits", [b"I" + b"9" * 5000, b"L" + b"9" * 5000 + b"L", b"F" + b"9" * 5000, b"p" + b"9" * 50]
)
def test_long_numbers_are_not_worked_out(digits: bytes) -> None:
    with pytest.raises(InputError, match="a number is too long"):
        load(b"N" + digits + b"\n.", "it")


def test_instructions_are_counted() -> None:
    with pytest.raises(InputError, match="more than 1,000 instructions"):
        load(b"]" * 100_000, "it", limits=Limits(instructions=1000))


def seeds() -> Iterator[bytes]:
    """Small pickles of the shapes that data sets have, in all spellings."""
    encoded = np.frombuffer(b"\xff\xd8\xff\xd9" * 20, np.uint8)
    points = [[(np.float32(1.5), np.float32(-2)), (np.float32(0), np.float32(3))]] * 2
    for protocol in range(6):
        for value in (([encoded, encoded[:, None], b"\xff\xd8" * 40], [True, False]), (["a.jpg", "b.jpg"], points)):
            data = pickle.dumps(value, protocol)
            yield data
            if protocol < 4:
                yield data.replace(b"numpy._core", b"numpy.core")
    yield b"(lp0\n(S'\\xff\\xd8'\np1\nU\3abclp2\nI01\nI00\naa."
    yield pickle.dumps([{"image_index": 1, "image_classes": [1, 2]}, collections.OrderedDict(a={1}, b=-1)], 2)


SEEDS = list(seeds())


def attempt(data: bytes, views: bool) -> None:
    """A value or one printable sentence."""
    try:
        load(data, "it", views=views, points=views, limits=Limits(instructions=100_000))
    except InputError as error:
        assert str(error).isprintable(), error


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_cut_off_at_any_byte(number: int) -> None:
    whole = SEEDS[number]
    for end in range(len(whole)):
        with pytest.raises(InputError, match=r"\(pickle, byte \d+\)"):
            load(whole[:end], "it", views=bool(end % 2), points=bool(end % 3))


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_flipped_bytes(number: int) -> None:
    random_ = random.Random(number)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for turn in tries(300):
            data = bytearray(SEEDS[number])
            for _ in range(random_.choice((1, 1, 2, 5))):
                data[random_.randrange(len(data))] = random_.randrange(256)
            attempt(bytes(data), bool(turn % 2))


def test_instructions_in_any_order() -> None:
    """Whatever stands on the stack, no instruction does more than fail."""
    codes = b"(.012)]}lteasudRbNKKUXCqhprg\x85\x86\x87\x88\x89\x8f\x90\x91\x93\x94ci\x8c"
    random_ = random.Random(0)
    names = [b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"cnumpy.core.multiarray\n_reconstruct\n", b"U\2f4", b"U\1<"]
    names += [b"cnumpy.core.multiarray\nscalar\n", b"c_codecs\nencode\n", b"c__builtin__\nset\n", b"K\1", b"C\4abcd"]
    for _ in tries(4000):
        pieces = [random_.choice((random_.choice(names), bytes([random_.choice(codes)]))) for _ in range(30)]
        attempt(b"".join(pieces) + b".", False)
