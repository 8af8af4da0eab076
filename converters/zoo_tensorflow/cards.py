"""The card of a model in TensorFlow's files: beside a checkpoint, as a node of a frozen graph, among a SavedModel's
extra assets. Nothing here needs TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo.errors import ModelError
from zoo.files import atomic_write
from zoo_tensorflow.checkpoint import locate
from zoo_tensorflow.savedmodel import folder_of
from zoo_tensorflow.wire import encoded, fields, first, message, spans, text

NODE = "zoo.card"
EXTRA = "assets.extra/zoo.card.json"
_SUFFIX = ".zoo.card.json"
_LONGEST = 1 << 22
_STRING = 7
"""``DT_STRING`` of ``types.proto``."""


def read_beside(path: Path) -> str:
    """The text beside the checkpoint `path`, empty where there is none."""
    return _read(_beside(path))


def write_beside(path: Path, card: str) -> None:
    """Put `card` beside the checkpoint `path`."""
    atomic_write(_beside(path), card)


def read_extra(path: Path) -> str:
    """The text in the SavedModel `path`, empty where there is none."""
    return _read(folder_of(path) / EXTRA)


def write_extra(path: Path, card: str) -> None:
    """Put `card` into the SavedModel `path`."""
    atomic_write(folder_of(path) / EXTRA, card)


def read_node(path: Path) -> str:
    """The text in the frozen graph `path`, empty where there is none. Raises `ModelError` for a damaged graph."""
    return next((text(value) for node, _ in _nodes(path) for value in _texts(node)), "")


def write_node(path: Path, card: str) -> None:
    """Put `card` into the frozen graph `path`, as a constant that no other node takes; an older card is replaced.

    A message may have the elements of a list anywhere in it, so that a node is added by appending its bytes. Raises
    `ModelError` for a damaged graph.
    """
    kept = b"".join(bytes(raw) for node, raw in _nodes(path) if not _texts(node))
    tensor = encoded(1, _STRING) + encoded(2, b"") + encoded(8, card.encode())
    value = encoded(1, b"value") + encoded(2, encoded(8, tensor))
    kind = encoded(1, b"dtype") + encoded(2, encoded(6, _STRING))
    node = encoded(1, NODE.encode()) + encoded(2, b"Const") + encoded(5, kind) + encoded(5, value)
    atomic_write(path, kept + encoded(1, node))


def _nodes(path: Path) -> Iterator[tuple[memoryview, memoryview]]:
    """The nodes of a ``GraphDef`` with their fields' bytes; for other fields the first is empty."""
    try:
        for number, value, raw in spans(memoryview(path.read_bytes())):
            yield (value if number == 1 and isinstance(value, memoryview) else memoryview(b"")), raw
    except ValueError as error:
        raise ModelError(f"{path} is damaged or no frozen graph: {error}.") from None
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error.strerror or error}.") from None


def _texts(node: memoryview) -> list[memoryview]:
    """The card in a node (``node_def.proto``, ``attr_value.proto``, ``tensor.proto``), if it is the node for that."""
    if text(first(node, 1)) != NODE:
        return []
    attributes = [value for number, value in fields(node) if number == 5 and isinstance(value, memoryview)]
    return [message(attribute, 2, 8, 8) for attribute in attributes if text(first(attribute, 1)) == "value"]


def _beside(path: Path) -> Path:
    prefix = locate(path)
    return prefix.with_name(prefix.name + _SUFFIX)


def _read(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        if path.stat().st_size > _LONGEST:
            raise ModelError(f"{path} is too long for a card.")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The card {path} cannot be read: {error}.") from None
