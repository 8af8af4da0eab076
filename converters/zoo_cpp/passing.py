"""ONNX files that are run as C++: their programs, generated once and kept in the zoo's cache.

A program's folder is named by the hash over its files, so that one that was damaged is made again. What makes it counts
as much as what it is made of: after a change of the generator, or of the method's C++, it is another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from zoo.files import sha256
from zoo.plugins import catalogue, resolve
from zoo.registry import dump_card
from zoo.specs import ModelCard
from zoo_cpp import private
from zoo_cpp.edges import of_onnx


def program(path: Path, card: ModelCard) -> Path:
    """The folder of the program of the ONNX file at `path`, which `card` describes.

    Raises `ModelError` for a file that C++ cannot be made of, `ZooError` for a cache that others can write.
    """

    def generated(place: Path, work: Path) -> Path:
        of_onnx(path, work / "program", card)
        return (work / "program").rename(place / _content(work / "program"))

    return private.kept(_key(path, card), _intact, generated)


def _intact(place: Path) -> Path | None:
    found = (one for one in sorted(place.iterdir()) if not one.name.startswith("."))
    return next((one for one in found if one.is_dir() and _content(one) == one.name), None)


def _content(folder: Path) -> str:
    """One hash over the names and contents of the files in a folder."""
    return _joined(part for path in sorted(folder.iterdir()) for part in (path.name, sha256(path)))


def _key(path: Path, card: ModelCard) -> str:
    native = catalogue().methods[card.method].native.partition(":")[0].partition(".")[0]
    packages = ["zoo_cpp", *([native] if native else [])]
    model = [sha256(file) for file in resolve(catalogue().formats["onnx"].files)(path)]
    code = [part for package in packages for part in _code(files(package))]
    return _joined([*model, dump_card(card), *code])[:40]


def _code(folder: Traversable) -> Iterable[str]:
    """Names and hashes of the source files of a package."""
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            yield from _code(entry)
        elif entry.name.endswith((".py", ".inc")):
            yield from (entry.name, hashlib.sha256(entry.read_bytes()).hexdigest())


def _joined(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
