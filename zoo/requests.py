"""What a task is asked and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from zoo import errors
from zoo.specs import MethodSpec, ModelCard


class Progress(Protocol):
    """Where a task says how far it is: a bar on a terminal, silence in a pipe."""

    def start(self, label: str, total: int | None = None) -> None:
        """Begin; `total` is None where it is not known (a camera, a list still being read)."""

    def advance(self, steps: int = 1) -> None:
        """`steps` more are done."""

    def note(self, message: str) -> None:
        """Tell the person something that is worth a line, for example that an input was skipped."""


class Silent:
    """The `Progress` of library use: says nothing."""

    def start(self, label: str, total: int | None = None) -> None:
        """Say nothing."""

    def advance(self, steps: int = 1) -> None:
        """Say nothing."""

    def note(self, message: str) -> None:
        """Say nothing."""


def _ignore(record: dict[str, Any]) -> None:
    """The `emit` of somebody who wants no records."""


@dataclass(frozen=True)
class TaskRequest:
    """One run of one task.

    `load` loads the model that the user chose, with the user's runtime, device, weights and model options; keywords
    given to it override them. `inputs` are as typed: paths, folders, globs, ``sample:ID``, ``camera:N``, ``-``.
    `options` is an instance of the task's options dataclass; `settings` are all options by name, the model's included,
    for the receipt; `out` is the folder for results, None for none. `emit`
    receives one JSON-able record per image or frame, as soon as it is known and in input order.
    """

    method: MethodSpec
    task: str
    card: ModelCard
    load: Callable[..., Any]
    inputs: tuple[str, ...] = ()
    options: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    out: Path | None = None
    progress: Progress = field(default_factory=Silent)
    emit: Callable[[dict[str, Any]], None] = _ignore


@dataclass(frozen=True)
class Skip:
    """An input that could not be used: where it is, and why."""

    where: str
    why: str


@dataclass(frozen=True)
class TaskResult:
    """What came of it. Every input is accounted for: ``inputs == done + len(skipped)``. `card` is that of the model it
    was done with, where this is another than the request's. `process` is the number of one of several processes that
    shared the work, of which the number 0 tells and writes the receipt."""

    inputs: int
    done: int
    skipped: tuple[Skip, ...] = ()
    outputs: tuple[Path, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    card: ModelCard | None = None
    process: int | None = None

    @property
    def aside(self) -> bool:
        """Whether another process tells of it."""
        return bool(self.process)

    @property
    def exit_code(self) -> int:
        """0 done, 1 when no input could be used, 3 when some were skipped, but of several processes: who started them
        would take that for a failure."""
        if not self.skipped or (self.process is not None and self.done):
            return errors.DONE
        return errors.SKIPPED if self.done else errors.FAILED
