"""Runs the command line as a user does: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

Zoo = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def zoo() -> Zoo:
    """Call ``zoo`` with words; keywords go to `subprocess.run`."""

    def call(*words: object, **more: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "zoo", *map(str, words)]
        environment = {**os.environ, **more.pop("environment", {})}  # type: ignore[dict-item]
        options = {"capture_output": True, "text": True, "env": environment, "check": False, "timeout": 120, **more}
        return subprocess.run(command, **options)  # type: ignore[call-overload, no-any-return]

    return call
