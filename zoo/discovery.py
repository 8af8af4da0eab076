"""Asking the installed plugins what they contribute, so that none of them can break the others.

Loading a plugin and each call of one of its hooks is guarded; whatever goes wrong becomes one `Problem` of that plugin,
which then contributes nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import sys
import traceback
from collections.abc import Generator, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pluggy

from zoo import hookspecs, registry, specs
from zoo.catalogue import KINDS, Plugin, Problem, stamp
from zoo.requests import TaskRequest, TaskResult

BUILTIN = "zoo"
"""The owner of the built-in registry's cards, as a plugin's name."""


def collect() -> dict[str, Any]:
    """Load every plugin and call its hooks: the catalogue as plain data (see `zoo.catalogue.Catalogue`)."""
    found = _Collection()
    found.add_cards(registry.builtin_path(), BUILTIN)
    for name, points in _by_name().items():
        if len(points) > 1:
            found.conflict("plugin", name, [_distribution(point) for point in points])
            continue
        plugin = Plugin(name, points[0].value, _distribution(points[0]), _version(points[0]))
        found.add(plugin)
    return found.document()


def load(plugin: Plugin) -> Any:
    """Import the plugin's module and check that it was written for this contract. Raises whatever the import raises,
    and `ValueError` for another version of the contract."""
    module = importlib.import_module(plugin.module)
    written_for = getattr(module, "ZOO_API", specs.API)
    if written_for != specs.API:
        advice = "update it" if written_for < specs.API else "update facezoo"
        raise ValueError(
            f"it was written for version {written_for} of the plugin contract, this zoo has {specs.API}; {advice}"
        )
    return module


def task_wrappers(plugin: Plugin, request: TaskRequest) -> list[Generator[None, TaskResult, TaskResult]]:
    """The plugin's wrappers of `request`, not yet started. Raises whatever loading the plugin raises."""
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(load(plugin), plugin.name)
    implementations: list[Any] = manager.hook.zoo_task.get_hookimpls()
    return [impl.function(*([request] * len(impl.argnames))) for impl in implementations]


