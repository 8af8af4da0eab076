"""Run the benchmarks named on the command line, or all, each in a process of its own once the machine is quiet."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks import NAMES
from benchmarks.harness import QUIET

PATIENCE = 180.0
"""How long to wait for a quiet machine, in seconds: the load average remembers the benchmark before for a minute."""


def settle() -> None:
    """Wait until the load is low enough that a benchmark would not call itself contended, or patience ends."""
    end = time.monotonic() + PATIENCE
    while os.getloadavg()[0] > QUIET * (os.cpu_count() or 1) and time.monotonic() < end:
        time.sleep(1)


def main(words: list[str]) -> int:
    """Run them; the exit code is 1 when one could not be run. Whether a bar holds does not matter to it."""
    names = [word for word in words if not word.startswith("-")] or list(NAMES)
    options = [word for word in words if word.startswith("-")]
    failed = []
    for name in names:
        settle()
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False).returncode:
            failed.append(name)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
