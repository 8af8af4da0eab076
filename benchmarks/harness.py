"""Measuring two things fairly, and saying what came of it in one line of JSON.

What is compared runs in turn, A B A B, after a warm-up, and the ratio is taken pair by pair, so that a machine whose
speed drifts, or that other work slows down for a while, slows both sides of a ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

QUIET = 0.7
"""A machine is contended when its load average is above this share of its cores as the benchmark starts,"""
OTHERS = 0.05
"""or when other programs have taken more than this share of its processor time by the end."""
PACKAGES = ("facezoo", "numpy", "opencv-python-headless", "onnxruntime", "click")
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Spread:
    """Repeated measurements of one thing, in `unit`."""

    median: float
    low: float
    high: float
    unit: str


@dataclass(frozen=True)
class Comparison:
    """`ours` against `theirs`, of what is called `peer`: the median of the pairwise ratios, and the bar that it is held
    to (``at most 5``, ``at least 1.4``; empty where the figure is only told)."""

    what: str
    peer: str
    ratio: float
    bar: str
    holds: bool
    ours: Spread
    theirs: Spread


@dataclass
class Report:
    """What one benchmark found. Making it notes the load of the machine, so make it before measuring."""

    name: str
    comparisons: list[Comparison] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    clock: Clock = field(default_factory=lambda: Clock())

    def compare(
        self,
        what: str,
        peer: str,
        ours: Sequence[float],
        theirs: Sequence[float],
        unit: str,
        *,
        most: float | None = None,
        least: float | None = None,
    ) -> Comparison:
        """Add a comparison of measurements that were taken in pairs. `most` or `least` is the bar for the ratio."""
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        bar = f"at most {most:g}" if most is not None else f"at least {least:g}" if least is not None else ""
        holds = (most is None or ratio <= most) and (least is None or ratio >= least)
        made = Comparison(what, peer, float(f"{ratio:.4g}"), bar, holds, spread(ours, unit), spread(theirs, unit))
        self.comparisons.append(made)
        return made

    def document(self) -> dict[str, Any]:
        """The report as plain data, with the machine as it is now."""
        cores, others = os.cpu_count() or 1, self.clock.others()
        return {
            "name": self.name,
            "holds": all(comparison.holds for comparison in self.comparisons),
            "contended": self.load > QUIET * cores or (others or 0.0) > OTHERS,
            "comparisons": [asdict(comparison) for comparison in self.comparisons],
            "facts": self.facts,
            "load": {"start": round(self.load, 2), "end": round(os.getloadavg()[0], 2)},
            "others": others,
            "cores": cores,
            "machine": platform.machine(),
            "versions": versions(),
        }

    def print(self) -> None:
        """Print the one line."""
        print(json.dumps(self.document()), flush=True)


class Clock:
    """Tells how much of the processors' time other programs take from now on."""

    def __init__(self) -> None:
        self._began = self._now()

    def others(self) -> float | None:
        """Their share of all processor time, 0..1; None where the system does not tell (it is read from ``/proc``)."""
        now = self._now()
        if now is None or self._began is None:
            return None
        total, busy, own = (later - earlier for later, earlier in zip(now, self._began, strict=True))
        return round(max(0.0, busy - own) / total, 3) if total > 0 else 0.0

    @staticmethod
    def _now() -> tuple[float, float, float] | None:
        """Seconds since the machine and this process started: of all processors, busy ones, and spent by this process
        and the children that have ended."""
        try:
            words = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
        except OSError:
            return None
        ticks = [int(word) / os.sysconf("SC_CLK_TCK") for word in words]
        return sum(ticks), sum(ticks) - ticks[3] - ticks[4], sum(os.times()[:4])  # idle and waiting for disks


def versions() -> dict[str, str]:
    """The versions of Python and of `PACKAGES`, as far as they are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def spread(values: Sequence[float], unit: str) -> Spread:
    """Median, lowest and highest of `values`, to four significant digits."""
    return Spread(*(float(f"{value:.4g}") for value in (statistics.median(values), min(values), max(values))), unit)


def in_turn(rounds: int, actions: Mapping[str, Callable[[], float]], warm_up: int = 1) -> dict[str, list[float]]:
    """Call the actions one after the other, `rounds` times, after `warm_up` rounds that do not count: what each gave,
    by name."""
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for turn in range(-warm_up, rounds):
        for name, action in actions.items():
            value = action()
            if turn >= 0:
                taken[name].append(value)
    return taken


def seconds(action: Callable[[], object]) -> float:
    """How long a call of `action` takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and give what it printed. Raises `RuntimeError` with what it complained of."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def arguments(description: str | None, rounds: int, names: str = "", **sizes: int | str) -> argparse.Namespace:
    """The command line of a benchmark: ``--rounds``, a number or text for each of `sizes`, and any number of words,
    each of which is what `names` says, where it says something."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if names:
        parser.add_argument(names, nargs="*")
    for name, default in {"rounds": rounds, **sizes}.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"default: {default}")
    return parser.parse_args()
