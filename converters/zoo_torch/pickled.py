"""The pickle inside a file of `torch.save`, carried out without torch and without running anything.

Tensors become descriptions (`Stored`) of where their numbers lie. A class of somebody's program becomes an `Inert` that
keeps its name, and so does an object of such a class, with what it was filled with. A name of Python's own modules that
is not known here, and a call of anything but a class, is refused: honest checkpoints have neither.
"""

from __future__ import annotations

import _compat_pickle
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zoo.safepickle.machine import Machine
from zoo.safepickle.values import Fault, Global, allowed, shown

ITEM_SIZES = {
    "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16,
    "uint8": 1, "int8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8, "bool": 1,
    "float8_e4m3fn": 1, "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1,
}  # fmt: skip
"""Bytes of a number, by torch's name of its type."""
_STORAGES = {
    "HalfStorage": "float16", "BFloat16Storage": "bfloat16", "FloatStorage": "float32", "DoubleStorage": "float64",
    "ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128", "ByteStorage": "uint8",
    "CharStorage": "int8", "ShortStorage": "int16", "IntStorage": "int32", "LongStorage": "int64",
    "BoolStorage": "bool", "UntypedStorage": "uint8",
}  # fmt: skip
_ALIASES = {"__builtin__": "builtins", "copy_reg": "copyreg", "torch.cuda": "torch", "torch.storage": "torch"}
_OF_PYTHON = sys.stdlib_module_names.union(
    (name.partition(".")[0] for name in _compat_pickle.IMPORT_MAPPING),
    ("commands", "distutils", "imp", "new", "popen2"),
)
"""Python's own modules, those of Python 2 and such as were taken out since among them."""
_HARMLESS = frozenset((
    "argparse.Namespace", "types.SimpleNamespace", "uuid.UUID", "decimal.Decimal", "fractions.Fraction",
    "collections.deque", "datetime.date", "datetime.datetime", "datetime.timedelta", "datetime.timezone",
    "builtins.bool", "builtins.complex", "builtins.dict", "builtins.float", "builtins.int", "builtins.list",
    "builtins.object", "builtins.slice", "builtins.str", "builtins.tuple", "builtins.type", "typing.Any",
    "typing.Union", "typing.Dict", "typing.List", "typing.Tuple",
))  # fmt: skip
"""Names of Python's own modules that old checkpoints hold, which become `Inert` as other classes do."""
_MOST_AXES = 64
_LONGEST_PATH = 4096


@dataclass(eq=False, slots=True)
class Inert:
    """What stands for a class by its `name`, or for an object of it with the `content` that it was filled with."""

    name: str
    content: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Storage:
    """`count` numbers of a type, which the file keeps under `key`, from its number `start` on."""

    key: str
    dtype: str
    count: int
    start: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor as the file describes it: `offset` and `stride` count numbers of `dtype` in the storage's bytes."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """The bytes of its numbers, packed."""
        return math.prod(self.shape) * ITEM_SIZES[self.dtype]


@dataclass(frozen=True, slots=True)
class DType:
    """One of torch's number types by name."""

    name: str


