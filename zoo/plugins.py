"""What is installed: the catalogue of everything that plugins contribute.

The catalogue is kept as a JSON file in the cache folder, so that listing what there is imports no plugin and reads no
YAML. It is made anew when something was installed or removed, or when a file that it was read from has changed.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from zoo.errors import PluginError, UsageError, ZooError, suggestion
from zoo.files import atomic_write, cache_folder

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.specs import (
        ConverterSpec,
        FormatSpec,
        HealthCheck,
        MethodSpec,
        ModelCard,
        ProtocolSpec,
        RuntimeSpec,
        SampleCard,
    )

T = TypeVar("T")
SCHEMA = 1
KINDS = {
    "methods": "MethodSpec",
    "formats": "FormatSpec",
    "converters": "ConverterSpec",
    "runtimes": "RuntimeSpec",
    "protocols": "ProtocolSpec",
    "checks": "HealthCheck",
    "models": "ModelCard",
    "samples": "SampleCard",
}
"""What is catalogued, and the class in `zoo.specs` of each. Listing needs the names alone and imports no class."""


class Plugin(NamedTuple):  # a tuple is made in a third of the time of a dataclass: this is read at every start
    """One entry point of the group ``zoo``. `wraps` says that it implements the hook `zoo_task`."""

    name: str
    module: str
    distribution: str
    version: str
    wraps: bool = False


class Problem(NamedTuple):
    """Why the plugins `names` are not used: a sentence, and the traceback if there is one. `entries` are names that
    nobody can use, because several distributions bring them, as ``kind:name``."""

    names: Sequence[str]
    sentence: str
    traceback: str = ""
    entries: Sequence[str] = ()


class Entries(Mapping[str, T], Generic[T]):
    """The specs of one kind by name, each made from its JSON when it is asked for."""

    def __init__(self, kind: str, documents: Mapping[str, Mapping[str, Any]], problems: tuple[Problem, ...]) -> None:
        self._kind, self._documents, self._problems = kind, documents, problems

    def __getitem__(self, name: str) -> T:
        """The spec called `name`. Raises `UsageError` for an unknown name, `PluginError` for a broken plugin's."""
        if name not in self._documents:
            raise self._missing(name)
        from zoo import specs

        made: T = specs.from_json(getattr(specs, KINDS[self._kind]), self._documents[name]["spec"])
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._documents)

    def __len__(self) -> int:
        return len(self._documents)

    def __contains__(self, name: object) -> bool:
        return name in self._documents

    def owner(self, name: str) -> str:
        """The name of the plugin that contributes `name`."""
        return str(self._documents[name]["plugin"])

    def document(self, name: str) -> Mapping[str, Any]:
        """The spec called `name` as plain data, without making it."""
        spec: Mapping[str, Any] = self._documents[name]["spec"]
        return spec

    def _missing(self, name: str) -> ZooError:
        for problem in self._problems:
            if name in problem.names or f"{self._kind}:{name}" in problem.entries:
                return PluginError(f"{problem.sentence}\n{problem.traceback}".rstrip())
        word = self._kind.removesuffix("s")
        known = ", ".join(sorted(self._documents))
        return UsageError(f"There is no {word} called {name!r}.{suggestion(name, self._documents)} Known: {known}.")


class Catalogue:
    """Everything that the installed plugins contribute, by kind and name."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.plugins = {name: Plugin(**fields) for name, fields in document["plugins"].items()}
        self.problems = tuple(Problem(**fields) for fields in document["problems"])
        self.methods: Entries[MethodSpec] = self.entries("methods")
        self.formats: Entries[FormatSpec] = self.entries("formats")
        self.converters: Entries[ConverterSpec] = self.entries("converters")
        self.runtimes: Entries[RuntimeSpec] = self.entries("runtimes")
        self.protocols: Entries[ProtocolSpec] = self.entries("protocols")
        self.checks: Entries[HealthCheck] = self.entries("checks")
        self.cards: Entries[ModelCard] = self.entries("models")
        self.samples: Entries[SampleCard] = self.entries("samples")

    def entries(self, kind: str) -> Entries[Any]:
        """The entries of one of `KINDS`."""
        return Entries(kind, self.document["entries"][kind], self.problems)

    def models_of(self, method: str) -> list[str]:
        """The ids of a method's models, in the registry's order."""
        return [name for name in self.cards if self.cards.document(name)["method"] == method]


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


def forget() -> None:
    """Forget the catalogue of this process, so that the next `catalogue()` looks again at what is installed."""
    _catalogue.cache_clear()
    importlib.invalidate_caches()


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


def stamp(path: str) -> list[int]:
    """What tells whether a file or folder has changed: time of change in ns, and size for a file; -1 where absent."""
    try:
        status = os.stat(path)  # noqa: PTH116 - called for dozens of files at every start
    except OSError:
        return [-1, -1]
    return [status.st_mtime_ns, status.st_size if path.endswith((".py", ".yaml")) else 0]


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
