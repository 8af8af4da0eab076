"""What commands print: tables and progress with rich on a terminal, plain text in a pipe, JSON where asked for."""

from __future__ import annotations

import contextlib
import functools
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from zoo.catalogue import Catalogue
from zoo.plugins import catalogue

_KILLED = 128
"""What shells add to the number of the signal that ended a program."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")


def installed() -> Catalogue:
    """The catalogue, after one warning line on stderr for each plugin that is broken or in conflict."""
    found = catalogue()
    _warn(found)
    return found


@functools.lru_cache(maxsize=1)
def _warn(found: Catalogue) -> None:
    for problem in found.problems:
        click.echo(f"Warning: {problem.sentence}", err=True)


def print_json(document: Any) -> None:
    """Print one JSON document (indented on a terminal, one line in a pipe)."""
    click.echo(json.dumps(document, indent=2 if sys.stdout.isatty() else None, ensure_ascii=False))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table; a column of numbers (also as formatted text) is right-aligned, None is an empty cell."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    right = [_numeric([row[i] for row in rows]) for i in range(len(headers))]
    if sys.stdout.isatty():
        _print_rich(headers, cells, right)
    else:
        _print_plain(headers, cells, right)


def _numeric(column: Sequence[Any]) -> bool:
    cells = [str(cell) for cell in column if cell is not None]
    return bool(cells) and all(cell.replace(".", "", 1).lstrip("-").isdigit() for cell in cells)


def _print_rich(headers: Sequence[str], cells: list[list[str]], right: list[bool]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for header, numeric in zip(headers, right, strict=True):
        table.add_column(header, justify="right" if numeric else "left", overflow="fold", no_wrap=header == headers[0])
    for row in cells:
        table.add_row(*row)
    Console().print(table, markup=False)


def _print_plain(headers: Sequence[str], cells: list[list[str]], right: list[bool]) -> None:
    widths = [max(len(row[i]) for row in [list(headers), *cells]) for i in range(len(headers))]
    lines = []
    for row in [list(headers), *cells]:
        columns = (row[i].rjust(widths[i]) if right[i] else row[i].ljust(widths[i]) for i in range(len(headers)))
        lines.append("  ".join(columns).rstrip())
    click.echo("\n".join(lines))


@contextlib.contextmanager
def ended_in_order() -> Iterator[None]:
    """Let a polite kill in the block (SIGTERM) end it as Ctrl-C does: what it has begun to write goes."""

    def end(number: int, _: object) -> None:
        raise SystemExit(_KILLED + number)

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # only the main thread can
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Bar:
    """The `zoo.requests.Progress` of the command line: a bar on stderr when that is a terminal, else only notes."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def start(self, label: str, total: int | None = None) -> None:
        """Show a bar, with the rate and the time left where `total` is known."""
        self.close()
        if not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TaskProgressColumn(show_speed=True),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar.start()
        self._task = self._bar.add_task(label, total=total)

    def advance(self, steps: int = 1) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.advance(self._task, steps)

    def note(self, message: str) -> None:
        """Print a line on stderr, above the bar."""
        if self._bar is not None:
            self._bar.console.print(message, markup=False, highlight=False)
        else:
            click.echo(message, err=True)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
