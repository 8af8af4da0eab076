"""The task ``train`` of YuNet. Light: torch is imported when it runs."""

from __future__ import annotations

from zoo.requests import TaskRequest, TaskResult
from zoo.training import require_torch


def train(request: TaskRequest) -> TaskResult:
    """Train the request's YuNet: see `zoo.training.task.run`. Raises `RuntimeMissingError` without PyTorch."""
    require_torch()
    from zoo.training.task import run
    from zoo_yunet.network import initialise
    from zoo_yunet.recipe import recipe

    return run(request, recipe(request.card), initialise)
