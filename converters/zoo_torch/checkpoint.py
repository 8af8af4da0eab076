"""Reading weight files: of `torch.save` in all its wrappings, of Lightning, and safetensors."""

from __future__ import annotations

import math
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ModelError
from zoo.files import replacing
from zoo_torch import container, safetensors
from zoo_torch.container import Contents
from zoo_torch.pickled import ITEM_SIZES, Stored
from zoo_torch.wrapping import Unwrapped, unwrap

if TYPE_CHECKING:
    import torch

_MOST_SHARED = 4


@dataclass(frozen=True)
class Checkpoint:
    """A weight file in memory. `state` are the network's tensors by name, those that share numbers in the file sharing
    them here; `card` is the text of the card in it, or empty; `meta` is what else it says, as plain data (of Lightning
    files with ``hyper_parameters``, of mmcv's with ``meta``); `wrapping` says where the tensors were (``lightning``,
    ``mmcv``, ``bare``, ``safetensors``, or the name of the entry); `left` names the parts that only training needs,
    which were not read."""

    state: Mapping[str, torch.Tensor]
    card: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    wrapping: str = "bare"
    left: tuple[str, ...] = ()


def read(path: Path) -> Checkpoint:
    """Read a weight file into memory, on the processor. Nothing in it is run.

    Raises `ModelError` for a file that is damaged, that wants to run code, or that holds no state dict.
    """
    if safetensors.is_one(path):
        return Checkpoint(safetensors.load(path), safetensors.read_card(path), {}, "safetensors")
    contents, found = _described(path)
    state = _load(path, contents, found.tensors)
    return Checkpoint(state, contents.card, found.meta, found.wrapping, found.left)


def tensors(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the network's tensors; neither torch nor their numbers are read. Raises as `read`."""
    if safetensors.is_one(path):
        return safetensors.shapes(path)
    return {name: tensor.shape for name, tensor in _described(path)[1].tensors.items()}


def state(path: Path) -> Mapping[str, torch.Tensor]:
    """The network's tensors by name. Raises as `read`."""
    return read(path).state


def configured(path: Path) -> Mapping[str, Any]:
    """What a Lightning file says of how its network was made, its hyper-parameters; empty where it says nothing. Raises
    as `read`."""
    found = {} if safetensors.is_one(path) else _described(path)[1].meta.get("hyper_parameters")
    return found if isinstance(found, Mapping) else {}


def read_card(path: Path) -> str:
    """The text of the card in the file, or an empty one. Raises `ModelError`."""
    if safetensors.is_one(path):
        return safetensors.read_card(path)
    with container.opened(path) as file:
        if file.read(4) != container.ZIP:
            return ""
        root, members = container.directory(file, path)
        place = members.get(root + container.CARD)
        return container.fetch(file, place, path).decode("utf-8", "replace") if place else ""


def write_card(path: Path, text: str) -> None:
    """Put the card's `text` into the file, at once or not at all; what else is in it stays byte for byte.

    In a zip archive the card is a member of its own, last. Raises `ModelError` for files of torch before 1.6, which
    have no room for one.
    """
    if safetensors.is_one(path):
        return safetensors.write_card(path, text)
    with container.opened(path) as file:
        if file.read(4) != container.ZIP:
            raise ModelError(f"{path} is a file of torch before 1.6, which cannot hold a card; convert it first.")
        root, _ = container.directory(file, path)
    with replacing(path) as temporary:
        shutil.copyfile(path, temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            _drop(archive, root + container.CARD)
            archive.writestr(zipfile.ZipInfo(root + container.CARD), text.encode())
    return None


def _drop(archive: zipfile.ZipFile, name: str) -> None:
    """Forget a member, and write the next one in its place where it is the last."""
    old = archive.NameToInfo.pop(name, None)
    if old is None:
        return
    archive.filelist.remove(old)
    if all(info.header_offset < old.header_offset for info in archive.filelist):
        archive.start_dir = old.header_offset


def _described(path: Path) -> tuple[Contents, Unwrapped]:
    contents = container.read(path)
    found = unwrap(contents.value, str(path))
    if sum(tensor.nbytes for tensor in found.tensors.values()) > _MOST_SHARED * path.stat().st_size:
        raise ModelError(f"{path} is refused: its tensors share the same numbers over and over.")
    return contents, found


def _load(path: Path, contents: Contents, described: Mapping[str, Stored]) -> dict[str, torch.Tensor]:
    """The tensors; the bytes of each storage are read once, and only of storages that the tensors need."""
    keys = dict.fromkeys(tensor.storage.key for tensor in described.values())
    with container.opened(path) as file:
        held = {key: _bytes(container.fetch(file, contents.places[key], path)) for key in keys}
    return {name: _tensor(held[tensor.storage.key], tensor) for name, tensor in described.items()}


def _bytes(data: bytearray) -> torch.Tensor:
    import torch

    return torch.frombuffer(data, dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)


def _tensor(held: torch.Tensor, described: Stored) -> torch.Tensor:
    import torch

    dtype = getattr(torch, described.dtype, None)
    if dtype is None:
        raise ModelError(f"This torch, {torch.__version__}, has no numbers of the type {described.dtype}.")
    if not math.prod(described.shape):
        return torch.empty(described.shape, dtype=dtype)
    whole = len(held) // ITEM_SIZES[described.dtype] * ITEM_SIZES[described.dtype]
    return held[:whole].view(dtype).as_strided(described.shape, described.stride, described.offset)
