"""``model.json`` of a folder of generated C++: what the program is called, takes and gives, and the card.

The files of strangers are read here, so nothing in it is believed: the names in it become names of files and of
functions that are looked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoo.errors import ModelError
from zoo.files import atomic_write

FORMAT, MODEL, SCHEMA = "cpp", "model.json", 1
_LONGEST = 1 << 22
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_MOST_OUTPUTS = 256
_SIDE = 1 << 20


@dataclass(frozen=True)
class Description:
    """What ``model.json`` says. `name` begins the names of the files and functions; `input` and `outputs` are the
    network's, with how many numbers a row of each output has; `layout` is the order of the input's dimensions; `fixed`
    is the only (width, height) in pixels that the program takes, None where it takes any that is a multiple of
    `multiple`; `binary` says that the weights are in NAME.bin; `card` is the model's and `golden` what its
    self-test compares with, as plain data."""

    name: str
    input: str
    outputs: tuple[tuple[str, int], ...]
    layout: str = "nchw"
    fixed: tuple[int, int] | None = None
    multiple: int = 1
    binary: bool = False
    card: Mapping[str, Any] = field(default_factory=dict)
    golden: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of ``model.json``."""
        document = {
            "format": FORMAT,
            "schema": SCHEMA,
            "name": self.name,
            "input": {"name": self.input, "layout": self.layout, "fixed": self.fixed, "multiple": self.multiple},
            "outputs": [{"name": name, "columns": columns} for name, columns in self.outputs],
            "binary": self.binary,
            "card": self.card,
            "golden": self.golden,
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files that the program consists of, the source first."""
        return (f"{self.name}.cpp", f"{self.name}.h", *([f"{self.name}.bin"] if self.binary else []))


def read(path: Path) -> Description:
    """What the folder at `path` says of itself. Raises `ModelError` where it does not, or in a way that cannot be."""
    document = _document(path)
    try:
        given, size = document["input"], document["input"]["fixed"]
        described = Description(
            name=_matching(document["name"]),
            input=str(given["name"]),
            outputs=tuple((str(one["name"]), _whole(one["columns"])) for one in document["outputs"]),
            layout={"nchw": "nchw", "nhwc": "nhwc"}[given["layout"]],
            fixed=(_whole(size[0]), _whole(size[1])) if size else None,
            multiple=_whole(given["multiple"]),
            binary=bool(document["binary"]),
            card=dict(document["card"]),
            golden=dict(document.get("golden", {})),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(f"{folder_of(path) / MODEL} is damaged: {error!r} is missing or cannot be.") from None
    if not 0 < len(described.outputs) <= _MOST_OUTPUTS:
        raise ModelError(f"{folder_of(path) / MODEL} is damaged: a network has no {len(described.outputs)} outputs.")
    return described


def read_card(path: Path) -> str:
    """The card's text, empty where there is none. Raises `ModelError` for a damaged ``model.json``."""
    card = _document(path).get("card")
    return json.dumps(card) if card else ""


def write_card(path: Path, text: str) -> None:
    """Put the card's `text` in the place of the one that is there. Raises as `read_card`."""
    document = {**_document(path), "card": json.loads(text)}
    atomic_write(folder_of(path) / MODEL, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def files(path: Path) -> tuple[Path, ...]:
    """The files of the program and what is to be read with it; what else lies in the folder is the user's own."""
    folder, described = folder_of(path), read(path)
    names = (*described.files, MODEL, "CMakeLists.txt", "example.cpp")
    return tuple(folder / name for name in names if (folder / name).is_file())


def folder_of(path: Path) -> Path:
    """The folder that `path`, it or the ``model.json`` in it, means."""
    return path.parent if path.name == MODEL and not path.is_dir() else path


def _document(path: Path) -> dict[str, Any]:
    file = folder_of(path) / MODEL
    try:
        if not file.is_file():  # a pipe would be waited for
            raise ModelError(f"{folder_of(path)} is no folder of C++: it holds no {MODEL}.")
        if file.stat().st_size > _LONGEST:
            raise ModelError(f"{file} is too long for a description of a program.")
        document = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read: {getattr(error, 'strerror', '') or error}.") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ModelError(f"{file} describes no program in C++.")
    if document.get("schema") != SCHEMA:
        raise ModelError(f"{file} has the schema {document.get('schema')!r}, and this zoo reads {SCHEMA}.")
    return document


def _matching(name: Any) -> str:
    if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
        raise ValueError(f"the name {name!r:.80}")
    return name


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 < value <= _SIDE:
        raise ValueError(f"the number {value!r:.80}")
    return value
