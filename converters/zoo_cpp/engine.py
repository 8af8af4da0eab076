"""The part of the generated C++ that runs the network: its tables, its numbers and the text of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from string import Template

from zoo_cpp.schedule import Schedule
from zoo_cpp.sources import text
from zoo_cpp.tables import Tables, part_rows, table, value_rows

MAX_SIDE = 16384
"""Largest side of an input in pixels."""

MAX_THREADS = 64

PARTS = {
    "conv": (("conv", "conv8", "depthwise"), "conv"),
    "conv8": (("conv8",), "conv8"),
    "depthwise": (("depthwise",), "depthwise"),
    "pooling": (("maxpool", "avgpool", "mean", "resize"), "pooling"),
    "pointwise": (("add", "mul", "affine", "activation", "concat", "slice", "softmax", "unit", "output"), "pointwise"),
    "groupnorm": (("groupnorm",), "groupnorm"),
}
"""The files of the engine that only networks with certain kinds of steps need."""

ROWS = {
    "conv": "conv_row",
    "conv8": "conv8_row",
    "depthwise": "depthwise_row",
    "maxpool": "maxpool_row",
    "avgpool": "avgpool_row",
    "mean": "mean_row",
    "resize": "resize_row",
    "add": "binary_row",
    "mul": "binary_row",
    "affine": "affine_row",
    "activation": "affine_row",
    "concat": "gather_row",
    "slice": "gather_row",
    "softmax": "normal_row",
    "unit": "normal_row",
}
"""The function of the engine that makes a row, by the kind of step."""

MAPS = (
    ("conv", "chain.heavy", "conv_map"),
    ("groupnorm", "kLayerTable[chain.first].kind == Kind::groupnorm", "groupnorm_map"),
)
"""What is done with whole maps: the kind of step, when, and the function."""


def engine(schedule: Schedule, made: Tables, numbers: str) -> str:
    """The C++ of the engine, to stand in an unnamed namespace: `numbers` is the text that defines the
    weights."""
    return "\n".join(_parts(schedule, made, numbers))


def _parts(schedule: Schedule, made: Tables, numbers: str) -> Iterator[str]:
    yield text("vector")
    yield text("layers")
    yield text("vector8")
    yield _constants(schedule, made)
    yield numbers
    yield text("engine")
    yield text("rows")
    for kinds, name in PARTS.values():
        if made.kinds & set(kinds):
            yield text(name)
    yield text("team")
    cases = [
        f"    case Kind::{kind}:\n      return {ROWS[kind]}(task, layer, y);"
        for kind in sorted(made.kinds)
        if kind in ROWS
    ]
    maps = [
        f"  if ({said}) return {name}(task, kLayerTable[chain.first]);\n"
        for kind, said, name in MAPS
        if kind in made.kinds
    ]
    yield Template(text("run")).substitute(rows="\n".join(cases), maps="".join(maps))


def _constants(schedule: Schedule, made: Tables) -> str:
    fixed = schedule.program.fixed or (0, 0)
    numbers = {
        "kValues": len(schedule.values),
        "kSlots": schedule.slots,
        "kOutputs": len(schedule.program.outputs),
        "kLayers": len(made.layers),
        "kChains": len(made.chains),
        "kMaxSide": MAX_SIDE,
        "kMaxThreads": MAX_THREADS,
        "kFixedWidth": fixed[0],
        "kFixedHeight": fixed[1],
        "kMultiple": schedule.program.multiple,
    }
    lines = [f"constexpr int {name} = {value};" for name, value in numbers.items()]
    lines += [
        table("int16_t", "kOperands", made.operands, str(len(made.operands))),
        table("int16_t", "kParts", part_rows(made), str(len(made.parts))),
        table("Layer", "kLayerTable", made.layers, "kLayers"),
        table("Chain", "kChainTable", made.chains, "kChains"),
        table("ValueInfo", "kValueTable", value_rows(schedule), "kValues"),
    ]
    return "\n".join(lines)
