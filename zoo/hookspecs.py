"""The hooks of the zoo. A plugin implements the ones it needs, decorated with `hookimpl`.

Each hook only *contributes*: it yields frozen dataclasses of `zoo.specs` and does no work. A plugin is a Python module
named by an entry point of the group ``zoo``.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from zoo import specs

if TYPE_CHECKING:
    from zoo.requests import TaskRequest, TaskResult

GROUP = "zoo"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def zoo_methods() -> Iterable[specs.MethodSpec]:
    """The methods that the plugin brings, each with its tasks."""
    return ()


@hookspec
def zoo_cards() -> Iterable[Path | specs.ModelCard | specs.SampleCard]:
    """The cards of the plugin's models: registry files (YAML, see ``docs/registry.md``), or cards made in code."""
    return ()


@hookspec
def zoo_formats() -> Iterable[specs.FormatSpec]:
    """Data-set and model formats."""
    return ()


@hookspec
def zoo_converters() -> Iterable[specs.ConverterSpec]:
    """Edges between formats."""
    return ()


@hookspec
def zoo_runtimes() -> Iterable[specs.RuntimeSpec]:
    """Engines that execute model files."""
    return ()


@hookspec
def zoo_protocols() -> Iterable[specs.ProtocolSpec]:
    """Evaluation protocols."""
    return ()


@hookspec
def zoo_checks() -> Iterable[specs.HealthCheck]:
    """Checks that ``zoo doctor`` runs."""
    return ()


@hookspec
def zoo_task(request: TaskRequest) -> Generator[None, TaskResult, TaskResult]:
    """Wrap every task, to time, log or track it: implement it with ``@hookimpl(wrapper=True)``, yield once, and return
    what the yield gave. An error raised by the task arrives at the yield and must be raised again."""
    raise NotImplementedError


CONTRIBUTIONS: dict[str, tuple[type[Any], ...]] = {
    "zoo_methods": (specs.MethodSpec,),
    "zoo_cards": (Path, specs.ModelCard, specs.SampleCard),
    "zoo_formats": (specs.FormatSpec,),
    "zoo_converters": (specs.ConverterSpec,),
    "zoo_runtimes": (specs.RuntimeSpec,),
    "zoo_protocols": (specs.ProtocolSpec,),
    "zoo_checks": (specs.HealthCheck,),
}
"""The contributing hooks and the types of what each may yield."""