class _Collection:
    """The catalogue while it is being collected."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(hookspecs.GROUP)
        self.manager.add_hookspecs(hookspecs)
        self.plugins: dict[str, Plugin] = {}
        self.problems: list[Problem] = []
        self.entries: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
        self.watched = {specs.__file__, hookspecs.__file__, __file__, registry.__file__}

    def add(self, plugin: Plugin) -> None:
        """Load `plugin` and take what it contributes: all of it, or nothing and a problem."""
        self.plugins[plugin.name] = plugin
        try:
            with contextlib.redirect_stdout(sys.stderr):
                module = load(plugin)
                self.manager.register(module, plugin.name)
                self.plugins[plugin.name] = plugin._replace(wraps=self._wraps(plugin))
                contributions = list(self._contributions(plugin))
        except (Exception, SystemExit) as error:
            self._problem(plugin, error)
        else:
            for kind, name, spec in contributions:
                self._enter(kind, name, spec, plugin.name)
        self._watch(plugin)

    def add_cards(self, path: Path, owner: str) -> None:
        """Take the cards of the built-in registry. Raises `ZooError`: a broken core is not a broken plugin."""
        for kind, name, spec in self._cards(path):
            self._enter(kind, name, spec, owner)

    def conflict(self, kind: str, name: str, distributions: list[str]) -> None:
        """Record that several distributions bring the same name, which nobody can use then."""
        both = " and ".join(sorted(set(distributions)))
        sentence = f"The {kind} {name!r} comes from {both}: uninstall one of them, neither is used."
        self.problems.append(Problem([name] if kind == "plugin" else [], sentence, entries=[f"{kind}s:{name}"]))

    def document(self) -> dict[str, Any]:
        """The catalogue as plain data."""
        return {
            "plugins": {name: plugin._asdict() for name, plugin in self.plugins.items()},
            "problems": [problem._asdict() for problem in self.problems],
            "entries": self.entries,
            "watched": {path: stamp(path) for path in sorted(self.watched)},
        }

    def _contributions(self, plugin: Plugin) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for hook, wanted in hookspecs.CONTRIBUTIONS.items():
            for item in self._call(plugin, hook):
                if not isinstance(item, wanted):
                    raise TypeError(f"{hook} yields {item!r}, which is no {wanted[-1].__name__}")
                if isinstance(item, Path):
                    yield from self._cards(item)
                else:
                    yield _checked(_KIND_OF.get(type(item), hook.removeprefix("zoo_")), _name(item), item)

    def _call(self, plugin: Plugin, hook: str) -> list[Any]:
        caller = getattr(self.manager.hook, hook)
        calls = [impl.function for impl in caller.get_hookimpls() if impl.plugin_name == plugin.name]
        return [item for call in calls for item in call()]

    def _cards(self, path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
        self.watched.add(str(path))
        cards = registry.read(path)
        for name, card in cards.models.items():
            yield _checked("models", name, card)
        for name, sample in cards.samples.items():
            yield _checked("samples", name, sample)

    def _wraps(self, plugin: Plugin) -> bool:
        mine = [impl for impl in self.manager.hook.zoo_task.get_hookimpls() if impl.plugin_name == plugin.name]
        if any(not impl.wrapper for impl in mine):
            raise TypeError("zoo_task must be a wrapper: decorate it with @hookimpl(wrapper=True)")
        return bool(mine)

    def _enter(self, kind: str, name: str, spec: dict[str, Any], owner: str) -> None:
        conflicts = [entry for problem in self.problems for entry in problem.entries]
        if name in self.entries[kind] or f"{kind}:{name}" in conflicts:
            other = self.entries[kind].pop(name, {"plugin": owner})["plugin"]
            self.conflict(kind.removesuffix("s"), name, [self._bringer(other), self._bringer(owner)])
            return
        self.entries[kind][name] = {"plugin": owner, "spec": spec}

    def _bringer(self, name: str) -> str:
        return self.plugins[name].distribution if name in self.plugins else "facezoo"

    def _problem(self, plugin: Plugin, error: BaseException) -> None:
        said = " ".join(str(error).split()) or type(error).__name__
        who = f"The plugin {plugin.name!r} of {plugin.distribution} {plugin.version}"
        trace = "".join(traceback.format_exception(error))
        self.problems.append(Problem([plugin.name], f"{who} is broken and not used: {said.rstrip('.')}.", trace))
        if self.manager.has_plugin(plugin.name):
            self.manager.unregister(name=plugin.name)

    def _watch(self, plugin: Plugin) -> None:
        root = plugin.module.partition(".")[0]
        loaded = [name for name in sys.modules if name == root or name.startswith(f"{root}.")]
        files = [getattr(sys.modules[name], "__file__", None) for name in loaded]
        with contextlib.suppress(ImportError, ValueError):
            spec = importlib.util.find_spec(root)
            files.append(spec.origin if spec else None)
        self.watched.update(file for file in files if file and file.endswith(".py"))


def _by_name() -> dict[str, list[EntryPoint]]:
    points: dict[str, list[EntryPoint]] = {}
    for point in sorted(entry_points(group=hookspecs.GROUP), key=lambda point: (point.name, _distribution(point))):
        points.setdefault(point.name, []).append(point)
    return points


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an unknown distribution"


def _version(point: EntryPoint) -> str:
    return point.dist.version if point.dist else ""


_KIND_OF = {specs.ModelCard: "models", specs.SampleCard: "samples"}


def _name(spec: Any) -> str:
    if isinstance(spec, specs.ConverterSpec):
        return f"{spec.src}->{spec.dst}" + (f":{spec.precision}" if spec.precision else "")
    return str(spec.id if type(spec) in _KIND_OF else spec.name)


def _checked(kind: str, name: str, spec: Any) -> tuple[str, str, dict[str, Any]]:
    """The spec as plain data that `from_json` accepts again. Raises `TypeError` or `ValueError` when it does not."""
    document = json.loads(json.dumps(specs.to_json(spec)))
    specs.from_json(getattr(specs, KINDS[kind]), document)
    return kind, name, document
