"""How long one photograph takes, stage by stage, for each detector and runtime, and against the bare network.

The photograph is the sample (1280 x 886 pixels, six faces), at the size that the model's card says; all cores.
"""

from __future__ import annotations

import itertools
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import Report, arguments
from benchmarks.photographs import sample, weights
from zoo import images
from zoo.inference.detector import Detector
from zoo.inference.loading import load
from zoo.plugins import catalogue
from zoo.runtimes import missing

STAGES = ("decode", "preprocess", "run", "postprocess")
BARE = "bare session.run"
QUANTILES = (50, 90, 99)


def stages(detector: Detector, data: bytes) -> dict[str, float]:
    """One photograph through all stages, then its tensor through the engine alone: seconds of each."""
    marks = [time.perf_counter()]
    picture = images.decode(data)
    marks.append(time.perf_counter())
    prepared = detector.prepare(picture)
    marks.append(time.perf_counter())
    (outputs,) = detector.run([prepared])
    marks.append(time.perf_counter())
    detector.finish(prepared, outputs)
    marks.append(time.perf_counter())
    engine, feeds = bare(detector), {detector.session.inputs[0].name: prepared.inputs[0].tensor}
    began = time.perf_counter()
    engine(feeds)
    ended = time.perf_counter()
    spent = [later - earlier for earlier, later in itertools.pairwise(marks)]
    return {**dict(zip(STAGES, spent, strict=True)), "total": marks[-1] - marks[0], BARE: ended - began}


def bare(detector: Detector) -> Any:
    """The engine itself without the zoo around it, where the runtime has one to call."""
    inner = getattr(detector.session, "_session", None)
    return (lambda feeds: inner.run(None, feeds)) if inner is not None else detector.session.run


def quantiles(values: list[float]) -> dict[str, float]:
    """Milliseconds at `QUANTILES`."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {f"p{at}": round(cuts[at - 1] * 1e3, 3) for at in QUANTILES}


def measure(rounds: int) -> Report:
    """Every detector with weights on this machine, in every installed runtime."""
    report = Report("latency")
    data, known = sample().read_bytes(), catalogue()
    detectors = [name for name in known.cards if known.methods[known.cards.document(name)["method"]].kind == "detector"]
    files = {model: file for model in detectors if (file := weights(model)) is not None}
    runtimes = [spec.name for spec in known.runtimes.values() if "onnx" in spec.formats and not missing(spec)]
    for model, file in files.items():
        for runtime in runtimes:
            _measure(report, f"{model}, {runtime}", model, file, runtime, data, rounds)
    return report


def _measure(report: Report, what: str, model: str, file: Path, runtime: str, data: bytes, rounds: int) -> None:
    detector: Any = load(model, weights=file, runtime=runtime)
    stages(detector, data)
    taken = [stages(detector, data) for _ in range(rounds)]
    columns = {name: [turn[name] for turn in taken] for name in taken[0]}
    report.compare(f"{what}, whole photograph", BARE, columns["total"], columns[BARE], "s")
    report.facts[what] = {name: quantiles(column) for name, column in columns.items()}


if __name__ == "__main__":
    measure(arguments(__doc__, rounds=60).rounds).print()
