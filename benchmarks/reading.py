"""Images a second that come out of a ``.rec``, beside MXNet's own reader.

Each reader runs in a process of its own, reads the file from beginning to end, unpacks the header of each record, and
takes the time itself, so that imports do not count. MXNet has an environment of its own; ``ZOO_ORACLES`` names the
folder that it lies in, as for ``make oracles``.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from benchmarks.harness import Report, in_turn, run

MXNET = """
import sys, time
from mxnet import recordio
started, images = time.perf_counter(), 0
records = recordio.MXRecordIO(sys.argv[1], "r")
while (record := records.read()) is not None:
    images += len(recordio.unpack(record)[1]) > 0
print(time.perf_counter() - started, images)
"""
OPENED = """
import sys, time
import zoo
started, images = time.perf_counter(), 0
for sample in zoo.open_dataset(sys.argv[1]):
    images += len(sample.image.data) > 0
print(time.perf_counter() - started, images)
"""
RECORDS = """
import pathlib, sys, time
from zoo_recordio import labels, records
started, images = time.perf_counter(), 0
for _, record in records.payloads(pathlib.Path(sys.argv[1])):
    header = labels.unpack_header(record)
    images += len(record[labels.SIZE + 4 * header[0] :]) > 0
print(time.perf_counter() - started, images)
"""
PEER = "mx.recordio.MXRecordIO"
OURS = {"zoo.open_dataset": OPENED, "zoo_recordio.records": RECORDS}


def interpreter() -> str:
    """MXNet's Python, empty where there is none."""
    folder = os.environ.get("ZOO_ORACLES", "")
    path = Path(folder) / "mxnet" / "bin" / "python"
    return str(path) if folder and path.exists() else ""


def rate(python: str, program: str, rec: Path, images: int) -> float:
    """Images a second of one run. Raises `RuntimeError` when the program did not find all `images`."""
    seconds, found = run([python, "-c", program, rec]).split()
    if int(found) != images:
        raise RuntimeError(f"{found} images were read from {rec}, which has {images}")
    return images / float(seconds)


def compare(report: Report, rec: Path, images: int, rounds: int) -> None:
    """Add how fast the `images` of `rec` are read, held against MXNet; where MXNet is not there, that it is not."""
    python = interpreter()
    if not python:
        report.facts["left out"] = "MXNet's reader: ZOO_ORACLES names no folder with its environment, mxnet"
        return
    programs = {name: (sys.executable, program) for name, program in OURS.items()} | {PEER: (python, MXNET)}
    actions = {name: partial(rate, *program, rec, images) for name, program in programs.items()}
    taken = in_turn(rounds, actions)
    for name in OURS:
        report.compare(f"reading a .rec with {name}", PEER, taken[name], taken[PEER], "images/s")
