"""How many threads: the one policy that OpenCV, the runtimes and the zoo's own workers follow, so that they do not
fight for cores."""

from __future__ import annotations

import os
from pathlib import Path

from zoo.errors import UsageError

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def count(asked: int = 0) -> int:
    """How many threads to use, at least 1: `asked` where positive, else the environment variable ``ZOO_THREADS``, else
    `cores`. Raises `UsageError` for a variable that is no positive number."""
    if asked > 0:
        return asked
    text = os.environ.get("ZOO_THREADS", "")
    if not text:
        return cores()
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"ZOO_THREADS must be a positive number, not {text!r}.")
    return int(text)


def cores() -> int:
    """The processors that this process may use: those it is bound to, or fewer where a container limits it."""
    bound_to = getattr(os, "sched_getaffinity", None)  # only Linux has it
    available = len(bound_to(0)) if bound_to else os.cpu_count() or 1
    return max(1, min(available, _quota(_QUOTA) or available))


def _quota(path: Path) -> int:
    """Linux containers: ``cpu.max`` holds microseconds of processor time a period; 0 where there is no limit."""
    try:
        share, period = path.read_text(encoding="ascii").split()
        return round(int(share) / int(period)) or 1
    except (OSError, ValueError):
        return 0


def apply(threads: int) -> None:
    """Give OpenCV `threads` threads in this process; sessions get theirs when they are opened."""
    import cv2

    cv2.setNumThreads(threads)
