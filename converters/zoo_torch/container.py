"""The two containers of `torch.save`: a zip archive since torch 1.6, and one stream of pickles and numbers before.

Both give the same: what the pickle describes, and where in the file the bytes of each storage lie. Nothing is allocated
from a length that the file only claims; what a file claims is held against its size before anything is read.
"""

from __future__ import annotations

import itertools
import mmap
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

from zoo.errors import InputError, ModelError
from zoo.safepickle import DEFAULT
from zoo_torch.pickled import ITEM_SIZES, Storage, TorchMachine

CARD = "zoo_card.json"
"""The member of the zip archive, beside ``data.pkl``, that holds the model's card; torch does not look at it."""
ZIP = b"PK\x03\x04"
_LEGACY = re.compile(rb"\x80[\x02-\x05](\x95.{8})?\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\.", re.DOTALL)
_TAR, _TAR_AT = b"ustar", 257
_TAR_MEMBERS = (b"sys_info", b"pickle", b"storages", b"tensors")
_PROTOCOL = 1001
_ENCRYPTED = 1
_LOCAL = struct.Struct("<4s22xHH")
_COUNT = struct.Struct("<q")
_ZIP_FAULTS = (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OverflowError, struct.error, IndexError)


@dataclass(frozen=True)
class Place:
    """Where bytes lie in a file: `size` of them from `start` on, with their CRC-32 where the file tells it."""

    start: int
    size: int
    crc: int | None = None


Places: TypeAlias = dict[str, Place]


@dataclass(frozen=True)
class Contents:
    """What a file of `torch.save` holds: the `value` of its pickle, in which tensors are `zoo_torch.pickled.Stored`,
    the `places` of the storages' bytes by key, and the card's text."""

    value: Any
    places: Places
    card: str = ""


def read(path: Path) -> Contents:
    """The contents of the file `path`. Raises `ModelError` for one that is damaged, not of `torch.save`, or refused."""
    with opened(path) as file:
        head = file.read(512)
        if head[:4] == ZIP:
            return _archive(file, path)
        if is_stream(head):
            return _stream(file, path)
        if is_tar(head):
            raise ModelError(
                f"{path} is a tar archive as torch wrote it before 0.2; save it anew with a torch below 2."
            )
    raise ModelError(f"{path} is damaged or not a file of torch.save.")


def is_stream(head: bytes) -> bool:
    """Whether a file that begins with `head` is a stream of torch before 1.6."""
    return _LEGACY.match(head) is not None


def is_tar(head: bytes) -> bool:
    """Whether a file that begins with `head`, 512 bytes, is a tar archive of torch before 0.2."""
    return head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR and head.partition(b"\0")[0] in _TAR_MEMBERS


def fetch(file: IO[bytes], place: Place, path: Path) -> bytearray:
    """The bytes at `place`. Raises `ModelError` where they are not there or are not those that were written."""
    file.seek(place.start)
    data = bytearray(place.size)
    if file.readinto(data) != place.size:  # type: ignore[attr-defined]
        raise ModelError(f"{path} is cut off.")
    if place.crc is not None and zlib.crc32(data) != place.crc:
        raise ModelError(f"{path} is damaged: its check sum at byte {place.start} is wrong.")
    return data


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file, open for reading. Raises `ModelError`."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error.strerror or error}.") from None


# Since torch 1.6.


def _archive(file: IO[bytes], path: Path) -> Contents:
    root, members = directory(file, path)
    if f"{root}byteorder" in members and fetch(file, members[f"{root}byteorder"], path) != b"little":
        raise ModelError(f"{path} was written on a big-endian machine; save it anew on a usual one.")
    data = bytes(fetch(file, members[f"{root}data.pkl"], path))
    machine = _machine(data)
    value = _run(machine, path)
    named = {key: members.get(f"{root}data/{key}") for key in machine.storages}
    places = {key: _checked(storage, named[key], path) for key, storage in machine.storages.items()}
    card = members.get(root + CARD)
    return Contents(value, places, fetch(file, card, path).decode("utf-8", "replace") if card else "")


