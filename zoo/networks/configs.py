"""A family of networks as data: one frozen dataclass, named configurations of it, and what departs from them.

The dataclass checks its own values in ``__post_init__`` and raises `ValueError` with one clause; fields are numbers,
strings, bools and (nested) tuples, so that a departure from a named configuration travels as JSON in a model's card.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeVar

from zoo.errors import ModelError, UsageError, suggestion
from zoo.specs import from_json, to_json

T = TypeVar("T")

CHANNELS = 4096
"""The most channels that a layer may have: more is a damaged or hostile file, as the widest here has 2048."""

LAYERS = 512
"""The most layers, or blocks of layers, that a stage may have, likewise; the deepest here has 60."""


def configure(configs: Mapping[str, T], architecture: str, arguments: Mapping[str, Any]) -> T:
    """The configuration named `architecture`, with the fields that `arguments` names set anew (lists become tuples).

    Raises `UsageError` that names an unknown architecture or field and the nearest known one, or a value that does not
    fit.
    """
    if architecture not in configs:
        raise UsageError(
            f"There is no architecture {architecture!r}; there are {', '.join(configs)}."
            + suggestion(architecture, configs)
        )
    config = configs[architecture]
    try:
        return from_json(type(config), {**to_json(config), **arguments})
    except ValueError as error:
        raise UsageError(f"The network {architecture} cannot be built: {str(error).rstrip('.')}.") from None


def nearest(configs: Mapping[str, T], fields: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The architecture that differs least from `fields`, which may be some of them, and those that differ as arguments.

    The first of `configs` wins among equals. The result goes into `configure`, which checks the values.
    """
    differences = {name: _differing(config, fields) for name, config in configs.items()}
    best = min(differences, key=lambda name: len(differences[name]))
    return best, differences[best]


def require_within(name: str, values: Iterable[int], low: int, high: int) -> None:
    """Raise `ValueError` unless each of the `values` called `name` lies in low..high."""
    for value in values:
        if not low <= value <= high:
            raise ValueError(f"{name} must be in {low}..{high}, not {value}")


def require_length(name: str, values: tuple[Any, ...], length: int) -> None:
    """Raise `ValueError` unless the `values` called `name` are `length`."""
    if len(values) != length:
        raise ValueError(f"{name} must be {length} numbers, not {len(values)}")


def section(model: Mapping[str, Any], name: str, kinds: Collection[str]) -> Mapping[str, Any]:
    """The part `name` of an upstream configuration's `model`, whose ``type`` is one of `kinds`.

    Raises `ModelError` where it is absent or of another type.
    """
    part = model.get(name)
    kind = part.get("type", "of no type") if isinstance(part, Mapping) else "missing"
    if not isinstance(part, Mapping) or kind not in kinds:
        raise ModelError(f"The configuration's {name} is {kind}; the zoo knows {', '.join(kinds)}.")
    return part


def require_settings(name: str, part: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise `ModelError` where the `part` called `name` of an upstream configuration says anything but `wanted`.

    What it does not say at all fits.
    """
    for key, value in wanted.items():
        if _tuples(part.get(key, value)) != _tuples(value):
            raise ModelError(f"The configuration's {name} has {key} {part[key]!r}; the zoo's network has {value!r}.")


def _differing(config: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if _tuples(getattr(config, name)) != _tuples(value)}


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value
