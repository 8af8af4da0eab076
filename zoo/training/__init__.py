"""Training: what the recipes of all methods share, from augmentation on the CPU to targets and losses.

`zoo.training.augment`, ``colours`` and ``recipe`` need numpy and OpenCV alone, ``options`` nothing; the others
import torch.
"""

from __future__ import annotations

from importlib.util import find_spec

from zoo.errors import RuntimeMissingError
from zoo.requests import TaskRequest, TaskResult


def train(request: TaskRequest) -> TaskResult:
    """The task ``train``: see `zoo.training.task.run`. Raises `RuntimeMissingError` where PyTorch is not installed."""
    if find_spec("torch") is None:
        raise RuntimeMissingError("Training needs PyTorch, which is not installed: pip install 'facezoo[torch]'.")
    from zoo.training.task import run

    return run(request)
