"""Executing model files: one small protocol, whatever the engine.

Plugins contribute the engines as `zoo.specs.RuntimeSpec`; `open_session` picks one that can run a file.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from zoo.errors import RuntimeMissingError, UsageError, suggestion
from zoo.plugins import catalogue, resolve
from zoo.runtimes import threads as policy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.specs import ModelCard, RuntimeSpec


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a network as its file declares it: None stands for a size that is open. The sizes of
    outputs are hints: widely shared exports declare those of another input size."""

    name: str
    shape: tuple[int | None, ...]


class Session(Protocol):
    """A loaded network. `run` may be called by several threads at once.

    `runtime` names the engine, and `device` where it really runs, whatever was asked for.
    """

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """The inputs, in the file's order."""

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """The outputs, in the order in which `run` returns them."""

    @property
    def runtime(self) -> str:
        """The name of the runtime, for example ``onnxruntime``."""

    @property
    def device(self) -> str:
        """Where it runs, for example ``cpu`` or ``cuda``."""

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The outputs for inputs given by name. Raises `ModelError` when the network cannot process them."""


def open_session(
    path: Path,
    format: str,
    *,
    runtime: str = "",
    threads: int = 0,
    device: str = "auto",
    card: ModelCard | None = None,
) -> Session:
    """Load the model file `path` of the model format `format`, in `runtime` or else in the best one installed.

    `card` says what model it is, which files that hold nothing but weights do not. `threads` 0 means the zoo's policy
    (see `zoo.runtimes.threads`). `device` is ``auto``, ``cpu`` or what the runtime offers beyond (``cuda``,
    ``cuda:1``). Raises `UsageError` for an unknown runtime or device, `RuntimeMissingError` when what is asked for is
    not installed, `ModelError` when the file does not load.
    """
    spec = choose(format, runtime)
    count = policy.count(threads)
    policy.apply(count)
    described = {"card": card} if spec.card else {}
    session: Session = resolve(spec.open)(path, threads=count, device=device, **described)
    return session


def choose(format: str, runtime: str = "") -> RuntimeSpec:
    """The runtime called `runtime`, or without a name the best usable one for `format`. Raises as `open_session`."""
    fitting = [spec for spec in catalogue().runtimes.values() if format in spec.formats]
    if runtime:
        return _named(runtime, format, fitting)
    fitting.sort(key=lambda spec: -spec.preference)
    for spec in fitting:
        if not missing(spec):
            if spec is not fitting[0]:
                _note_better(spec.name, fitting[0].name, fitting[0].install)
            return spec
    advice = f"; install one with {fitting[0].install}" if fitting else ""
    raise RuntimeMissingError(f"No installed runtime can execute {format} files{advice}.")


def usable(format: str, runtime: str = "") -> bool:
    """Whether `choose` finds an installed runtime for `format`."""
    specs = [spec for spec in catalogue().runtimes.values() if format in spec.formats and runtime in ("", spec.name)]
    return any(not missing(spec) for spec in specs)


def missing(spec: RuntimeSpec) -> str:
    """The first Python module that `spec` needs and that is not installed; empty when the runtime is usable."""
    return next((name for name in spec.needs if not importable(name)), "")


@functools.cache
def importable(name: str) -> bool:
    """Whether the Python module `name` is installed; nothing is imported to tell."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _named(runtime: str, format: str, fitting: list[RuntimeSpec]) -> RuntimeSpec:
    spec = next((spec for spec in fitting if spec.name == runtime), None)
    if spec is None:
        names = [spec.name for spec in fitting]
        raise UsageError(
            f"There is no runtime {runtime!r} for {format} files.{suggestion(runtime, names)}"
            f" Known: {', '.join(sorted(names)) or 'none'}."
        )
    if module := missing(spec):
        raise RuntimeMissingError(
            f"The runtime {runtime} needs the Python module {module}, which is not installed; install it with"
            f" {spec.install}."
        )
    return spec


@functools.cache
def _note_better(used: str, better: str, install: str) -> None:
    """Say once how to get the faster runtime."""
    logging.getLogger("zoo").warning("Running on %s; for more speed get %s with %s.", used, better, install)
