"""TensorFlow's checkpoints, read without TensorFlow: names, shapes and numbers.

A V2 checkpoint is a table ``PREFIX.index`` that says where in ``PREFIX.data-00000-of-00001`` each tensor lies
(``tensorflow/core/protobuf/tensor_bundle.proto``); a V1 checkpoint is one table with the tensors in it
(``saved_tensor_slice.proto``). Every size is checked against the file before anything is read, and V2's checksums too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ModelError
from zoo_tensorflow import table
from zoo_tensorflow.wire import fields, first, message, text, varints

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NUMBERS = ("1 <f4", "2 <f8", "3 <i4", "4 |u1", "5 <i2", "6 |i1", "9 <i8", "10 |b1", "17 <u2", "19 <f2", "22 <u4")
TYPES = {int(number): name for number, name in (pair.split() for pair in _NUMBERS)}
"""NumPy's names of TensorFlow's types of numbers (``types.proto``). Texts and resources are no weights and left out."""

_PART = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
_STATE = re.compile(r'^\s*model_checkpoint_path\s*:\s*"([^"\n]*)"', re.MULTILINE)
_STATE_FILE = "checkpoint"
_VALUES = {5: "<f4", 6: "<f8"}
"""Fields of ``TensorProto`` with packed numbers of a fixed size; 7, 10, 11 and 13 are variable-length ones."""


@dataclass(frozen=True)
class Entry:
    """Where a tensor of a V2 checkpoint lies: in the data file `shard`, `size` bytes from `offset`."""

    type: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int


def locate(path: Path) -> Path:
    """The prefix of the checkpoint that `path` means: the prefix itself, any of its files, or a folder, whose file
    ``checkpoint`` names the latest, or that file. Of a V1 checkpoint the prefix is the file.

    Raises `ModelError` where there is none.
    """
    if path.is_dir():
        return _latest(path)
    if path.name == _STATE_FILE and _named(path):
        return _latest(path.parent)
    prefix = path if path.is_file() and not _PART.search(path.name) else path.with_name(_PART.sub("", path.name))
    if not prefix.is_file() and not _index(prefix).is_file():
        raise ModelError(f"There is no TensorFlow checkpoint at {path}: neither {prefix.name} nor {prefix.name}.index.")
    return prefix


def files(path: Path) -> tuple[Path, ...]:
    """The files that make up the checkpoint which `path` means. Raises `ModelError` where there is none."""
    prefix = locate(path)
    if not _index(prefix).is_file():
        return (prefix,)
    return (_index(prefix), *sorted(prefix.parent.glob(f"{_escaped(prefix.name)}.data-*-of-*")))


def tensors(path: Path) -> Mapping[str, tuple[int, ...]]:
    """Names and shapes of the numbers in a checkpoint. Raises `ModelError` for a damaged one."""
    prefix = locate(path)
    with _readable(prefix) as data:
        if _index(prefix).is_file():
            return {name: entry.shape for name, entry in _entries(data)}
        return {name: shape for name, (_, shape) in _declared(data).items()}


def arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The numbers in a checkpoint by name. Raises `ModelError` for one that is damaged, or lacks one of its files."""
    prefix = locate(path)
    with _readable(prefix) as data:
        if _index(prefix).is_file():
            return dict(_bundled(prefix, data))
        return dict(_sliced(data))


def _latest(folder: Path) -> Path:
    """The checkpoint that the folder's state file names; it says the path of another machine at times."""
    found = _named(folder / _STATE_FILE)
    if found:
        prefix = folder / found
        if prefix.is_file() or _index(prefix).is_file():
            return prefix
    indices = list(folder.glob("*.index"))
    if len(indices) == 1 and not found:
        return indices[0].with_suffix("")
    raise ModelError(f"{folder} does not say which checkpoint is meant; give the path of its .index file.")


def _named(state: Path) -> str:
    """The name of the checkpoint that a state file names, empty for a file that is none, or is not there."""
    try:
        with state.open("rb") as stream:
            found = _STATE.search(stream.read(1 << 16).decode("utf-8", "replace"))
    except OSError:
        return ""
    return re.split(r"[/\\]", found[1])[-1] if found else ""


def _index(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + ".index")


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


@contextmanager
def _readable(prefix: Path) -> Iterator[memoryview]:
    """The bytes of the table of a checkpoint; what is wrong with them becomes a `ModelError` that names the file."""
    index = _index(prefix)
    path = index if index.is_file() else prefix
    try:
        yield memoryview(path.read_bytes())
    except ValueError as error:
        raise ModelError(f"{path} is damaged or no TensorFlow checkpoint: {str(error).rstrip('.')}.") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}.") from None


