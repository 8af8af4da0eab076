"""What is installed: the catalogue of all plugins, kept up to date, and what its entries name, imported on use.

The catalogue is kept as a JSON file in the cache folder, so that listing what there is imports no plugin and reads no
YAML. It is made anew when something was installed or removed, or when a file that it was read from has changed.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zoo.catalogue import Catalogue, stamp
from zoo.errors import PluginError, ZooError
from zoo.files import atomic_write, cache_folder

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1


def catalogue() -> Catalogue:
    """The catalogue of this installation, from the cache where that is up to date, else collected (and cached)."""
    return _catalogue(cache_folder(), tuple(sys.path))


@functools.lru_cache(maxsize=1)
def _catalogue(folder: str, paths: tuple[str, ...]) -> Catalogue:
    import zlib

    path = f"{folder}/catalogue-{zlib.crc32(repr((sys.version, paths)).encode()):08x}.json"
    if document := _read(path):
        return Catalogue(document)
    from pathlib import Path

    from zoo.discovery import collect

    before = {name: stamp(name) for name in paths if _may_hold_distributions(Path(name))}
    document = collect()
    document["watched"].update(before)
    document.update(schema=SCHEMA, zoo=_version())
    with contextlib.suppress(ZooError):  # without a cache the next start takes longer, nothing else
        atomic_write(Path(path), json.dumps(document))
    return Catalogue(document)


def resolve(implementation: str) -> Callable[..., Any]:
    """Import what a ``"module:attribute"`` string names. Raises `PluginError` with the reason when it cannot be."""
    module, _, attribute = implementation.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise PluginError(f"{implementation} needs the Python module {error.name}, which is not installed.") from error
    except (ImportError, AttributeError) as error:
        raise PluginError(f"{implementation} cannot be loaded: {error}.") from error
    return found


def _may_hold_distributions(folder: Path) -> bool:
    """Whether something may be installed in this entry of sys.path. Source trees are left out: they change all the
    time, and what a plugin in one consists of is watched file by file."""
    if folder.name in ("site-packages", "dist-packages") or not folder.exists():
        return True
    return any(next(folder.glob(pattern), None) for pattern in ("*.dist-info", "*.egg-info"))


def _read(path: str) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - no pathlib at every start
            document: dict[str, Any] = json.loads(stream.read())
        fresh = document["schema"] == SCHEMA and document["zoo"] == _version()
        return document if fresh and all(stamp(name) == was for name, was in document["watched"].items()) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _version() -> str:
    from zoo import __version__

    return __version__
