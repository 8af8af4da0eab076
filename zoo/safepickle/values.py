"""The constructors that pickles of plain data call, evaluated without calling what they name."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


class Fault(Exception):  # noqa: N818 - never leaves this package
    """Why the instruction at hand cannot be carried out; the machine adds where it stands."""


@dataclass(eq=False, slots=True)
class Global:
    """A name that is allowed, in the spelling of NumPy 2 and Python 3. It does nothing."""

    name: str


@dataclass(eq=False, slots=True)
class NumberType:
    """A NumPy number type: `code` such as ``f4``, and its byte `order`, empty until BUILD has told it."""

    code: str
    order: str = ""


@dataclass(eq=False, slots=True)
class Unbuilt:
    """An array that BUILD has not filled yet, and the `slots` of the memo that refer to it."""

    slots: list[int]


_MODULES = {
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
    "__builtin__": "builtins",
}
_NUMBER = re.compile(r"b1|[iu][1248]|f[248]|c8|c16")
_LAYOUTS = {
    "b1": "?", "i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "i8": "q", "u8": "Q",
    "f2": "e", "f4": "f", "f8": "d", "c8": "ff", "c16": "dd",
}  # fmt: skip
_KEYS = frozenset((str, bytes, int, float, bool, type(None)))
_MOST_AXES = 32
LONGEST_LINE = 40
"""Characters of the longest number that is written as text."""
_CONTAINERS = frozenset((list, tuple, dict))
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.?)", re.DOTALL)
_ESCAPES = {b"\\": b"\\", b"'": b"'", b'"': b'"', b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def shown(text: bytes | str) -> str:
    """Something out of the file for people: short, and without anything that a terminal would obey."""
    plain = text.decode("latin-1") if isinstance(text, bytes) else text
    return ascii(plain[:80])[1:-1]


def allowed(module: str, name: str) -> Global:
    """The global ``module.name``. Raises `Fault` unless it is one of those that are evaluated here."""
    known = f"{_MODULES.get(module, module)}.{name}"
    if (known != _NDARRAY and known not in CALLS) or "." in name:
        raise Fault(f"it asks for {shown(module)}.{shown(name)}, which is refused because it could run code")
    return Global(known)


def keys(values: Iterable[Any]) -> Iterable[Any]:
    """`values`, each of which must be plain: the hash of nested tuples can take for ever."""
    for value in values:
        if type(value) not in _KEYS:
            raise Fault("a key or an item of a set is neither text nor bytes nor a number")
        yield value


def whole(line: bytes, signed: bool = False) -> int:
    """The integer that a line of digits says."""
    if len(line) > LONGEST_LINE:
        raise Fault("a number is too long")
    value = int(line)
    if not (-(1 << 63) if signed else 0) <= value < 1 << 64:
        raise Fault("an integer has more than 64 bits")
    return value


def unescape(text: bytes) -> bytes:
    """The bytes that a string in the source code of Python 2 stands for."""
    return _ESCAPE.sub(_unescaped, text)


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return _ESCAPES[code] if len(code) < 2 else bytes([int(code[1:], 16)])


def _children(value: Any) -> Iterable[Any]:
    return value.values() if type(value) is dict else value


def require_shallow(value: Any, depth: int) -> None:
    """Raise unless `value` nests at most `depth` levels, which one that contains itself does not. What holds nothing
    that holds something is not looked at again, because most of a large value is that."""
    level = _holders([[value]])
    for _ in range(depth):
        if not level:
            return
        level = _holders(level.values())
    raise Fault(f"its values nest deeper than {depth} levels")


def _holders(parents: Iterable[Any]) -> dict[int, Any]:
    """The containers in `parents` that hold containers, each once."""
    inner = (child for parent in parents for child in _children(parent) if type(child) in _CONTAINERS)
    return {id(child): child for child in inner if any(type(leaf) in _CONTAINERS for leaf in _children(child))}


def _plain_text(value: Any) -> str:
    if isinstance(value, str | bytes):
        return value if isinstance(value, str) else value.decode("ascii")
    raise Fault("a text is missing")


def _encode(text: Any, encoding: Any) -> bytes:
    if type(text) is not str or _plain_text(encoding) not in ("latin1", "latin-1"):
        raise Fault("it encodes something else than text in Latin-1")
    return text.encode("latin-1")


def _make_bytes(value: Any = b"", *encoding: Any) -> bytes | memoryview:
    """``bytes()``, ``bytearray(bytes)`` or ``bytearray(text, "latin-1")``, which is how pickles hold them. A length,
    which these accept too, is refused."""
    if encoding:
        return _encode(value, *encoding)
    if not isinstance(value, bytes | memoryview):
        raise Fault("it makes bytes out of something else than bytes")
    return value


def _make_set(items: Any = ()) -> set[Any]:
    if type(items) not in (list, tuple):
        raise Fault("it makes a set out of something else than a list")
    return set(keys(items))


def _make_dict(pairs: Any = ()) -> dict[Any, Any]:
    if type(pairs) not in (list, tuple) or not all(type(pair) in (list, tuple) and len(pair) == 2 for pair in pairs):
        raise Fault("it makes a dictionary out of something else than a list of pairs")
    return dict(zip(keys(pair[0] for pair in pairs), (pair[1] for pair in pairs), strict=True))


def _make_type(code: Any, *_flags: Any) -> NumberType:
    text = _plain_text(code)
    if not _NUMBER.fullmatch(text):
        raise Fault(f"it holds the NumPy type {shown(text)!r}, and only numbers are read")
    return NumberType(text)


def byte_order(state: Any) -> str:
    """The byte order out of a type's state ``(version, order, subtype, names, fields, size, alignment, flags)``."""
    if type(state) is not tuple or len(state) < 5 or any(part is not None for part in state[2:5]):
        raise Fault("it holds a NumPy type with fields")
    order = _plain_text(state[1])
    if order not in ("<", ">", "|", "="):
        raise Fault("it holds a NumPy type without a byte order")
    return order


