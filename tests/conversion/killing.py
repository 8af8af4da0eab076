"""Conversions that are killed at each of their steps at the file system and then continued.

Run as a program, ``python -m tests.conversion.killing KIND KILLS``, because it forks. It converts a small set of the
kind into every format that can hold it, in a process that ends without any farewell just before it would open, make,
rename or remove the nth file or folder; continues that run, which may be killed again; and prints, as a JSON list, each
case in which what stands at the end differs from what an undisturbed run has written. KILLS is how many of the steps of
each format are tried, 0 for all.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from zoo_tfrecord.writer import ExampleWriter

from tests.converters.driving import contents, write
from tests.converters.samples import random_sample
from zoo.conversion.engine import convert
from zoo.conversion.plan import Plan, make_plan
from zoo.plugins import catalogue, resolve

STEPS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink")
COUNT, UNIT = 40, 7
NEVER = 1 << 30
KILLED, FAILED = 9, 1
RUN = ("run", "seal")
EXISTS = "exists; --overwrite replaces it"


@dataclass(frozen=True)
class End:
    """How a run ended: the status of its process, the steps that it took, what it said."""

    status: int
    steps: int
    said: str


def run(plan: Plan, last: int = NEVER, **options: Any) -> End:
    """Convert in a process of its own, which is killed before its step number `last`."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _convert(replace(plan, options=replace(plan.options, **options)), last, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        steps, _, said = stream.read().decode().partition(" ")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return End(status, int(steps or 0), said)


def _convert(plan: Plan, last: int, writing: int) -> None:
    steps = 0

    def watch(event: str, arguments: Any) -> None:
        nonlocal steps
        if event in STEPS:
            steps += 1
            if steps == last:
                os._exit(KILLED)

    status, said = 0, ""
    sys.addaudithook(watch)
    try:
        convert(plan)
    except BaseException:
        status, said, last = FAILED, traceback.format_exc(), NEVER
    os.write(writing, f"{steps} {said[-3000:]}".encode())
    os._exit(status)


def stands(folder: Path) -> dict[str, bytes]:
    """All files beside the target and in it; of receipts, what does not tell of the run."""
    found = contents(folder)
    for name, data in found.items():
        if name.endswith(".zoo.json"):
            found[name] = json.dumps({key: value for key, value in json.loads(data).items() if key not in RUN}).encode()
    return found


def findings(plan: Plan, kills: int, chance: random.Random) -> Iterator[str]:
    """Each way in which a run that was killed and continued came to another end."""
    name = f"{plan.writes.name} of {plan.about.kind}"
    whole = run(plan)
    if whole.status:
        yield f"{name}: {whole.said}"
        return
    folder = plan.target.parent
    wanted = stands(folder)
    steps = range(1, whole.steps + 1)
    for last in chance.sample(steps, min(kills, len(steps))) if kills else steps:
        shutil.rmtree(folder)
        folder.mkdir()
        ends = [run(plan, last), run(plan, chance.randint(1, whole.steps), resume=True)]
        while ends[-1].status == KILLED or ends[-1] is ends[0]:
            ends.append(run(plan, resume=True))
        done = not ends[-1].status or EXISTS in ends[-1].said
        if not done or stands(folder) != wanted:
            there = {path: len(data) for path, data in stands(folder).items()}
            yield f"{name}, killed at {last} of {whole.steps}: {[end.status for end in ends]} {ends[-1].said} {there}"


def plans(kind: str, source: Path, folder: Path) -> Iterator[Plan]:
    """A conversion into each format that can hold sets of the kind."""
    for name, spec in sorted(catalogue().formats.items()):
        if spec.writer and kind in spec.kinds:
            values = {"workers": 1, "on_error": "quarantine", "allow_loss": True}
            if spec.write_options and "copy_images" in resolve(spec.write_options).__dataclass_fields__:  # type: ignore[attr-defined]
                values["copy_images"] = True
            yield make_plan(source, folder / "out", values, "tfrecord", name)


def main(kind: str, kills: int) -> list[str]:
    """The findings for all formats that hold sets of the kind."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        samples = [random_sample(kind, rng, number) for number in range(COUNT)]
        source = write(ExampleWriter, Path(name) / "work", samples).rename(Path(name) / "in.tfrecord")
        folder = Path(name) / "made"
        found = []
        for plan in plans(kind, source, folder):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            resolve(plan.writes.writer).unit = UNIT  # type: ignore[attr-defined]
            found += findings(plan, kills, random.Random(kills))
        return found


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2])), indent=1))
