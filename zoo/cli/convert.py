"""``zoo convert``: a data set or a model from one format to another."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from zoo.cli.flags import divide, flag
from zoo.cli.inspect import held, said
from zoo.cli.output import Bar, installed, print_json
from zoo.conversion.options import ConvertOptions
from zoo.errors import DONE, UsageError
from zoo.models.options import PortOptions
from zoo.options import describe


@dataclass(frozen=True)
class _Asked:
    """A conversion as it was typed."""

    source: Path
    target: Path
    source_format: str
    target_format: str
    via: tuple[str, ...]
    values: Mapping[str, Any]
    only_plan: bool
    as_json: bool


def _convert(**parameters: Any) -> int:
    """Convert the data set or model SRC to DST. The formats are recognised, or said with --from and --to; zoo list
    formats shows them, and their options are words like key=value. Images are passed through as they are unless the
    target needs pixels. A model is compared with the original at every step, and kept only if it is the same."""
    from zoo.inference.artifacts import is_a_model

    installed()
    words, values = divide(parameters.pop("words"))
    if words:
        raise click.UsageError(
            f"There is one source and one target; {words[0]!r} is too much. Names with braces belong in quotes."
        )
    own = ("source", "target", "source_format", "target_format", "via", "plan", "as_json")
    flags = {name: value for name, value in parameters.items() if value is not None and name not in own}
    asked = _Asked(
        Path(parameters["source"]),
        Path(parameters["target"]),
        parameters["source_format"],
        parameters["target_format"],
        tuple(name for name in parameters["via"].split(",") if name),
        {**flags, **values},
        parameters["plan"],
        parameters["as_json"],
    )
    return _port(asked) if is_a_model(asked.source, asked.source_format) else _convert_data(asked)


def _convert_data(asked: _Asked) -> int:
    """Convert a data set."""
    from zoo.conversion.engine import convert as run
    from zoo.conversion.plan import make_plan

    if asked.via:
        raise click.UsageError("--via is for models: data sets go straight from one format to another.")
    plan = make_plan(asked.source, asked.target, asked.values, asked.source_format, asked.target_format)
    if asked.only_plan:
        _print_plan(plan.describe(), asked.as_json)
        if plan.obstacle:
            raise UsageError(plan.obstacle)
        return DONE
    with contextlib.closing(Bar()) as bar:
        done = run(plan, bar)
    _report(done, asked.as_json)
    return done.exit_code


def _port(asked: _Asked) -> int:
    """Convert a model."""
    from zoo.cli import models
    from zoo.models.plan import make_plan

    values = dict(asked.values)
    allow_loss = str(values.pop("allow_loss", "false")).lower() in ("true", "yes", "1")
    plan = make_plan(asked.source, asked.target, values, asked.source_format, asked.target_format, asked.via)
    if asked.only_plan:
        models.print_plan(plan, asked.as_json)
        if plan.unable:
            raise UsageError(plan.unable)
        return DONE
    return models.convert(plan, allow_loss, asked.as_json)


def _print_plan(plan: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(plan)
        return
    click.echo(f"{plan['source']} ({plan['from']}) -> {plan['target']} ({plan['to']})")
    count = "an unknown number of" if plan["samples"] is None else f"{plan['samples']:,}"
    click.echo(f"{count} samples of {plan['kind']} with {held(plan['holds'])}")
    for name, fact in plan["facts"].items():
        click.echo(f"{name}: {said(fact)}")
    if plan["lost"]:
        click.echo(f"would lose: {held(plan['lost'])}; stops there unless --allow-loss is given")
    else:
        click.echo("loses nothing")


def _report(done: Any, as_json: bool) -> None:
    if as_json:
        names = ("target", "receipt", "quarantine")
        counts = {name: getattr(done, name) for name in ("read", "done", "skipped", "quarantined")}
        paths = {name: str(getattr(done, name)) for name in names if getattr(done, name)}
        print_json({**counts, "notes": dict(done.notes), **paths})
        return
    click.echo(
        f"{done.read} read = {done.done} done + {done.skipped} left out by the selection"
        f" + {done.quarantined} put into quarantine"
    )
    for name, note in done.notes.items():
        click.echo(f"{name}: {note}")
    for path in (done.target, done.receipt, done.quarantine):
        if path:
            click.echo(f"wrote {path}{'/' if path.is_dir() else ''}")


convert = click.Command(
    "convert",
    callback=_convert,
    help=_convert.__doc__,
    epilog="Example:  zoo convert faces_emore/ people/ --to identity-folders",
    params=[
        click.Argument(["source"], metavar="SRC"),
        click.Argument(["target"], metavar="DST"),
        click.Argument(["words"], nargs=-1, metavar="[KEY=VALUE]..."),
        click.Option(["--from", "source_format"], default="", metavar="FORMAT", help="Format of the source."),
        click.Option(["--to", "target_format"], default="", metavar="FORMAT", help="Format of the target."),
        click.Option(["--via"], default="", metavar="FORMATS", help="Formats that a model passes through."),
        click.Option(["--plan"], is_flag=True, help="Only say what would be done and lost."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document."),
        *(flag(option) for option in {**describe(PortOptions), **describe(ConvertOptions)}.values()),
    ],
)
