"""The folder with the sources: recognised, its tensors, its files, and the card in ``model.json`` beside them.

A library's own checkout is a model, too: name the data file in it. A folder that holds anything else is none, so that
no conversion ever takes such a checkout's place.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ModelError
from zoo.files import atomic_write

if TYPE_CHECKING:
    from zoo_libfacedetection.data import Row

DATA, NETWORK, README, MODEL = "facedetectcnn-data.cpp", "facedetectcnn-model.cpp", "README.txt", "model.json"
NAME = "libfacedetection"
_TABLE = b"ConvInfoStruct param_pConvInfo["
_TAIL = 1 << 16
"""Bytes at the end of the data file in which its table begins: that of 59 rows has 7 thousand."""
_LONGEST = 1 << 22


def sniff(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a data file of libfacedetection, or a folder with one and what belongs to it, from
    0 to 1, and why."""
    if path.is_dir():
        try:
            others = {one.name for one in path.iterdir()} - {DATA, NETWORK, README, MODEL}
        except OSError as error:
            return 0.0, f"cannot be read: {error.strerror or error}"
        if others or not (path / DATA).is_file():
            return 0.0, f"is no folder of {DATA} and what belongs to it alone"
    elif path.suffix != ".cpp" or not path.is_file():
        return 0.0, "is no file named .cpp"
    file = path / DATA if path.is_dir() else path
    if _TABLE not in _tail(file):
        return 0.0, "does not end with the table of libfacedetection's convolutions"
    return 0.95, f"{file.name} ends with the table of libfacedetection's convolutions"


def data_file(path: Path) -> Path:
    """The data file that `path`, it or its folder, means."""
    return path / DATA if path.is_dir() else path


def files(path: Path) -> tuple[Path, ...]:
    """The data file, and of what belongs to it what is there."""
    file = data_file(path)
    beside = (file.with_name(name) for name in (NETWORK, README, MODEL))
    return (file, *(one for one in beside if one.is_file()))


def tensors(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the network's convolutions, as in the checkpoints of the original. Raises `ModelError`."""
    return {name: tuple(tensor.shape) for name, tensor in _convolutions(path).items()}


def state(path: Path) -> dict[str, Any]:
    """The tensors (float32 arrays) of the network by name: convolutions, and normalisations that change nothing, since
    they are folded into them. Raises `ModelError`."""
    import numpy as np

    from zoo_libfacedetection.data import EPSILON

    found = _convolutions(path)
    for row in _read(path):
        if row.normalised:
            norm = f"{row.conv.removesuffix('conv2')}bn" if row.conv.endswith("conv2") else f"{row.conv[:-5]}bn1"
            ones, zeros = np.ones_like(row.bias), np.zeros_like(row.bias)
            values = (ones, zeros, zeros, ones - np.float32(EPSILON))
            names = ("weight", "bias", "running_mean", "running_var")
            found |= {f"{norm}.{name}": value for name, value in zip(names, values, strict=True)}
    return found


def read_card(path: Path) -> str:
    """The card's text in ``model.json``, empty where there is none. Raises `ModelError` for one that is damaged."""
    file = data_file(path).with_name(MODEL)
    if not file.is_file():
        return ""
    try:
        document = json.loads(file.read_bytes()) if file.stat().st_size <= _LONGEST else None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"The card {file} cannot be read: {error}.") from None
    if not isinstance(document, dict) or document.get("format") != NAME or "card" not in document:
        raise ModelError(f"{file} holds no card of a model in the format {NAME}.")
    return json.dumps(document["card"])


def write_card(path: Path, text: str) -> None:
    """Put the card's `text` into ``model.json``: the sources stay to the byte what the library's own tool writes."""
    document = {"format": NAME, "card": json.loads(text)}
    atomic_write(data_file(path).with_name(MODEL), json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _convolutions(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for row in _read(path):
        found |= {f"{row.conv}.weight": row.weight, f"{row.conv}.bias": row.bias}
    return found


def _read(path: Path) -> list[Row]:
    from zoo_libfacedetection.data import load

    return load(data_file(path))


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            stream.seek(-min(_TAIL, path.stat().st_size), 2)
            return stream.read()
    except OSError:
        return b""
