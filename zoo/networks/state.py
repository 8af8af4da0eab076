"""Tensors by name into a network: all of them, of the right shapes, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from zoo.errors import ModelError

COUNTER = "num_batches_tracked"
"""Batch-norm's count of training steps, which no result depends on; files from other frameworks have none."""


def load_state(network: torch.nn.Module, tensors: Mapping[str, Any], where: str, what: str = "network") -> None:
    """Put `tensors`, arrays or torch tensors by name, into `network`; errors call their file `where`, and that `what`.

    Names and shapes must be exactly the network's; only batch-norm's counters may be absent, and are then 0. Numbers
    are converted to the network's own types. Raises `ModelError` that names the first tensor which is missing, not
    known, of another shape or not made of numbers of that kind, and leaves the network as it was.
    """
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in tensors and name.rpartition(".")[2] != COUNTER]
    unknown = [name for name in tensors if name not in wanted]
    if missing or unknown:
        raise ModelError(f"{where} does not fit the {what}: {_names(missing, unknown, what)}")
    unfit = f"{where} does not fit the {what}"
    values = {name: _value(tensors[name], old, name, unfit) for name, old in wanted.items() if name in tensors}
    counters = {name: torch.zeros_like(old) for name, old in wanted.items() if name not in tensors}
    network.load_state_dict(values | counters, strict=True)


def _names(missing: list[str], unknown: list[str], what: str) -> str:
    parts = [f"{verb} {_first(names)}" for verb, names in (("it lacks", missing), ("it has", unknown)) if names]
    return " and ".join(parts) + (f", which the {what} has not." if unknown else ".")


def _first(names: list[str]) -> str:
    return names[0] + (f" (and {len(names) - 1} more)" if names[1:] else "")


def _value(given: Any, old: torch.Tensor, name: str, unfit: str) -> torch.Tensor:
    value = torch.from_numpy(np.array(given)) if isinstance(given, np.ndarray) else given
    if not isinstance(value, torch.Tensor):
        raise ModelError(f"{unfit}: {name} is no tensor but a {type(given).__name__}.")
    if value.shape != old.shape:
        raise ModelError(f"{unfit}: {name} is {_shape(value.shape)}, where {_shape(old.shape)} is wanted.")
    if value.is_complex() or (value.is_floating_point() != old.is_floating_point()):
        raise ModelError(f"{unfit}: {name} is {value.dtype}, where {old.dtype} is wanted.")
    return value.to(old.dtype)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"