def _make_array(kind: Any, _shape: Any, _code: Any) -> Unbuilt:
    if type(kind) is not Global or kind.name != _NDARRAY:
        raise Fault("it makes an array of a class that is not NumPy's own")
    return Unbuilt([])


def array_state(state: Any) -> tuple[Any, Any, Any, str]:
    """Data, type, shape and order (``C`` or ``F``) out of an array's state."""
    if type(state) is not tuple or len(state) != 5:
        raise Fault("an array has a state of an unknown kind")
    return state[4], state[2], state[1], "F" if state[3] else "C"


def array(data: Any, kind: Any, shape: Any, order: Any) -> Any:
    """A read-only array over `data`, whose length must be what `shape` and `kind` make of it."""
    import numpy as np

    if not isinstance(data, bytes | memoryview) or type(kind) is not NumberType or not kind.order:
        raise Fault("an array holds objects, or its type is missing")
    if (
        type(shape) is not tuple
        or len(shape) > _MOST_AXES
        or not all(type(side) is int and side >= 0 for side in shape)
    ):
        raise Fault("an array has no shape")
    dtype = np.dtype(kind.order + kind.code)
    if math.prod(shape) * dtype.itemsize != len(data):
        raise Fault(f"an array of the shape {shape} and the type {kind.code} has {len(data):,} bytes")
    if not len(data):
        return np.zeros(shape, dtype)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if _plain_text(order) == "F" else "C")


def _make_scalar(kind: Any, data: Any) -> Any:
    if type(kind) is not NumberType or not kind.order or not isinstance(data, bytes):
        raise Fault("a NumPy scalar has no type or no value")
    order = "<" if kind.order == "|" else kind.order
    value = struct.unpack(order + _LAYOUTS[kind.code], data)
    return value[0] if len(value) == 1 else complex(*value)


def pairs(data: bytes, stride: int, first: int, second: int) -> Any:
    """Pairs (N, 2) of float32 that stand in `data` every `stride` bytes, at the offsets `first` and `second`."""
    import numpy as np

    rows = np.frombuffer(data, np.uint8).reshape(-1, stride)
    columns = np.concatenate([rows[:, first : first + 4], rows[:, second : second + 4]], axis=1)
    return columns.view("<f4").astype(np.float32, copy=False)


_NDARRAY, SCALAR = "numpy.ndarray", "numpy._core.multiarray.scalar"
CALLS: dict[str, Callable[..., Any]] = {
    "numpy.dtype": _make_type,
    "numpy._core.multiarray._reconstruct": _make_array,
    SCALAR: _make_scalar,
    "numpy._core.numeric._frombuffer": array,
    "_codecs.encode": _encode,
    "collections.OrderedDict": _make_dict,
    "builtins.bytes": _make_bytes,
    "builtins.bytearray": _make_bytes,
    "builtins.set": _make_set,
    "builtins.frozenset": _make_set,
}
"""What may be called, and what is done instead."""
