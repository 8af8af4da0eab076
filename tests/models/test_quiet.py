"""Frameworks side by side in one process."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest


@pytest.mark.slow
def test_torch_can_be_imported_after_tensorflow() -> None:
    for module in ("tensorflow", "torch", "torchvision"):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    code = "from zoo_tensorflow.quiet import tensorflow\ntensorflow()\nimport torch, torchvision, torch._dynamo"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
