"""Where in a checkpoint the network's tensors are, and what else it says: how training programs wrap them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.errors import ModelError
from zoo_torch.pickled import Inert, Stored

LIGHTNING = "pytorch-lightning_version"
_HOLDERS = ("state_dict_ema", "state_dict", "state_dict_backbone", "model_state_dict", "model", "net", "network")
"""Where tensors are, the first that is there. Of averaged and plain ones the averaged are what is evaluated, as in
timm's ``load_state_dict`` (timm/models/_helpers.py); ``state_dict_backbone`` is of arcface_torch's train_v2.py."""
_PREFIX = "module."
"""What torch's DataParallel puts before all names."""
_TRAINING = (
    "optimizer",
    "state_optimizer",
    "optimizer_states",
    "lr_schedulers",
    "state_lr_scheduler",
    "callbacks",
    "loops",
)
_MOST_VALUES = 10_000
_DEEPEST = 12


@dataclass(frozen=True)
class Unwrapped:
    """`tensors` by name, the `wrapping` they were found in, and as plain data what else the file says: `meta`. `left`
    are the parts that only training needs."""

    tensors: dict[str, Stored]
    wrapping: str
    meta: dict[str, Any]
    left: tuple[str, ...]


def unwrap(value: Any, where: str) -> Unwrapped:
    """Find the tensors in what a checkpoint holds. `wrapping` is ``lightning``, ``mmcv``, the name of the entry that
    holds them, or ``bare``. Raises `ModelError` where there are none, or something that is no tensor is among them."""
    if isinstance(value, Inert):
        raise ModelError(
            f"{where} holds a whole object of the class {ascii(value.name)[1:-1]}, which is refused because making it"
            " would run its code; save its state_dict() with the program that made it."
        )
    if not isinstance(value, dict):
        raise ModelError(f"{where} holds no state dict but a {type(value).__name__}.")
    holder = next((name for name in _HOLDERS if isinstance(value.get(name), dict)), "")
    rest = {name: part for name, part in value.items() if name != holder} if holder else {}
    left = tuple(name for name in _TRAINING if rest.get(name))
    meta = plain({name: part for name, part in rest.items() if name not in _TRAINING and name not in _HOLDERS})
    return Unwrapped(_tensors(value[holder] if holder else value, where), _kind(value, holder), meta, left)


def _kind(value: Mapping[Any, Any], holder: str) -> str:
    if holder == "state_dict" and LIGHTNING in value:
        return "lightning"
    if holder == "state_dict" and isinstance(value.get("meta"), dict):
        return "mmcv"
    return holder or "bare"


def _tensors(found: Mapping[Any, Any], where: str) -> dict[str, Stored]:
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, Stored):
            kind = tensor.name if isinstance(tensor, Inert) else type(tensor).__name__
            raise ModelError(
                f"{where} is no state dict: {ascii(name)[:60]} is no tensor but {ascii(kind)[1:-1]}, which is refused."
            )
    if not found:
        raise ModelError(f"{where} holds no tensors.")
    strip = all(name.startswith(_PREFIX) for name in found)
    return {name.removeprefix(_PREFIX) if strip else name: tensor for name, tensor in found.items()}


def plain(value: Any) -> Any:
    """What JSON can say of `value`: of an inert object its content or else its name, of tensors and arrays the shape.
    What is too deep or too much (a file can hold the same list a thousand times over) becomes ``...``."""
    return _plain(value, _DEEPEST, [_MOST_VALUES])


def _plain(value: Any, depth: int, left: list[int]) -> Any:
    left[0] -= 1
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Inert):
        return _plain(value.content, depth, left) if value.content else value.name
    if isinstance(value, Stored) or hasattr(value, "shape"):
        return f"tensor {'x'.join(map(str, value.shape))}"
    if depth <= 0 or left[0] <= 0:
        return "..."
    if isinstance(value, dict):
        return {str(name): _plain(part, depth - 1, left) for name, part in _first(value.items(), left)}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(part, depth - 1, left) for part in _first(value, left)]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else type(value).__name__


def _first(parts: Any, left: list[int]) -> Any:
    return list(parts)[: max(0, left[0])]
