"""The catalogue: everything that plugins contribute, by kind and name, as it is kept in a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from zoo.errors import PluginError, UsageError, ZooError, suggestion

if TYPE_CHECKING:
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


def stamp(path: str) -> list[int]:
    """What tells whether a file or folder has changed: time of change in ns, and size for a file; -1 where absent."""
    try:
        status = os.stat(path)  # noqa: PTH116 - called for dozens of files at every start
    except OSError:
        return [-1, -1]
    return [status.st_mtime_ns, status.st_size if path.endswith((".py", ".yaml")) else 0]
