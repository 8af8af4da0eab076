"""Reads YAML as plain data from files that nobody vouches for.

What can be written in more than one way, or means something other than it looks, is refused or read plainly: tags,
keys given twice, keys that are not text, ``no`` as a boolean, dates. The file's size, its nesting and what its aliases
expand to are bounded before anything is built from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError

if TYPE_CHECKING:
    from yaml import Node

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 100_000
"""Bounds on a file: its size, its nesting, and its values once every alias stands for a copy of its own."""

_PREFIX = "tag:yaml.org,2002:"
_SCALARS = [
    (f"{_PREFIX}{name}", re.compile(rf"(?:{pattern})\Z"))
    for name, pattern in {
        "null": "~|null|",
        "bool": "true|false",
        "int": "[-+]?(0|[1-9][0-9]*)",
        "float": r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
        "merge": "<<",
    }.items()
]
"""What an unquoted scalar is; all else is text. YAML 1.1's other forms (``no``, ``2023-03-01``, ``0x1F``, ``1:30``,
``1_000``) surprise people, and its base-60 integers take quadratic time."""


def read(path: Path) -> Any:
    """The file's one document, made of dict with text keys, list, str, int, float, bool and None.

    Raises `ZooError` that names the file and, where it can, the line.
    """
    try:
        return _load(_text(path))
    except ValueError as error:
        raise ZooError(f"{path}: {error}") from error


def _text(path: Path) -> str:
    """The file's text. Raises `ValueError` for one that is absent, not a file, too large or not UTF-8."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror or error}).") from error
    if len(data) > MAX_BYTES:
        raise ValueError(f"such a file has at most {MAX_BYTES} bytes; split this one.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"the file is not UTF-8 text (byte {error.start}).") from error


def _load(text: str) -> Any:
    """Plain data from YAML text. Raises `ValueError`, with the line, for anything that is not."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader = type("PlainLoader", (base,), {"yaml_implicit_resolvers": {None: _SCALARS}})
    try:
        _bound(yaml.parse(text, Loader=loader))
        reader = loader(text)
        try:
            node = reader.get_single_node()
            _check_keys(node)
            return reader.construct_document(node) if node else None
        finally:
            reader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        why = getattr(error, "problem", None) or getattr(error, "reason", "unknown")
        raise ValueError(f"{line}this is not YAML that can be read ({why}).") from error


def _bound(events: Iterable[Any]) -> None:
    """Refuse tags, deep nesting, and aliases that expand to too much, before anything is built from `events`."""
    import yaml

    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = [(None, 0)]
    for event in events:
        line = event.start_mark.line + 1
        if getattr(event, "tag", None):
            raise ValueError(f"line {line}: only plain data may stand here, no tag such as {event.tag!r}.")
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, 1))
            if len(open_nodes) > MAX_DEPTH:
                raise ValueError(f"line {line}: the file is nested deeper than {MAX_DEPTH} levels.")
        elif isinstance(event, yaml.CollectionEndEvent | yaml.ScalarEvent | yaml.AliasEvent):
            anchor, size = open_nodes.pop() if isinstance(event, yaml.CollectionEndEvent) else _leaf(event, sizes)
            if anchor:
                sizes[anchor] = size
            parent, total = open_nodes.pop()
            open_nodes.append((parent, total + size))
            if total + size > MAX_NODES:
                raise ValueError(f"line {line}: the file's aliases expand to more than {MAX_NODES} values.")


def _leaf(event: Any, sizes: Mapping[str, int]) -> tuple[str | None, int]:
    """The anchor and the expanded size of a scalar or an alias; `sizes` are those of the anchors that are complete."""
    if hasattr(event, "value"):
        return event.anchor, 1
    if event.anchor not in sizes:
        raise ValueError(
            f"line {event.start_mark.line + 1}: the alias *{event.anchor} names nothing complete before it."
        )
    return None, sizes[event.anchor]


def _check_keys(root: Node | None) -> None:
    """Refuse a key that stands twice in one mapping, or that is not text. Merged keys may be overridden."""
    import yaml

    todo, seen = [root], set()
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            todo.extend(value for _, value in node.value)
            keys: set[str] = set()
            for key, _ in node.value:
                _check_key(key, keys)
                keys.add(key.value)


def _check_key(key: Node, before: set[str]) -> None:
    line = key.start_mark.line + 1
    if key.tag not in (f"{_PREFIX}str", f"{_PREFIX}merge"):
        raise ValueError(f"line {line}: a key must be text, which {key.value!r} is not; quote it.")
    if key.value in before:
        raise ValueError(f"line {line}: the key {key.value!r} stands twice in one mapping.")