class TorchMachine(Machine):
    """Carries out a pickle of `torch.save`. `storages` are those that it names, by key."""

    def __init__(self, data: Any, instructions: int, depth: int) -> None:
        super().__init__(data, instructions, depth)
        self.storages: dict[str, Storage] = {}

    def find(self, module: str, name: str) -> Any:
        """What stands for the global ``module.name``. Raises `Fault` for an unknown one of Python's own."""
        known = f"{_ALIASES.get(module, module)}.{name}"
        if known in _EVALUATED:
            return Global(known)
        if module == "torch" and name in ITEM_SIZES:
            return DType(name)
        if known in _HARMLESS:
            return Inert(known)
        try:
            return allowed(module, name)  # NumPy's constructors, under the names of all its versions
        except Fault:
            if module.partition(".")[0] in _OF_PYTHON:
                raise
            return Inert(f"{module}.{name}")

    def call(self, called: Any, arguments: Any) -> Any:
        """What `called` makes of `arguments`. Raises `Fault` where it is neither known nor a class."""
        if type(called) is Global and called.name in _EVALUATED and type(arguments) is tuple:
            return _EVALUATED[called.name](*arguments)
        if type(called) is Inert:
            return _made(called)
        return super().call(called, arguments)

    def instruct(self, name: str, position: int) -> int:
        """NEWOBJ and NEWOBJ_EX make objects that are inert, BINPERSID names a storage. Raises `Fault` for others."""
        if name == "BINPERSID":
            self.stack.append(self._storage(self.stack.pop()))
        elif name in ("NEWOBJ", "NEWOBJ_EX"):
            del self.stack[-1 if name == "NEWOBJ" else -2 :]
            self.stack.append(_new(self.stack.pop()))
        else:
            return super().instruct(name, position)
        return position

    def complete(self, target: Any, state: Any) -> None:
        """Fill an inert object. What an ``OrderedDict`` has besides its items is left out."""
        if type(target) is Inert:
            parts = state if type(state) is tuple else (state,)
            for part in parts:
                if type(part) is dict:
                    self.note_copy(len(part))
                    target.content.update(part)
        elif type(target) is not dict:
            super().complete(target, state)

    def _top(self, kind: type) -> Any:
        """The value on top of the stack; of an inert object its content, or a list that nobody looks at."""
        top = self.stack[-1]
        if type(top) is Inert:
            return top.content if kind is dict else kind()
        return super()._top(kind)

    def _set(self, items: list[Any], position: int) -> int:
        """Old callbacks stand under their classes: these become texts."""
        for index in range(0, len(items), 2):
            if type(items[index]) is Inert:
                items[index] = items[index].name
        return super()._set(items, position)

    def _op_bytes1(self, position: int) -> int:
        return self._python2(super()._op_bytes1(position), self.data[position - 1])

    def _op_bytes4(self, position: int) -> int:
        return self._python2(super()._op_bytes4(position), self.data[position - 1])

    def _python2(self, position: int, code: int) -> int:
        """Text of Python 2 is text where it can be."""
        if code in b"UT":
            try:
                self.stack[-1] = self.stack[-1].decode("utf-8")
            except UnicodeDecodeError:
                return position
        return position

    def _storage(self, named: Any) -> Storage:
        """The storage that ``("storage", class, key, device, count)`` names; the oldest files add what view it is."""
        if type(named) is not tuple or len(named) < 5 or named[0] != "storage":
            what = f" of the class {shown(_name(named[1]))}" if type(named) is tuple and len(named) > 1 else ""
            raise Fault(f"it refers to a network object{what} in place of numbers")
        kind, key, count, view = named[1], named[2], named[4], named[5] if len(named) > 5 else None
        dtype = _STORAGES.get(_name(kind).removeprefix("torch."))
        if dtype is None or type(key) is not str or not _whole(count):
            raise Fault(f"it has numbers of an unknown kind, {shown(_name(kind))}")
        storage = self.storages.setdefault(key, Storage(key, dtype, count))
        if (storage.dtype, storage.count) != (dtype, count):
            raise Fault(f"it describes the same numbers, {shown(key)}, in two ways")
        return storage if view is None else _viewed(storage, view)


def _name(value: Any) -> str:
    return value.name if isinstance(value, Inert | Global) else type(value).__name__


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 0


def _viewed(storage: Storage, view: Any) -> Storage:
    """A part of a storage: ``(key, offset, count)``, as torch before 0.4 wrote it."""
    if type(view) is not tuple or len(view) != 3 or not _whole(view[1]) or not _whole(view[2]):
        raise Fault("a view of numbers is described in no known way")
    if view[1] + view[2] > storage.count:
        raise Fault("a view of numbers reaches beyond them")
    return Storage(storage.key, storage.dtype, view[2], view[1])


def _made(kind: Inert) -> Inert:
    """An object of a class. What is written small is a function, and honest checkpoints call none."""
    last = kind.name.rpartition(".")[2].lstrip("_")
    if not last[:1].isupper() and kind.name not in _HARMLESS:
        raise Fault(f"it calls {shown(kind.name)}, which is refused because it could run code")
    return Inert(kind.name)


def _new(kind: Any) -> Any:
    if type(kind) is Inert:
        return _made(kind)
    if type(kind) is Global and kind.name in _DICTIONARIES:
        return {}
    raise Fault(f"it makes an object of {shown(_name(kind))}, which is no class of a checkpoint")


def _reconstructed(kind: Any, _base: Any = None, state: Any = None) -> Any:
    made = _new(kind)
    if type(made) is Inert and type(state) is dict:
        made.content = state
    return made


