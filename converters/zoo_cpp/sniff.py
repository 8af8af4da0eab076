"""Recognising a folder of generated C++ by its ``model.json``. Nothing in it is compiled or run to tell."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import ModelError
from zoo_cpp import cards


def sniff(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a folder of generated C++, or the ``model.json`` in one, from 0 to 1, and why."""
    if not (cards.folder_of(path) / cards.MODEL).is_file():
        return 0.0, f"is no folder with a {cards.MODEL}"
    try:
        described = cards.read(path)
    except ModelError as error:
        return 0.0, str(error)
    source = cards.folder_of(path) / described.files[0]
    if not source.is_file():
        return 0.0, f"its {cards.MODEL} describes a {source.name}, which is not there"
    return 0.95, f"its {cards.MODEL} describes {source.name}"
