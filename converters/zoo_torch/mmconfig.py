"""Upstream configuration files: Python files of the mm family (mmdetection, mmcv, mmengine), read as data.

mmengine's own ``Config.fromfile`` runs such a file. Here it is parsed and what it assigns is evaluated by
`zoo_torch.literals`, which knows literals and little more; mmengine's Config then merges a file with its ``_base_``
files, so that inheritance and ``_delete_`` mean what they mean there.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ModelError, RuntimeMissingError
from zoo_torch.literals import BASE, Evaluator

_LARGEST = 1 << 20
_DEEPEST = 10
"""How many files may inherit one from the other; mmdetection's go to four."""


def read(path: Path) -> dict[str, Any]:
    """All that the configuration file `path` assigns, by name, with what it inherits.

    Raises `ModelError`, with the line, for what only running the file could tell; `RuntimeMissingError` where mmengine
    is needed and not installed.
    """
    return _read(path.absolute(), ())


def _read(path: Path, children: tuple[Path, ...]) -> dict[str, Any]:
    if path in children or len(children) >= _DEEPEST:
        raise ModelError(f"{children[-1]} inherits from {path} in a circle, or too many files deep.")
    tree = _parse(path)
    evaluator = Evaluator(path, {})
    base: dict[str, Any] = {}
    for name in _bases(tree, evaluator):
        _join(base, _read(_beside(path, name), (*children, path)), path)
    own = Evaluator(path, base).run(tree)
    return _merged(base, own, path) if base else own


def _parse(path: Path) -> ast.Module:
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelError(f"{path} has more than {_LARGEST:,} bytes: that is no configuration file.")
        return ast.parse(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise ModelError(f"The configuration file {path} cannot be read: {error.strerror or error}.") from None
    except SyntaxError as error:
        raise ModelError(f"{path}, line {error.lineno or 0}: this is no Python: {error.msg}.") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ModelError(f"{path} cannot be read as Python: {str(error)[:80] or 'it nests too deep'}.") from None


def _bases(tree: ast.Module, evaluator: Evaluator) -> list[str]:
    """The files that ``_base_ = ...`` names."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and any(ast.unparse(target) == BASE for target in statement.targets):
            found = evaluator.value(statement.value)
            names = [found] if isinstance(found, str) else found
            if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
                raise evaluator.refused(statement, "_base_ is no file name nor a list of them")
            return list(names)
    return []


def _beside(path: Path, name: str) -> Path:
    if "::" in name or "://" in name or not name.endswith(".py"):
        raise ModelError(f"{path} inherits from {name!r}; only .py files beside it are read: copy it there.")
    return (path.parent / name).resolve()


def _join(into: dict[str, Any], other: Mapping[str, Any], path: Path) -> None:
    for name, value in other.items():
        if name in into:
            raise ModelError(f"{path} inherits {name} from two files, which contradict each other.")
        into[name] = value


def _merged(base: dict[str, Any], own: dict[str, Any], path: Path) -> dict[str, Any]:
    """`own` merged into `base` by mmengine: dictionaries key by key unless ``_delete_`` says otherwise."""
    try:
        from mmengine.config import Config
    except ImportError:
        raise RuntimeMissingError(
            f"{path} inherits from other files, and merging them needs mmengine, which is not installed; install it"
            " with pip install 'facezoo[torch]'."
        ) from None
    try:
        config = Config(base)
        config.merge_from_dict(Config(own).to_dict(), allow_list_keys=False)  # of a copy: `_delete_` is taken out of it
        merged: dict[str, Any] = config.to_dict()
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} does not fit the files that it inherits from: {str(error)[:200]}.") from None
    return merged
