"""The instructions of pickles by their codes, and what is carried out in one go."""

from __future__ import annotations

import re

_NAMES = {
    b"(": "mark", b".": "stop", b"0": "pop", b"1": "pop_mark", b"2": "dup",
    b"p": "put", b"q": "binput", b"r": "long_binput", b"\x94": "memoize",
    b"g": "get", b"h": "binget", b"j": "long_binget", b"\x80": "proto", b"\x95": "frame",
    b"N": "none", b"\x88": "true", b"\x89": "false", b"I": "int_line", b"L": "long_line", b"F": "float_line",
    b"J": "binint", b"K": "binint1", b"M": "binint2", b"\x8a": "long1", b"\x8b": "long4", b"G": "binfloat",
    b"S": "string_line", b"V": "unicode_line", b"\x8c": "text1", b"X": "text4", b"\x8d": "text8",
    b"U": "bytes1", b"T": "bytes4", b"C": "bytes1", b"B": "bytes4", b"\x8e": "bytes8", b"\x96": "bytes8",
    b"]": "empty_list", b")": "empty_tuple", b"}": "empty_dict", b"\x8f": "empty_set",
    b"\x85": "tuple1", b"\x86": "tuple2", b"\x87": "tuple3", b"t": "tuple", b"l": "list", b"d": "dict",
    b"\x91": "frozenset", b"a": "append", b"e": "appends", b"s": "setitem", b"u": "setitems", b"\x90": "additems",
    b"c": "global_line", b"\x93": "stack_global", b"R": "reduce", b"b": "build", b"i": "inst",
}  # fmt: skip
REFUSED = {
    ord("o"): "OBJ", ord("P"): "PERSID", ord("Q"): "BINPERSID", 0x81: "NEWOBJ", 0x92: "NEWOBJ_EX",
    0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4", 0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
}  # fmt: skip
HANDLERS = ["_op_refused" if code in REFUSED else f"_op_{_NAMES.get(bytes([code]), 'unknown')}" for code in range(256)]
"""The name of the method of `zoo.safepickle.machine.Machine` for each code."""


def _points_pattern(note: bytes) -> re.Pattern[bytes]:
    """A whole list of up to 256 pairs of float32 scalars as CPython writes it, behind the code of EMPTY_LIST. Groups:
    all pairs, how they refer to the scalars' constructor, and how to their type."""
    value = rb"C\x04.{4}%b\x86%bR%b" % (note, note, note)
    first = rb"(h.|j.{4})(h.|j.{4})" + value + rb"\2\3" + value + rb"\x86" + note
    other = rb"\2\3" + value + rb"\2\3" + value + rb"\x86" + note
    return re.compile(note + rb"\((" + first + rb"(?:" + other + rb"){0,255})e", re.DOTALL)


NOTED_POINTS, POINTS = _points_pattern(rb"\x94"), _points_pattern(b"")
"""Lists of points, with all their values noted in the memo (as by CPython) and with none."""
