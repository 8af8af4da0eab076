"""Models on the command line: what a conversion says, ``zoo verify`` and ``zoo explain``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo.cli.output import Bar, ended_in_order, installed, json_option, print_json, print_table
from zoo.errors import DONE, ParityError

if TYPE_CHECKING:
    from zoo.models.convert import Ported
    from zoo.models.plan import PortPlan


def print_plan(plan: PortPlan, as_json: bool) -> None:
    """Show what a conversion would do."""
    document = plan.describe()
    if as_json:
        print_json(document)
        return
    click.echo(f"{document['source']} ({document['from']}) -> {document['target']} ({document['to']})")
    click.echo(f"model: {document['model']}, {document['known']}")
    if document["doubt"]:
        click.echo(document["doubt"])
    rows = [
        (
            number,
            hop["from"],
            _with(hop["to"], hop["precision"]),
            f"{hop['cost']:g}",
            hop["loses"] or "nothing",
            " ".join(hop["needs"]),
        )
        for number, hop in enumerate(document["hops"], 1)
    ]
    if rows:
        print_table(("hop", "from", "to", "cost", "loses", "needs"), rows)
    else:
        click.echo("a copy, with the card inside")
    left = ", ".join(document["dynamic"])
    click.echo(f"traced at {document['size']}" + (f", open where the formats can: {left}" if left else ""))
    for gap in document["missing"]:
        click.echo(f"missing: {gap['module']}; install it with {gap['install']}")
    if document["lost"]:
        click.echo(f"would lose: {', '.join(document['lost'])}; stops there unless --allow-loss is given")
    if document["obstacle"]:
        click.echo(f"would stop: {document['obstacle']}")


def _with(format: str, precision: str) -> str:
    return f"{format} in {precision}" if precision else format


def convert(plan: PortPlan, allow_loss: bool, as_json: bool) -> int:
    """Run a conversion and say how the result compares with the original."""
    from zoo.models.convert import convert as run

    try:
        with ended_in_order(), contextlib.closing(Bar()) as bar:
            done = run(plan, bar, allow_loss)
    except ParityError as error:
        if error.table:
            click.echo(error.table, err=True)
        raise
    if as_json:
        print_json(done.to_dict())
    else:
        report(done)
    return DONE


def report(done: Ported) -> None:
    """Print how each hop compares with the original, what both find, and what was written."""
    for line in done.told:
        click.echo(line)
    click.echo(f"wrote {done.target.path}{'/' if done.target.path.is_dir() else ''}")
    click.echo(f"wrote {done.receipt}")


@click.command(epilog="Example:  zoo verify yunet_n.onnx")
@click.argument("path")
@json_option
def verify(path: str, as_json: bool) -> int:
    """Check the output at PATH against its receipt: every byte of it, of the receipt and of what it was made from; a
    model is compared with its original again. Ends with 1 when a byte has changed, with 4 when a model differs."""
    from zoo.models.verify import verify as run

    installed()
    found = run(Path(path))
    if as_json:
        checks = [{"name": one.name, "status": one.status, "detail": one.detail} for one in found.checks]
        print_json({"receipt": str(found.receipt), "checks": checks})
    else:
        print_table(("checked", "result", ""), [(one.name, one.status, one.detail) for one in found.checks])
    return found.exit_code


@click.command(epilog="Example:  zoo explain yunet_n.onnx")
@click.argument("path")
@json_option
def explain(path: str, as_json: bool) -> int:
    """Tell where the output at PATH comes from: its receipt, and those of what it was made from."""
    from zoo.models.lineage import lineage

    found = lineage(Path(path))
    if as_json:
        print_json([{"receipt": str(one.receipt), **one.document} for one in found])
        return DONE
    for number, one in enumerate(found):
        click.echo(("" if number == 0 else "made from\n") + _told(one.receipt, one.document))
    return DONE


def _told(receipt: Path, document: Mapping[str, Any]) -> str:
    """One receipt in lines."""
    outputs = [str(output.get("file") or output.get("folder")) for output in document["outputs"]]
    lines = [f"{', '.join(outputs) or receipt.name}: {document.get('task', 'unknown task')}"]
    if model := document.get("model"):
        lines.append(f"  model     {model} ({', '.join(f'{k} {v}' for k, v in document.get('licences', {}).items())})")
    lines += _source_lines(document.get("source"))
    for hop in document.get("route", ()):
        options = " ".join(f"{name}={value}" for name, value in hop["options"].items())
        lines.append(f"  hop       {hop['from']} -> {_with(hop['to'], hop.get('precision', ''))} {options}".rstrip())
    lines += _choice_lines(document.get("parity", {}))
    lines += _parity_lines(document.get("parity", {}), bool(document.get("drift")))
    if counts := document.get("counts"):
        lines.append(f"  counts    {', '.join(f'{value} {name}' for name, value in counts.items())}")
    lines += [f"  note      {note}" for note in document.get("notes") or ()]
    versions = ", ".join(f"{name} {value}" for name, value in document.get("versions", {}).items())
    lines.append(f"  versions  {versions}")
    lines.append(f"  finished  {document.get('run', {}).get('finished', 'unknown')}")
    return "\n".join(lines)


def _source_lines(source: Any) -> list[str]:
    if not isinstance(source, dict):
        return [f"  source    {source}"] if source else []
    first = f"  source    {source.get('path') or source.get('name')} ({source.get('format', '')})"
    return [first, *(f"            sha256 {file.get('sha256', '')}" for file in source.get("files", ()))]


def _choice_lines(parity: Mapping[str, Any]) -> list[str]:
    """What each choice of layers that stay in float lost on the task."""
    found = [one for hop in parity.get("hops", ()) for one in hop.get("found", ())]
    return [
        f"  int8      {len(choice['kept'])} of {one['layers']} layers in float, {choice['size']:,} bytes:"
        f" {choice['missing']} of {choice['faces']} faces missing, {choice['excess']} too many,"
        f" points {100 * choice['fraction']:.2f} % of the face's size"
        + (f", cosine {choice['cosine']:.4f}" if choice["cosine"] is not None else "")
        for one in found
        for choice in one.get("choices", ())
    ]


def _parity_lines(parity: Mapping[str, Any], drift: bool) -> list[str]:
    worst = [
        (max(hop["outputs"], key=lambda one: one["relative"], default=None), hop) for hop in parity.get("hops", ())
    ]
    lines = [
        f"  parity    largest difference {one['absolute']:.1e} in {one['output']}, original on {hop['reference']}"
        for one, hop in worst
        if one
    ]
    lines += [
        f"  parity    {photo['faces']} faces in {photo['photo']}, points within {photo['pixels']:.1e} px"
        for photo in parity.get("photos", ())
    ]
    return [*lines, "  drift     accepted"] if drift else lines
