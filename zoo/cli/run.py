"""``zoo run PLUGIN TASK``: the commands are made from the catalogue and the options dataclasses."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import operator
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from zoo.cli.app import SuggestingGroup
from zoo.cli.flags import divide, flag
from zoo.cli.output import Bar, ended_in_order, installed, print_table
from zoo.requests import TaskRequest, TaskResult
from zoo.specs import MethodSpec, TaskSpec

SHOWN = 20
"""At most so many images get a line of their own in what a run prints."""

COMPARED = 12
"""At most so many faces are compared with each other in what a run of an encoder prints."""


class Methods(SuggestingGroup):
    """``zoo run``: one command for each installed method."""

    what = "method"

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All methods."""
        return list(installed().methods)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The group of the method's tasks; None for a name that nothing knows."""
        found = installed()
        broken = any(
            cmd_name in problem.names or f"methods:{cmd_name}" in problem.entries for problem in found.problems
        )
        if cmd_name not in found.methods and not broken:
            return None
        spec = found.methods[cmd_name]
        return Tasks(spec, name=cmd_name, help=spec.summary, epilog=f"Example:  zoo run {cmd_name} infer photo.jpg")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the methods with their summaries."""
        methods = installed().methods
        with formatter.section("Methods"):
            formatter.write_dl([(name, methods[name].summary) for name in methods])


class Tasks(SuggestingGroup):
    """``zoo run METHOD``: one command for each of the method's tasks."""

    what = "task"

    def __init__(self, spec: MethodSpec, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.spec = spec

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The tasks of the method."""
        return list(self.spec.tasks)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of one task, its flags made from the options dataclasses."""
        task = self.spec.tasks.get(cmd_name)
        return _command(self.spec, cmd_name, task) if task else None


@click.group(cls=Methods, epilog="Example:  zoo run retinaface infer sample:t1")
def run() -> None:
    """Run a task of a method: zoo run METHOD TASK [INPUT ...] [--flag VALUE ...] [key=value ...]."""


def _command(method: MethodSpec, name: str, task: TaskSpec) -> click.Command:
    from zoo.tasks import task_options

    return click.Command(
        name,
        params=[*_common_parameters(), *(flag(option) for option in task_options(method, task))],
        callback=lambda **parameters: _run(method.name, name, parameters),
        help=task.summary,
        epilog=f"Example:  zoo run {method.name} {name} {task.example}",
    )


def _common_parameters() -> list[click.Parameter]:
    return [
        click.Argument(["inputs"], nargs=-1, metavar="[INPUT | KEY=VALUE]..."),
        click.Option(
            ["-o", "--out"], metavar="DIR", help="Folder for results. (default: results/MODEL; none with --json)"
        ),
        *model_parameters(),
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON lines, one an image, instead of a table."),
    ]


def model_parameters() -> list[click.Parameter]:
    """What commands that run a model have in common: a file of options, and what is allowed."""
    return [
        click.Option(
            ["--config"], metavar="FILE", help="File of options (YAML; train: Python, too); flags and key=value win."
        ),
        click.Option(["--offline"], is_flag=True, help="Never touch the network."),
        click.Option(
            ["--license-policy"],
            type=click.Choice(["any", "commercial"]),
            help="Refuse weights that this policy does not allow.",
        ),
    ]


def _run(method: str, task: str, parameters: dict[str, Any]) -> int:
    from zoo import tasks

    words, overrides = divide(parameters.pop("inputs"))
    out, config, as_json = parameters.pop("out"), parameters.pop("config"), parameters.pop("as_json")
    allowed = allowing(parameters)
    flags = {name: value for name, value in parameters.items() if value is not None}
    values, file = {**flags, **overrides}, Path(config) if config else None
    report = JsonLines() if as_json else Report()
    with ended_in_order(), environment(allowed), contextlib.closing(Bar()) as bar:
        asked = tasks.request(method, task, words, values, file, progress=bar, emit=report.add)
        asked = dataclasses.replace(asked, out=_folder(out, asked.card.id, as_json))
        result = tasks.run(asked)
    if not result.aside:
        report.finish(asked, result)
    return result.exit_code


def _folder(out: str | None, model: str, as_json: bool) -> Path | None:
    """Results go to results/MODEL unless the user says otherwise; who asks for JSON gets it on stdout alone."""
    if out:
        return Path(out)
    return None if as_json else Path("results") / model


def allowing(parameters: dict[str, Any]) -> dict[str, str | None]:
    """The environment that the flags of `model_parameters` ask for, which are taken out of `parameters`."""
    return {
        "ZOO_OFFLINE": "1" if parameters.pop("offline") else None,
        "ZOO_LICENSE_POLICY": parameters.pop("license_policy"),
    }


@contextlib.contextmanager
def environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables for the block; None leaves one as it is."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update({name: value for name, value in variables.items() if value is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class JsonLines:
    """Prints each record as one line of JSON, as soon as it is there."""

    def add(self, record: dict[str, Any]) -> None:
        """Print a record."""
        import json

        click.echo(json.dumps(record, ensure_ascii=False))

    def finish(self, asked: TaskRequest, result: TaskResult) -> None:
        """Say on stderr what was skipped; stdout holds records alone."""
        say_skipped(result)


class Report:
    """Prints what people want to see: the faces of a single image, or a line an image and the sum."""

    def __init__(self) -> None:
        self.first: list[dict[str, Any]] = []
        self.records = 0

    def add(self, record: dict[str, Any]) -> None:
        """Keep the first records of images that could be used."""
        if "faces" not in record:
            return
        self.records += 1
        if len(self.first) < SHOWN:
            self.first.append(record)

    def finish(self, asked: TaskRequest, result: TaskResult) -> None:
        """Print faces or images, the sum, what was skipped, and where the results are."""
        if self.records == 1:
            _print_faces(self.first[0])
        elif self.records:
            _print_images(self.first, self.records)
        if self.records == len(self.first):
            _print_cosines(self.first)
        for line in result.summary.get("told", ()):
            click.echo(line)
        click.echo(_sum(asked, result))
        say_skipped(result)
        for path in result.outputs:
            click.echo(f"wrote {path}{'/' if path.is_dir() else ''}")


def _print_faces(record: dict[str, Any]) -> None:
    faces = record["faces"]
    if not faces:
        return
    found = [name for name in ("landmarks", "embedding") if name in faces[0]] or ["keypoints"]
    rows = [
        (number, f"{face['score']:.3f}", *(f"{edge:.1f}" for edge in face["box"]), *(_SHOW[n](face) for n in found))
        for number, face in enumerate(faces, 1)
    ]
    print_table(("face", "score", "x1", "y1", "x2", "y2", *found), rows)
    click.echo()


def _points(face: dict[str, Any]) -> str:
    return " ".join(f"{x:.0f},{y:.0f}" for x, y in face.get("keypoints", []))


def _landmarks(face: dict[str, Any]) -> str:
    """How many points, and the root of their mean variance."""
    points, variances = len(face["landmarks"]), face.get("variances")
    return f"{points} points" + (f", sd {(sum(variances) / points) ** 0.5:.1f} px" if variances else "")


def _embedding(face: dict[str, Any]) -> str:
    return f"{len(face['embedding'])} numbers, norm {math.hypot(*face['embedding']):.2f}"


_SHOW = {"keypoints": _points, "landmarks": _landmarks, "embedding": _embedding}


def _print_cosines(records: list[dict[str, Any]]) -> None:
    """How alike each two faces of the run are, where they are few."""
    faces = [(record, number, face) for record in records for number, face in enumerate(record["faces"], 1)]
    if not 1 < len(faces) <= COMPARED or any("embedding" not in face for _, _, face in faces):
        return
    names = [f"face {number}" for _, number, _ in faces]
    if len(records) > 1:
        names = [
            f"{index} {record['image']}" + (f" face {number}" if len(record["faces"]) > 1 else "")
            for index, (record, number, _) in enumerate(faces, 1)
        ]
    units = [_unit(face["embedding"]) for _, _, face in faces]
    cosines = [[f"{sum(map(operator.mul, one, other)):.2f}" for other in units] for one in units]
    rows = [(name, *row) for name, row in zip(names, cosines, strict=True)]
    print_table(("cosine", *map(str, range(1, len(faces) + 1))), rows)
    click.echo()


def _unit(numbers: list[float]) -> list[float]:
    length = math.hypot(*numbers) or 1.0
    return [value / length for value in numbers]


def _print_images(records: list[dict[str, Any]], total: int) -> None:
    rows = [(r["image"], len(r["faces"]), f"{max(f['score'] for f in r['faces']):.3f}" if r["faces"] else None)
            for r in records]  # fmt: skip
    print_table(("image", "faces", "best score"), rows)
    click.echo(f"... and {total - len(records)} more\n" if total > len(records) else "")


def _sum(asked: TaskRequest, result: TaskResult) -> str:
    summary = result.summary
    where = ", ".join(str(summary[key]) for key in ("runtime", "device") if summary.get(key))
    unit = summary.get("unit", "image")
    parts = [f"{result.done} {unit if result.done == 1 else f'{unit}s'}"]
    if "faces" in summary:
        parts.append(f"{summary['faces']} {'face' if summary['faces'] == 1 else 'faces'}")
    if "seconds" in summary:
        parts.append(f"{summary['seconds']:.2f} s")
    return f"{summary.get('model', asked.card.id)}: {', '.join(parts)}" + (f" ({where})" if where else "")


def say_skipped(result: TaskResult) -> None:
    """Say on stderr which inputs were skipped and why, and that all are accounted for."""
    for skip in result.skipped[:SHOWN]:
        click.echo(f"skipped: {skip.where} {skip.why}", err=True)
    if len(result.skipped) > SHOWN:
        click.echo(f"... and {len(result.skipped) - SHOWN} more skipped", err=True)
    if result.skipped:
        inputs = "1 input" if result.inputs == 1 else f"{result.inputs} inputs"
        click.echo(f"{inputs} = {result.done} done + {len(result.skipped)} skipped", err=True)