def _attribute(owner: Any, name: Any) -> Inert:
    """Methods that old logs keep beside their numbers are names, no more."""
    if type(owner) is not Inert or type(name) is not str or name.startswith("_"):
        raise Fault("it asks for builtins.getattr, which is refused because it could run code")
    return Inert(f"{owner.name}.{name}")


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_rest: Any) -> Stored:
    if type(storage) is not Storage:
        raise Fault("a tensor has no numbers")
    return _described(storage, storage.dtype, offset, shape, stride)


def _tensor_v3(storage: Any, offset: Any, shape: Any, stride: Any, _grad: Any, _hooks: Any, dtype: Any, *_: Any) -> Any:
    """As `_tensor`, for number types that have no storage class of their own: the storage counts bytes."""
    if type(storage) is not Storage or type(dtype) is not DType or storage.start:
        raise Fault("a tensor has no numbers or no type")
    return _described(storage, dtype.name, offset, shape, stride)


def _described(storage: Storage, dtype: str, offset: Any, shape: Any, stride: Any) -> Stored:
    """The tensor, whose numbers must all lie in its storage, and be no more than the storage has."""
    if not (_axes(shape) and _axes(stride) and len(shape) == len(stride) and _whole(offset)):
        raise Fault("a tensor has no shape")
    room = storage.count * ITEM_SIZES[storage.dtype] // ITEM_SIZES[dtype]
    last = offset + sum((side - 1) * step for side, step in zip(shape, stride, strict=True))
    size = math.prod(shape)
    if size and (last >= room or size > room):
        raise Fault(f"a tensor of {'x'.join(map(str, shape)) or 'one number'} has {room:,} numbers in the file")
    return Stored(storage, dtype, offset + storage.start if size else 0, shape, stride)


def _axes(value: Any) -> bool:
    return type(value) is tuple and len(value) <= _MOST_AXES and all(map(_whole, value))


def _parameter(data: Any, *_rest: Any) -> Stored:
    if type(data) is not Stored:
        raise Fault("a parameter is no tensor")
    return data


def _typed(how: Any, _kind: Any, arguments: Any, *_state: Any) -> Any:
    """A tensor with a class or attributes of its own, which are left out."""
    if type(how) is not Global or how.name not in _TENSORS or type(arguments) is not tuple:
        raise Fault(f"it makes a tensor by {shown(_name(how))}, which is refused because it could run code")
    return _TENSORS[how.name](*arguments)


def _size(sides: Any = ()) -> tuple[Any, ...]:
    if type(sides) not in (tuple, list) or len(sides) > _MOST_AXES:
        raise Fault("a size is no short list of numbers")
    return tuple(sides)


def _device(*parts: Any) -> str:
    return _joined(":", parts)


def _path(*parts: Any) -> str:
    return _joined("/", parts)


def _joined(between: str, parts: tuple[Any, ...]) -> str:
    """One text, too short to make much out of little."""
    texts = [str(part) for part in parts if type(part) in (str, int)]
    if sum(map(len, texts)) > _LONGEST_PATH:
        raise Fault("a path or a device has no end")
    return between.join(texts)


def _counted(items: Any = ()) -> dict[Any, Any]:
    return items if type(items) is dict else {}


def _defaulting(*_factory: Any) -> dict[Any, Any]:
    return {}


_TENSORS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
}
_DICTIONARIES = ("collections.OrderedDict", "collections.defaultdict", "collections.Counter")
_EVALUATED: dict[str, Callable[..., Any]] = {
    **_TENSORS,
    "torch._tensor._rebuild_from_type_v2": _typed,
    "torch._tensor._rebuild_from_type": _typed,
    "torch.Size": _size,
    "torch.device": _device,
    "builtins.getattr": _attribute,
    "copyreg._reconstructor": _reconstructed,
    "collections.defaultdict": _defaulting,
    "collections.Counter": _counted,
    **dict.fromkeys((f"pathlib.{kind}" for kind in ("Path", "PosixPath", "WindowsPath", "PurePosixPath")), _path),
    **dict.fromkeys((f"torch.{kind}" for kind in _STORAGES), _defaulting),
}
"""What may be called, and what is done instead. Storage classes stand here to be named, in `_storage`."""
