"""``zoo eval``: a model, or predictions that are there already, judged by a protocol."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import click

from zoo.cli.flags import divide, flag
from zoo.cli.output import Bar, ended_in_order, installed, print_json
from zoo.cli.run import allowing, environment, model_parameters, say_skipped
from zoo.evaluation.options import EvalOptions, JudgeOptions
from zoo.options import describe, make, read_config
from zoo.requests import TaskResult


def _eval(**parameters: Any) -> int:
    """Judge MODEL on a labelled set, or with --predictions what any program has found there. MODEL is a detector's id
    or the path of its file; its options are words like key=value. As data, widerface:DIR says that WIDER FACE's own
    protocol is to judge; without a protocol, a labelled set is judged by COCO's figures."""
    installed()
    words, overrides = divide(parameters.pop("words"))
    own = {name: parameters.pop(name) for name in ("data", "predictions_at", "out", "as_json", "config")}
    allowed = allowing(parameters)
    values = {**{name: value for name, value in parameters.items() if value is not None}, **overrides}
    config = Path(own["config"]) if own["config"] else None
    if len(words) + bool(own["predictions_at"]) != 1:
        raise click.UsageError("Give one model, or the predictions of one with --predictions.")
    out = Path(own["out"]) if own["out"] else None
    with ended_in_order(), environment(allowed), contextlib.closing(Bar()) as bar:
        if own["predictions_at"]:
            values = {**(read_config(config) if config else {}), **values}
            document, result = _predicted(own["predictions_at"], own["data"], values, out, bar)
        else:
            document, result = _run(words[0], own["data"], values, config, out, bar)
    if own["as_json"]:
        print_json(document)
    else:
        _tell(result)
    say_skipped(result)
    return result.exit_code


def _predicted(
    place: str, data: str, values: dict[str, Any], out: Path | None, bar: Bar
) -> tuple[dict[str, Any], TaskResult]:
    from zoo.evaluation.task import judge_predictions

    return judge_predictions(place, data, make(JudgeOptions, values), out, bar)


def _run(
    model: str, data: str, values: dict[str, Any], config: Path | None, out: Path | None, bar: Bar
) -> tuple[dict[str, Any], TaskResult]:
    """The task eval of the method whose model it is."""
    from zoo import tasks
    from zoo.inference.loading import find_card

    documents: list[dict[str, Any]] = []
    method = find_card(model, str(values.get("card", ""))).method
    asked = tasks.request(
        method, "eval", [data], {"model": model, **values}, config, progress=bar, emit=documents.append
    )
    result = tasks.run(dataclasses.replace(asked, out=out))
    return documents[0], result


def _tell(result: TaskResult) -> None:
    for line in result.summary["told"]:
        click.echo(line)
    if "model" in result.summary:
        what = result.summary
        click.echo(
            f"{what['model']}: {result.done} images, {what['seconds']:.2f} s ({what['runtime']}, {what['device']})"
        )
    for path in result.outputs:
        click.echo(f"wrote {path}{'/' if path.is_dir() else ''}")


eval_ = click.Command(
    "eval",
    callback=_eval,
    help=_eval.__doc__,
    params=[
        click.Argument(["words"], nargs=-1, metavar="[MODEL] [KEY=VALUE]..."),
        click.Option(
            ["--data"], metavar="[NAME:]PATH", required=True, help="Labelled set; NAME is a protocol or format."
        ),
        click.Option(["--predictions", "predictions_at"], metavar="PATH", help="Folder or JSON lines of predictions."),
        click.Option(["-o", "--out"], metavar="DIR", help="Folder for figures, curves, worst images and predictions."),
        *model_parameters(),
        click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document."),
        *(flag(option) for option in describe(EvalOptions).values()),
    ],
    epilog="Example:  zoo eval yunet_n --data widerface:data/widerface --protocol widerface --out results",
)
