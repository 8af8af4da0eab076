"""How long the quick commands take, as whole processes, against ``python -c pass`` of the same interpreter."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import Report, arguments, in_turn, run, seconds

BARS = {"--version": 2.0, "list": 5.0, "--help": 8.0}
"""At most so many times the time of ``python -c pass``, with the catalogue in the cache."""
COLD = 15.0
"""The same for ``zoo list`` when the catalogue must be collected first."""


def command() -> list[str]:
    """How users call the zoo: the script beside this interpreter; without one the module."""
    script = Path(sys.executable).with_name("zoo.exe" if sys.platform == "win32" else "zoo")
    return [str(script)] if script.exists() else [sys.executable, "-m", "zoo"]


def measure(rounds: int) -> Report:
    """Interleave the commands and the bare interpreter."""
    report = Report("startup")
    with tempfile.TemporaryDirectory() as folder:
        warm, cold = Path(folder, "warm"), Path(folder, "cold")

        def zoo(word: str, cache: Path = warm) -> Callable[[], float]:
            return lambda: seconds(lambda: run([*command(), word], {"ZOO_CACHE": str(cache)}))

        def collecting() -> float:
            shutil.rmtree(cold, ignore_errors=True)
            return zoo("list", cold)()

        bare: Callable[[], float] = lambda: seconds(lambda: run([sys.executable, "-c", "pass"]))  # noqa: E731
        taken = in_turn(rounds, {"bare": bare, **{word: zoo(word) for word in BARS}, "cold": collecting}, warm_up=2)
    for word, most in BARS.items():
        report.compare(f"zoo {word}, warm", "python -c pass", taken[word], taken["bare"], "s", most=most)
    report.compare("zoo list, cold", "python -c pass", taken["cold"], taken["bare"], "s", most=COLD)
    return report


if __name__ == "__main__":
    measure(arguments(__doc__, rounds=31).rounds).print()
