"""``zoo convert``: a data set from one format to another."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click

from zoo.cli.flags import divide, flag
from zoo.cli.inspect import held, said
from zoo.cli.output import Bar, installed, print_json
from zoo.conversion.options import ConvertOptions
from zoo.errors import DONE, UsageError
from zoo.options import describe


def _convert(**parameters: Any) -> int:
    """Convert the data set SRC to DST. Images are passed through as they are unless the target needs pixels. The
    formats are recognised, or said with --from and --to; zoo list formats shows them and their options are words like
    key=value."""
    from zoo.conversion.engine import convert as run
    from zoo.conversion.plan import make_plan

    installed()
    words, values = divide(parameters.pop("words"))
    if words:
        raise click.UsageError(
            f"There is one source and one target; {words[0]!r} is too much. Names with braces belong in quotes."
        )
    source, target = Path(parameters.pop("source")), Path(parameters.pop("target"))
    source_format, target_format = parameters.pop("source_format"), parameters.pop("target_format")
    only_plan, as_json = parameters.pop("plan"), parameters.pop("as_json")
    flags = {name: value for name, value in parameters.items() if value is not None}
    plan = make_plan(source, target, {**flags, **values}, source_format, target_format)
    if only_plan:
        _print_plan(plan.describe(), as_json)
        if plan.obstacle:
            raise UsageError(plan.obstacle)
        return DONE
    with contextlib.closing(Bar()) as bar:
        done = run(plan, bar)
    _report(done, as_json)
    return done.exit_code


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
        click.Option(["--plan"], is_flag=True, help="Only say what would be done and lost."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document."),
        *(flag(option) for option in describe(ConvertOptions).values()),
    ],
)
