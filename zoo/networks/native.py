"""What a method brings to the C++ that a model of it is written as: how its network's outputs are read.

Light: numbers and text alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import ModelError
from zoo.specs import ModelCard


@dataclass(frozen=True)
class Native:
    """C++17 that reads a network's outputs; it stands inside a namespace of its own and allocates nothing.

    `source` of a detector defines ``int decode(const float* const* outputs, int width, int height, float threshold,
    Candidate* found, int capacity)``, which fills `found` with the score, box and points of each candidate whose score
    is at least the threshold, in pixels of the input, and returns their number; and ``int64_t decode_capacity(int
    width, int height)``, the most that there can be. `outputs` are the network's in the card's order, rows of numbers
    one after the other; ``struct Candidate`` is in converters/zoo_cpp/source/nms.inc. `plus_one` is the convention of
    IoU (see `zoo.geometry`).

    That of a landmark network defines ``void read_points(const float* const* outputs, int width, int height, float*
    points, float* variances)``, which fills x and y of each point, and its variance where `variances` is true, in
    pixels and square pixels of a crop of `width` x `height`. An encoder needs none: its output is the embedding.
    """

    source: str
    plus_one: bool = False
    variances: bool = False


def of_file(path: Path, **constants: Any) -> str:
    """The C++ in the file at `path`, after definitions of `constants` (see `constant`)."""
    lines = [constant(name, value) for name, value in constants.items()]
    return "\n".join([*lines, "", path.read_text("utf-8")])


def whole(card: ModelCard, name: str, value: Any, most: int = 4096) -> list[int]:
    """`value`, which ``card.arguments`` gives as `name`: a non-empty list of whole numbers of 1..`most`. Raises
    `ModelError` for anything else, which as a stride would be divided by."""
    values = list(value) if isinstance(value, list | tuple) else []
    if not values or not all(type(item) is int and 1 <= item <= most for item in values):
        raise ModelError(f"The card {card.id!r} gives {name} as {value!r:.80}, and not as numbers of 1..{most}.")
    return values


def constant(name: str, value: Any) -> str:
    """One line of C++ that gives the name `name` to a bool, an int, a float (a double there), or a non-empty sequence
    or table of such. Raises `ModelError` for anything else: cards can come with files of strangers."""
    rows = list(value) if isinstance(value, list | tuple) else None
    if rows and all(isinstance(row, list | tuple) for row in rows):
        kind = _kind(name, [item for row in rows for item in row])
        if len({len(row) for row in rows}) != 1:
            raise _unfit(name, value)
        table = ", ".join("{" + _list(row, kind) + "}" for row in rows)
        return f"constexpr {kind} {name}[{len(rows)}][{len(rows[0])}] = {{{table}}};"
    if rows is not None:
        kind = _kind(name, rows)
        return f"constexpr {kind} {name}[{len(rows)}] = {{{_list(rows, kind)}}};"
    kind = _kind(name, [value])
    return f"constexpr {kind} {name} = {_list([value], kind)};"


def _kind(name: str, values: Iterable[Any]) -> str:
    values = list(values)
    if values and all(isinstance(value, bool) for value in values):
        return "bool"
    numbers = values and all(type(value) in (int, float) for value in values)
    if numbers and all(math.isfinite(value) and abs(value) < 1 << 31 for value in values):
        return "int" if all(type(value) is int for value in values) else "double"
    raise _unfit(name, values)


def _list(values: Iterable[Any], kind: str) -> str:
    if kind == "bool":
        return ", ".join("true" if value else "false" for value in values)
    return ", ".join(repr(float(value) if kind == "double" else value) for value in values)


def _unfit(name: str, value: Any) -> ModelError:
    return ModelError(f"The card gives {name.removeprefix('k')} as {value!r:.80}, of which no C++ can be made.")
