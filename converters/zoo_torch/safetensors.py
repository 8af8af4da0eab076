"""safetensors: a JSON header that says where each tensor lies, and the numbers.

The header is read here, without the package of that name; the numbers by the package, which checks that no tensor lies
over another or outside the file. See https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ModelError
from zoo.files import replacing
from zoo_torch.container import opened

if TYPE_CHECKING:
    import torch

CARD = "zoo.card"
"""The key in the header's metadata under which the model's card stands."""
_METADATA = "__metadata__"
_LENGTH = struct.Struct("<Q")
_LONGEST = 100_000_000
"""Bytes of the longest header, the limit of the format's own implementation."""
_ALIGNMENT = 8


def is_one(path: Path) -> bool:
    """Whether the file begins as safetensors do. Raises `ModelError` when it cannot be read."""
    with opened(path) as file:
        head = file.read(_LENGTH.size + 1)
    return len(head) > _LENGTH.size and head[-1:] == b"{" and _LENGTH.unpack(head[:-1])[0] <= _LONGEST


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The tensors' names and shapes. Raises `ModelError` for a damaged header."""
    header, _ = _header(path)
    found = {name: part.get("shape") for name, part in header.items() if name != _METADATA}
    if not all(isinstance(shape, list) and all(type(side) is int for side in shape) for shape in found.values()):
        raise ModelError(f"{path} is damaged: a tensor has no shape.")
    return {name: tuple(shape) for name, shape in found.items()}


def load(path: Path) -> dict[str, torch.Tensor]:
    """The tensors by name. Raises `ModelError`."""
    import safetensors
    from safetensors.torch import load_file

    _header(path)
    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{path} is cut off or damaged: {' '.join(str(error).split())[:120]}.") from None
    return tensors


def save(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors by name, those that share numbers each with its own. Raises `OSError`."""
    from safetensors.torch import save

    # Its own writing to a file turns a full disk into an error that says nothing to Python.
    path.write_bytes(save({name: tensor.contiguous().clone() for name, tensor in tensors.items()}))


def read_card(path: Path) -> str:
    """The text of the card in the file, or an empty one. Raises `ModelError`."""
    return str(_metadata(_header(path)[0], path).get(CARD, ""))


def write_card(path: Path, text: str) -> None:
    """Put the card's `text` into the header, at once or not at all; the numbers stay byte for byte."""
    header, behind = _header(path)
    metadata = {**_metadata(header, path), CARD: text}
    parts = {name: part for name, part in header.items() if name != _METADATA}
    new = json.dumps({_METADATA: metadata, **parts}, separators=(",", ":"), ensure_ascii=False).encode()
    new += b" " * (-len(new) % _ALIGNMENT)
    with replacing(path) as temporary, path.open("rb") as source, temporary.open("wb") as target:
        source.seek(behind)
        target.write(_LENGTH.pack(len(new)) + new)
        shutil.copyfileobj(source, target)


def _metadata(header: Mapping[str, Any], path: Path) -> dict[str, str]:
    metadata = header.get(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ModelError(f"{path} is damaged: its metadata are not texts.")
    return metadata


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The header, and the offset behind it. Raises `ModelError`."""
    with opened(path) as file:
        head = file.read(_LENGTH.size)
        size = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else _LONGEST + 1
        text = file.read(size) if size <= min(_LONGEST, path.stat().st_size) else b""
    try:
        header = json.loads(text) if len(text) == size else None
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or not all(isinstance(part, dict) for part in header.values()):
        raise ModelError(f"{path} is cut off or damaged: its header cannot be read.")
    return header, _LENGTH.size + size
