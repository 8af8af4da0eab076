"""The processes that share a run, one a device, as ``torchrun`` starts them: what they must agree on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from zoo.datasets.sharing import ALL, Place

PATIENCE = timedelta(hours=2)
"""How long processes wait for one another: for as long as the first one may judge."""

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this is, and its device. With one, nothing here does anything."""

    place: Place = ALL
    device: torch.device = torch.device("cpu")  # noqa: RUF009 - it cannot be changed

    @property
    def first(self) -> bool:
        """Whether this one writes, logs and judges."""
        return self.place.index == 0

    @property
    def alone(self) -> bool:
        """Whether there is no other."""
        return self.place.count == 1

    def average_gradients(self, network: nn.Module) -> None:
        """Give each parameter the mean of all processes' gradients."""
        if self.alone:
            return
        learnt = [parameter for parameter in network.parameters() if parameter.requires_grad]
        parts = [torch.zeros_like(one) if one.grad is None else one.grad for one in learnt]
        flat = torch.cat([part.flatten() for part in parts])
        distributed.all_reduce(flat)
        flat /= self.place.count
        for parameter, mean in zip(learnt, flat.split([part.numel() for part in parts]), strict=True):
            parameter.grad = mean.view_as(parameter)

    def share_buffers(self, network: nn.Module) -> None:
        """Give each process the first one's statistics of normalisations, which are those that are saved."""
        if self.alone:
            return
        for buffer in network.buffers():
            distributed.broadcast(buffer, 0)

    def any(self, said: bool) -> bool:
        """Whether any process says so."""
        return said if self.alone else bool(self._reduced(float(said)).item())

    def agreed(self, number: float) -> float:
        """What the first process says."""
        if self.alone:
            return number
        told = torch.tensor(number, dtype=torch.float64, device=self.device)
        distributed.broadcast(told, 0)
        return float(told.item())

    def gathered(self, one: T) -> list[T]:
        """What each process says, in their order."""
        every: list[Any] = [one] * self.place.count
        if not self.alone:
            distributed.all_gather_object(every, one)
        return every

    def _reduced(self, number: float) -> Tensor:
        told = torch.tensor(number, device=self.device)
        distributed.all_reduce(told, distributed.ReduceOp.MAX)
        return told


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[Processes]:
    """The processes of this run, which meet where ``torchrun`` says, or have met already. Of several with NVIDIA cards
    each takes its own."""
    if distributed.is_initialized():
        yield Processes(Place(distributed.get_rank(), distributed.get_world_size()), device)
        return
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(ALL, device)
        return
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Processes(Place(distributed.get_rank(), count), device)
    finally:
        distributed.destroy_process_group()