def directory(file: IO[bytes], path: Path) -> tuple[str, Places]:
    """The folder in the archive that holds ``data.pkl``, with its slash, and the place of each member.

    Members are stored, never compressed, and none lies over another: so the archive can hold no more than its size.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            end = archive.start_dir
            infos = archive.infolist()
        if any(info.filename.endswith("/constants.pkl") for info in infos):
            raise ModelError(f"{path} is a TorchScript archive, a program; bring the state dict that it was made from.")
        members = {info.filename: _member(file, info, end, path) for info in infos}
    except _ZIP_FAULTS as error:
        raise ModelError(f"{path} is cut off or damaged: {str(error)[:80] or type(error).__name__}.") from None
    ends = [(info.header_offset, members[info.filename]) for info in infos]
    if len(members) != len(infos) or _overlap(sorted(ends, key=lambda one: one[0])):
        raise ModelError(f"{path} is refused: members of its zip archive lie over each other.")
    roots = [name.removesuffix("data.pkl") for name in members if re.fullmatch(r"([^/]*/)?data\.pkl", name)]
    if len(roots) != 1:
        raise ModelError(f"{path} is a zip archive, but none of torch.save.")
    return roots[0], members


def _overlap(members: list[tuple[int, Place]]) -> bool:
    """Whether one of the members, by the offsets of their headers in order, begins before the one before has ended."""
    return any(start < place.start + place.size for (_, place), (start, _) in itertools.pairwise(members))


def _member(file: IO[bytes], info: zipfile.ZipInfo, end: int, path: Path) -> Place:
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise ModelError(f"{path} is refused: its zip archive is compressed, which torch.save never does.")
    if info.flag_bits & _ENCRYPTED:
        raise ModelError(f"{path} is refused: its zip archive is encrypted.")
    file.seek(info.header_offset)
    signature, name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
    start = info.header_offset + _LOCAL.size + name + extra
    if signature != ZIP or start + info.file_size > end:
        raise ModelError(f"{path} is cut off or damaged: a member of its zip archive is not where it should be.")
    return Place(start, info.file_size, info.CRC)


def _checked(storage: Storage, place: Place | None, path: Path) -> Place:
    wanted = storage.count * ITEM_SIZES[storage.dtype]
    if place is None or place.size != wanted:
        found = "are missing" if place is None else f"have {place.size:,} bytes in place of {wanted:,}"
        raise ModelError(f"{path} is damaged: the numbers {ascii(storage.key)[:40]} {found}.")
    return place


# Before torch 1.6.


def _stream(file: IO[bytes], path: Path) -> Contents:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = _LEGACY.match(data)
        first = _machine(data)
        if found is None or _run(first, path, found.end()) != _PROTOCOL:
            raise ModelError(f"{path} was written by a torch of an unknown protocol.")
        second = _machine(data)
        system = _run(second, path, first.behind)
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise ModelError(f"{path} was written on a big-endian machine; save it anew on a usual one.")
        machine, keys = _machine(data), _machine(data)
        value = _run(machine, path, second.behind)
        listed = _run(keys, path, machine.behind)
        return Contents(value, _places(data, keys.behind, listed, machine.storages, path))


def _places(data: mmap.mmap, position: int, keys: Any, storages: dict[str, Storage], path: Path) -> Places:
    """Behind the pickles: for each storage, in the order of `keys`, its count as an int64 and its numbers."""
    if type(keys) is not list or any(type(key) is not str for key in keys) or set(keys) != set(storages):
        raise ModelError(f"{path} is damaged: its list of storages is not that of its tensors.")
    places: Places = {}
    for key in keys:
        storage, head = storages[key], data[position : position + _COUNT.size]
        start, size = position + _COUNT.size, storage.count * ITEM_SIZES[storage.dtype]
        if key in places or len(head) < _COUNT.size or start + size > len(data):
            raise ModelError(f"{path} is cut off or damaged: the numbers {ascii(key)[:40]} are not all there.")
        if _COUNT.unpack(head)[0] != storage.count:
            raise ModelError(f"{path} is damaged: the numbers {ascii(key)[:40]} have two counts.")
        places[key], position = Place(start, size), start + size
    return places


def _machine(data: bytes | mmap.mmap) -> TorchMachine:
    return TorchMachine(data, DEFAULT.instructions, DEFAULT.depth)


def _run(machine: TorchMachine, path: Path, start: int = 0) -> Any:
    try:
        return machine.run(str(path), start)
    except InputError as error:
        raise ModelError(str(error)) from None
