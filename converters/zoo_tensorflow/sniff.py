"""Recognising TensorFlow's files by their first and last bytes; TensorFlow is not imported."""

from __future__ import annotations

import re
from pathlib import Path

from zoo.errors import ModelError
from zoo_tensorflow import checkpoint as checkpoints
from zoo_tensorflow.table import FOOTER, MAGIC
from zoo_tensorflow.wire import fields, message, text

_HEAD = 4096
_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_OPERATION = re.compile(r"_?[A-Z][A-Za-z0-9]*")
SAVED_MODEL = b"\x08\x01\x12"
"""``SavedModel`` (``saved_model.proto``): schema version 1, then its first meta graph."""


def checkpoint(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is, or begins the names of, a checkpoint, from 0 to 1, and why."""
    if path.is_dir() and not (path / "checkpoint").is_file():
        return 0.0, "has no file that names a checkpoint"
    try:
        prefix = checkpoints.locate(path)
    except ModelError:
        return 0.0, "is no checkpoint and begins the names of none"
    index = prefix.with_name(prefix.name + ".index")
    found = index if index.is_file() else prefix
    if _tail(found) != MAGIC:
        return 0.0, f"{found.name} does not end like a checkpoint"
    return 0.95, f"{found.name} ends like a checkpoint of TensorFlow"


def graph(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a frozen graph, from 0 to 1, and why."""
    named = path.suffix.lower() == ".pb"
    operation = _first_operation(_head(path)) if path.is_file() else ""
    if not operation:
        return 0.0, "does not begin with a node of a graph"
    return (0.95 if named else 0.6), f"begins with a node {operation}" + (" and is named .pb" if named else "")


def saved_model(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a SavedModel's folder, or the file in it, from 0 to 1, and why."""
    file = path / "saved_model.pb" if path.is_dir() else path
    if file.name != "saved_model.pb" or not _head(file).startswith(SAVED_MODEL):
        return 0.0, "holds no saved_model.pb"
    return 0.99, "holds a saved_model.pb"


def _first_operation(head: bytes) -> str:
    """The operation of the first node of a ``GraphDef`` (``graph.proto``), which may run past what was read."""
    if head[:1] != b"\n":
        return ""
    name = operation = ""
    try:
        for _, node in fields(memoryview(head)):
            if isinstance(node, memoryview):
                name, operation = text(message(node, 1)), text(message(node, 2))
            break
    except ValueError:
        name, operation = _cut(head)
    return operation if _NAME.fullmatch(name) and _OPERATION.fullmatch(operation) else ""


def _cut(head: bytes) -> tuple[str, str]:
    """Name and operation of a first node that is longer than `head`; nothing where there are none."""
    found = re.match(rb"\n[\x80-\xff]*[\x00-\x7f]\n(.)(.{1,255}?)\x12(.)(\w{1,64})", head, re.DOTALL)
    if not found or found[1][0] != len(found[2]) or found[3][0] > len(found[4]):
        return "", ""
    return found[2].decode("latin-1"), found[4][: found[3][0]].decode("latin-1")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD)
    except OSError:
        return b""


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            stream.seek(-FOOTER, 2)
            return stream.read()[-len(MAGIC) :]
    except OSError:
        return b""