def _shape(data: memoryview) -> tuple[int, ...]:
    """A ``TensorShapeProto``."""
    sizes = [first(dim, 1) or 0 for number, dim in fields(data) if number == 2 and isinstance(dim, memoryview)]
    shape = tuple(size for size in sizes if isinstance(size, int))
    if len(shape) != len(sizes) or len(shape) > 16 or any(size >= 1 << 40 for size in shape):
        raise ValueError("a tensor has an impossible shape")
    return shape


def _entries(data: memoryview) -> Iterator[tuple[str, Entry]]:
    """The entries of an index: each tensor of numbers."""
    for key, value in table.entries(data):
        found = dict(fields(value))
        if not key:
            if found.get(2, 0):
                raise ValueError("its numbers are big-endian")
            continue
        name = key.decode("utf-8", "replace")
        if 7 in found:
            raise ValueError(f"the tensor {name} is stored in slices, which are not read")
        if found.get(1) in TYPES:
            yield name, _entry(name, found)


def _entry(name: str, found: Mapping[int, Any]) -> Entry:
    import numpy as np  # here, because the sniffer comes by this module

    shard, offset, size = (int(found.get(field, 0)) for field in (3, 4, 5))
    crc = int.from_bytes(found.get(6, b""), "little")
    entry = Entry(TYPES[found[1]], _shape(found.get(2, memoryview(b""))), shard, offset, size, crc)
    if entry.size != math.prod(entry.shape) * np.dtype(entry.type).itemsize:
        raise ValueError(f"the tensor {name} has {entry.size} bytes, which do not fill its shape")
    return entry


def _bundled(prefix: Path, data: memoryview) -> Iterator[tuple[str, NDArray[Any]]]:
    import numpy as np

    shards = files(prefix)[1:]
    for name, entry in _entries(data):
        if entry.shard >= len(shards):
            raise ValueError(f"its data file {entry.shard} is not beside it")
        with shards[entry.shard].open("rb") as stream:
            stream.seek(0, 2)
            if entry.offset + entry.size > stream.tell():
                raise ValueError(f"the tensor {name} lies past the end of {shards[entry.shard].name}")
            stream.seek(entry.offset)
            raw = stream.read(entry.size)
        if table.masked_crc(raw) != entry.crc:
            raise ValueError(f"the checksum of the tensor {name} is wrong")
        yield name, np.frombuffer(raw, entry.type).reshape(entry.shape)


def _declared(data: memoryview) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of each tensor, as the first entry of a V1 checkpoint lists them."""
    key, value = next(table.entries(data), (b"?", memoryview(b"")))
    if key:
        raise ValueError("it lists no tensors")
    found = {}
    for number, meta in fields(message(value, 1)):
        if number == 1 and isinstance(meta, memoryview) and first(meta, 3) in TYPES:
            found[text(first(meta, 1))] = TYPES[int(str(first(meta, 3)))], _shape(message(meta, 2))
    return found


def _sliced(data: memoryview) -> Iterator[tuple[str, NDArray[Any]]]:
    declared = _declared(data)
    for key, value in table.entries(data):
        saved = message(value, 2)
        name = text(first(saved, 1)) if key else ""
        if name not in declared:
            continue
        yield name, _values(message(saved, 3), *declared.pop(name), name)
    if declared:
        raise ValueError(f"the tensor {next(iter(declared))} is not in it")


def _values(tensor: memoryview, type: str, shape: tuple[int, ...], name: str) -> NDArray[Any]:
    """The numbers of a ``TensorProto``."""
    import numpy as np

    parts = [np.zeros(0, type)]
    for number, value in fields(tensor):
        if number == 4 and isinstance(value, memoryview):
            parts.append(np.frombuffer(value, type))
        elif number in _VALUES and isinstance(value, memoryview):
            parts.append(np.frombuffer(value, _VALUES[number]).astype(type))
        elif number in (7, 10, 11, 13):
            numbers = list(varints(value)) if isinstance(value, memoryview) else [value]
            wide = np.array(numbers, np.uint64)
            parts.append(wide.astype(np.uint16).view(type) if number == 13 else wide.astype(np.int64).astype(type))
    array = np.concatenate(parts)
    if array.size != math.prod(shape):
        raise ValueError(f"the tensor {name} has {array.size} numbers, which do not fill its shape")
    return array.reshape(shape)
