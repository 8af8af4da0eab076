"""Recognising weight files by how they begin. Nothing in them is carried out."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import ModelError
from zoo_torch import container
from zoo_torch import safetensors as safe
from zoo_torch.wrapping import LIGHTNING

_SURE, _NAMED, _OTHER = 0.9, 0.95, 0.2
_SUFFIXES = (".pth", ".pt")
_HEAD = 1 << 20
"""Bytes of the pickle in which Lightning's mark is looked for: it is one of the first entries."""


def torch(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a file of `torch.save`, from 0 to 1, and why."""
    kind, lightning = _pickled(path)
    if not kind or lightning:
        return (
            (_OTHER, "is a Lightning checkpoint, which torch.save wrote") if kind else (0.0, "is no file of torch.save")
        )
    return (_NAMED if path.suffix.lower() in _SUFFIXES else _SURE), f"is {kind}"


def lightning(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a checkpoint of PyTorch Lightning, from 0 to 1, and why."""
    kind, lightning = _pickled(path)
    if not lightning:
        return 0.0, "is no Lightning checkpoint"
    return (_NAMED if path.suffix.lower() == ".ckpt" else _SURE), f"is {kind} that names a version of Lightning"


def safetensors(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a safetensors file, from 0 to 1, and why."""
    try:
        if not safe.is_one(path):
            return 0.0, "does not begin with a header of safetensors"
    except ModelError as error:
        return 0.0, str(error)
    named = path.suffix.lower() == ".safetensors"
    return (_NAMED if named else 0.6), "begins with a header of safetensors" + (" and is named so" if named else "")


def _pickled(path: Path) -> tuple[str, bool]:
    """What kind of file of `torch.save` it is, empty for none, and whether Lightning's mark is in it."""
    head = b""
    try:
        with container.opened(path) as file:
            head = file.read(_HEAD)
            if head[:4] == container.ZIP:
                root, members = container.directory(file, path)
                pickle = members[root + "data.pkl"]
                file.seek(pickle.start)
                return "a zip archive of torch.save", LIGHTNING.encode() in file.read(min(pickle.size, _HEAD))
    except ModelError:  # reading one that was cut off says what is wrong with it
        damaged = head[:4] == container.ZIP and path.suffix.lower() in _SUFFIXES
        return ("a damaged zip archive, and named like a file of torch.save" if damaged else ""), False
    if container.is_tar(head):
        return "a tar archive of a torch before 0.2", False
    return ("a stream of torch before 1.6", LIGHTNING.encode() in head) if container.is_stream(head) else ("", False)
