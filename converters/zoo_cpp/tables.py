"""A schedule as C++ tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import ModelError
from zoo_cpp.merging import Part
from zoo_cpp.packing import Offsets, Packed, pack
from zoo_cpp.program import Step
from zoo_cpp.schedule import Chain, Schedule, renumbered

MAX_WINDOW = 32
"""kMaxRows of engine.inc."""

LIMITS = {"channels": 1 << 20, "values": 1 << 14}


@dataclass
class Tables:
    """Layers, operands and chains, as rows of C++, and the numbers that they refer to; `parts` of outputs with the
    layer that writes each."""

    layers: list[str] = field(default_factory=list)
    operands: list[int] = field(default_factory=list)
    chains: list[str] = field(default_factory=list)
    packed: Packed = field(default_factory=Packed)
    kinds: set[str] = field(default_factory=set)
    parts: list[tuple[Part, int]] = field(default_factory=list)


def tables(schedule: Schedule) -> Tables:
    """Raises `ModelError` for a window that is too large, or for more channels or steps than the tables can say."""
    made = Tables()
    for chain in schedule.chains:
        _add_chain(made, renumbered(chain, schedule.numbers))
    if len(schedule.values) > LIMITS["values"] or len(made.operands) > LIMITS["values"]:
        raise ModelError(f"The network has {len(schedule.values)} steps, more than C++ is written for.")
    return made


def _add_chain(made: Tables, chain: Chain) -> None:
    first = len(made.layers)
    for step in chain.steps:
        _add_step(made, step)
    ends = len(made.layers)
    for part in chain.parts:
        _add_part(made, part)
    made.chains.append(f"{{{first}, {ends}, {len(made.layers)}, {_said(chain.heavy)}}}")


def _add_step(made: Tables, step: Step) -> None:
    window, act = step.window, step.activation
    if (
        max(window.kernel + window.stride + window.pads + window.dilation) > MAX_WINDOW
        or step.channels > LIMITS["channels"]
    ):
        raise ModelError(f"The step {step.name!r} has a window or channels beyond what C++ is written for.")
    offsets = pack(step, made.packed)
    kind = "conv8" if step.quantised else step.kind
    extra = {
        "conv8": offsets.scales,
        "resize": step.scale,
        "groupnorm": step.groups,
        "slice": step.start,
        "softmax": step.columns,
    }
    low = {"leaky": act.slope, "clip": act.low}.get(act.kind, step.epsilon if step.kind == "unit" else 0.0)
    high = step.epsilon if step.kind == "groupnorm" else act.high
    made.kinds.add(kind)
    _add_layer(
        made,
        kind=kind,
        act=act.kind,
        sizes=(*window.kernel, *window.stride, *window.pads, *window.dilation),
        flags=(step.ceil, step.padded, False),
        inputs=step.inputs,
        output=step.output,
        offsets=offsets,
        extra=extra.get(kind, 0),
        channels=step.channels,
        numbers=(low, high),
    )


def _add_part(made: Tables, part: Part) -> None:
    made.kinds.add("output")
    made.parts.append((part, len(made.layers)))
    _add_layer(
        made,
        kind="output",
        act="sigmoid" if part.sigmoid else "none",
        sizes=(1, 1, 1, 1, 0, 0, 0, 0, 1, 1),
        flags=(False, False, bool(part.softmax)),
        inputs=(part.value,),
        output=part.output,
        offsets=Offsets(),
        extra=part.start,
        channels=part.channels,
        numbers=(float(part.softmax), 0.0),
    )


def _add_layer(
    made: Tables,
    *,
    kind: str,
    act: str,
    sizes: Sequence[int],
    flags: Sequence[bool],
    inputs: Sequence[int],
    output: int,
    offsets: Offsets,
    extra: int,
    channels: int,
    numbers: Sequence[float],
) -> None:
    first = len(made.operands)
    made.operands.extend(inputs)
    row: list[Any] = [f"Kind::{kind}", f"Act::{act}", *sizes, *map(_said, flags), first, len(inputs), output]
    row += [offsets.weight, offsets.bias, offsets.slopes, extra, channels, *map(literal, numbers)]
    made.layers.append("{" + ", ".join(map(str, row)) + "}")


def part_rows(made: Tables) -> list[int]:
    """The layers that write outputs, in the order in which the rows of an output follow one another."""
    return [layer for part, layer in sorted(made.parts, key=lambda one: one[0].rank)]


def value_rows(schedule: Schedule) -> Iterator[str]:
    """The rows of the table of values."""
    for value in schedule.values:
        row = (value.channels, value.stored, value.pad_left, value.pad_right, value.slot, value.lines)
        yield "{" + ", ".join(map(str, row)) + "}"


def literal(number: float) -> str:
    """A float32 as a C++ literal that reads back as the same number."""
    import numpy as np

    text = str(np.float32(number))
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def table(kind: str, name: str, rows: Iterable[Any], count: str) -> str:
    """A constant array of C++."""
    return f"constexpr {kind} {name}[{count}] = {{\n" + "".join(f"  {row},\n" for row in rows) + "};\n"


def _said(flag: bool) -> str:
    return "true" if flag else "false"
