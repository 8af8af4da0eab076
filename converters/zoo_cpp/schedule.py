"""In which order, in which chains, and in which memory the steps are carried out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from zoo_cpp.merging import Merged, Part, merge
from zoo_cpp.program import Program, Step

BLOCK = 16
"""Channels are stored sixteen at a time: kBlock of vector.inc."""

HEAVY = 96 * 1024
"""Numbers of filters of a convolution that no longer fit the second-level cache beside the rows: it goes by filters."""

CHAIN = 192 * 1024
"""Numbers of filters of a chain that are gone through for every row."""

WHOLE = ("groupnorm",)
"""Kinds that need their whole input before their first row, and make their whole output at once."""

FIRST = ("mean", "resize")
"""Kinds that read rows of their input in an order of their own, and can only begin a chain."""


@dataclass(frozen=True)
class Value:
    """Where a value lies: its `channels`, how many a pixel takes, pixels of zeros on both sides of a row, the piece of
    memory (-1: only `lines` rows are kept, by each thread)."""

    channels: int
    stored: int
    pad_left: int
    pad_right: int
    slot: int
    lines: int


@dataclass(frozen=True)
class Chain:
    """Steps that are carried out row by row together, and the parts of outputs that end it. `heavy`: one convolution
    that goes by its filters."""

    steps: tuple[Step, ...]
    parts: tuple[Part, ...] = ()
    heavy: bool = False


@dataclass(frozen=True)
class Schedule:
    """A program as it is carried out; `values` by the number that they have here, 0 the input; `numbers` give it for
    those of the program."""

    program: Program
    chains: tuple[Chain, ...]
    values: tuple[Value, ...]
    numbers: Mapping[int, int]
    slots: int


def schedule(program: Program, width: int, height: int) -> Schedule:
    """How `program` is carried out; (`width`, `height`) is the size by which memory is shared best."""
    merged = merge(program)
    sizes = shapes(merged.steps, width, height)
    chains = _chains(merged, sizes)
    inside = {step.output for chain in chains for step in chain.steps} - _kept(chains)
    slots = _slots(chains, inside, merged, sizes)
    values = [0, *(step.output for chain in chains for step in chain.steps)]
    numbers = {value: index for index, value in enumerate(values)}
    channels, uses = _channels(merged), _uses(merged.steps)
    placed = [_value(value, channels[value], uses[value], slots.get(value, -1)) for value in values]
    return Schedule(program, tuple(chains), tuple(placed), numbers, max(slots.values()) + 1)


def shapes(steps: Sequence[Step], width: int, height: int) -> dict[int, tuple[int, int]]:
    """The (height, width) of each value for an input of this size."""
    found = {0: (height, width)}
    for step in steps:
        found[step.output] = _shape(step, [found[value] for value in step.inputs])
    return found


def _shape(step: Step, inputs: Sequence[tuple[int, int]]) -> tuple[int, int]:
    height, width = inputs[0]
    if step.kind == "mean":
        return 1, 1
    if step.kind == "resize":
        return inputs[1] if len(inputs) > 1 else (height * step.scale, width * step.scale)
    if step.kind not in ("conv", "depthwise", "maxpool", "avgpool"):
        return height, width
    return step.window.size(height, width, step.ceil)


def _kept(chains: Sequence[Chain]) -> set[int]:
    """The values that are whole in memory: those that a chain leaves behind."""
    return {chain.steps[-1].output for chain in chains if chain.steps and not chain.parts}


def _chains(merged: Merged, sizes: Mapping[int, tuple[int, int]]) -> list[Chain]:
    uses = _uses(merged.steps)
    parts: dict[int, list[Part]] = defaultdict(list)
    for part in merged.parts:
        parts[part.value].append(part)
    chains: list[Chain] = []
    available, begun = {0}, set[int]()
    for step in merged.steps:
        if step.output in begun:
            continue
        chain = _from(step, uses, parts, available, sizes)
        begun |= {one.output for one in chain.steps}
        last = chain.steps[-1].output
        available.add(last)
        chains.append(chain)
        if parts[last] and not chain.parts:
            chains.append(Chain((), tuple(parts[last])))
    if parts[0]:
        chains.append(Chain((), tuple(parts[0])))
    return chains


def _channels(merged: Merged) -> dict[int, int]:
    return {0: merged.channels} | {step.output: step.channels for step in merged.steps}


def _uses(steps: Sequence[Step]) -> Mapping[int, list[Step]]:
    """The steps that read each value."""
    uses: dict[int, list[Step]] = defaultdict(list)
    for step in steps:
        for value in set(step.inputs):
            uses[value].append(step)
    return uses


def _from(
    step: Step,
    uses: Mapping[int, list[Step]],
    parts: Mapping[int, list[Part]],
    available: set[int],
    sizes: Mapping[int, tuple[int, int]],
) -> Chain:
    """The longest chain that begins with `step`."""
    if _weight(step) > HEAVY:
        return Chain((step,), heavy=step.quantised is None)
    chain, total = [step], _weight(step)
    while step.kind not in WHOLE:
        users, ends = uses.get(step.output, []), parts.get(step.output, [])
        if ends and not users:
            return Chain(tuple(chain), tuple(ends))
        if ends or len(users) != 1:
            break
        following = users[0]
        others = [value for value in following.inputs if value != step.output]
        total += _weight(following)
        single = following.kind in ("add", "mul") and sizes[step.output] != sizes[following.output]  # for all its rows
        fits = following.kind not in WHOLE + FIRST and total <= CHAIN and not single
        if not fits or len(others) != len(following.inputs) - 1 or not available.issuperset(others):
            break
        chain.append(following)
        step = following
    return Chain(tuple(chain))


def _weight(step: Step) -> int:
    """How much room the filters take, in floats."""
    size = step.weights["weight"].size if step.kind == "conv" else 0
    return size // 4 if step.quantised else size


def _slots(
    chains: Sequence[Chain], inside: set[int], merged: Merged, sizes: Mapping[int, tuple[int, int]]
) -> dict[int, int]:
    """A piece of memory for every whole value, the same for values that are never needed at the same time."""
    begins, ends = {0: -1}, {0: -1}
    widths = _channels(merged)
    for index, chain in enumerate(chains):
        for value in (value for step in chain.steps for value in step.inputs):
            ends[value] = index
        for part in chain.parts:
            ends[part.value] = index
        for step in chain.steps:
            begins[step.output] = index
            ends.setdefault(step.output, index)
    free: list[tuple[int, int]] = []  # (the last chain that needs it, its size), one a slot
    slots = {}
    for value in sorted((value for value in begins if value not in inside), key=lambda value: begins[value]):
        height, width = sizes[value]
        size = height * width * stored(widths[value], value)
        fitting = [slot for slot, (end, _) in enumerate(free) if end < begins[value]]
        if fitting:
            slot = min(fitting, key=lambda slot: abs(free[slot][1] - size))
            free[slot] = (ends[value], max(free[slot][1], size))
        else:
            slot = len(free)
            free.append((ends[value], size))
        slots[value] = slot
    return slots


def stored(channels: int, value: int) -> int:
    """How many channels a pixel of a value takes: the input's are as they come."""
    return channels if value == 0 else -(-channels // BLOCK) * BLOCK


def _value(value: int, channels: int, users: Sequence[Step], slot: int) -> Value:
    padded = [step.window.pads for step in users if step.kind in ("conv", "depthwise")]
    left, right = (max((pads[side] for pads in padded), default=0) for side in (1, 3))
    lines = max(((step.window.kernel[0] - 1) * step.window.dilation[0] + 1 for step in users), default=1)
    return Value(channels, stored(channels, value), left, right, slot, lines)


def renumbered(chain: Chain, numbers: Mapping[int, int]) -> Chain:
    """`chain` with the numbers of a schedule."""
    steps = tuple(
        replace(step, inputs=tuple(numbers[value] for value in step.inputs), output=numbers[step.output])
        for step in chain.steps
    )
    return replace(chain, steps=steps, parts=tuple(replace(part, value=numbers[part.value]) for part in chain.parts))
