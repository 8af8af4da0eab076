"""Fewer steps for the same numbers: convolutions side by side become one, and what only the outputs want goes to them.

A detector's heads are convolutions of one map to 1, 4 or 10 channels, and sixteen channels cost as much as one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from zoo_cpp.plain import plain
from zoo_cpp.program import Activation, Array, Program, Step


@dataclass(frozen=True)
class Part:
    """A part of an output: `channels` channels from `start` on of a value, with what is still to be done to them:
    ``sigmoid``, a softmax over each `softmax` of them, or nothing. `rank` orders the parts of an output."""

    output: int
    value: int
    start: int
    channels: int
    sigmoid: bool = False
    softmax: int = 0
    rank: int = 0


@dataclass(frozen=True)
class Merged:
    """Steps, and the parts of the outputs that are made of their values, in the order of the outputs' rows."""

    steps: tuple[Step, ...]
    parts: tuple[Part, ...]
    channels: int


def merge(program: Program) -> Merged:
    """`program` with as few steps as may be."""
    steps, parts = _without_last(plain(program))
    steps, parts = _joined(steps, parts)
    return Merged(tuple(steps), tuple(parts), program.channels)


def _without_last(program: Program) -> tuple[list[Step], list[Part]]:
    """Take a sigmoid or softmax whose result is an output and nothing else out of the steps."""
    made = {step.output: step for step in program.steps}
    uses = _uses(program.steps)
    outputs = [value for output in program.outputs for value in output.values]
    steps, parts = {step.output: step for step in program.steps}, list[Part]()
    for index, output in enumerate(program.outputs):
        for value in output.values:
            step = made.get(value)
            part = Part(index, value, 0, program.widths[value], rank=len(parts))
            if step is not None and not uses[value] and outputs.count(value) == 1:
                if step.activation.kind == "sigmoid":
                    part = replace(part, sigmoid=True)
                    if step.kind == "activation":
                        part = replace(part, value=step.inputs[0])
                        del steps[value]
                    else:
                        steps[value] = replace(step, activation=Activation())
                elif step.kind == "softmax":
                    part = replace(part, value=step.inputs[0], softmax=step.columns)
                    del steps[value]
            parts.append(part)
    return list(steps.values()), parts


def _uses(steps: Iterable[Step]) -> Mapping[int, list[Step]]:
    uses = defaultdict(list)
    for step in steps:
        for value in step.inputs:
            uses[value].append(step)
    return uses


def _joined(steps: Sequence[Step], parts: Sequence[Part]) -> tuple[list[Step], list[Part]]:
    """Join convolutions of one input whose results go to outputs, each straight or through a depthwise convolution."""
    uses = _uses(steps)
    leaves = {part.value for part in parts}
    groups = defaultdict(list)
    for step in steps:
        chain = _to_output(step, uses, leaves)
        if chain:
            rounded = step.quantised and (step.quantised.scale, step.quantised.zero)
            groups[step.inputs, step.window, rounded, tuple(one.window for one in chain[1:])].append(chain)
    replaced: dict[int, Step] = {}
    dropped: set[int] = set()
    places: dict[int, tuple[int, int]] = {}
    for chains in groups.values():
        if len(chains) < 2:
            continue
        for level in zip(*chains, strict=True):
            one = _side_by_side(level)
            replaced[level[0].output] = one
            dropped.update(step.output for step in level[1:])
        start = 0
        for chain in chains:
            places[chain[-1].output] = (chains[0][-1].output, start)
            start += chain[-1].channels
    kept = [replaced.get(step.output, step) for step in steps if step.output not in dropped]
    moved = []
    for part in parts:
        value, start = places.get(part.value, (part.value, 0))
        moved.append(replace(part, value=value, start=part.start + start))
    return kept, moved


def _to_output(step: Step, uses: Mapping[int, list[Step]], leaves: set[int]) -> list[Step]:
    """`step` and the depthwise convolution after it, if these and nothing else lead to an output; else nothing."""
    chain = [step]
    if step.kind != "conv" or step.activation.kind != "none":
        return []
    if step.output not in leaves and len(uses[step.output]) == 1 and uses[step.output][0].kind == "depthwise":
        chain.append(uses[step.output][0])
    last = chain[-1]
    ends = last.output in leaves and not uses[last.output] and last.activation.kind == "none"
    return chain if ends else []


def _side_by_side(level: Sequence[Step]) -> Step:
    axis = 0 if level[0].kind == "conv" else 2
    weight: Array = np.concatenate([step.weights["weight"] for step in level], axis=axis)
    bias: Array = np.concatenate([step.weights["bias"] for step in level])
    name = ", ".join(step.name for step in level)
    first, rounded = level[0].quantised, [step.quantised.scales for step in level if step.quantised]
    quantised = replace(first, scales=np.concatenate(rounded)) if first else None
    channels = sum(step.channels for step in level)
    return replace(
        level[0], channels=channels, weights={"weight": weight, "bias": bias}, quantised=quantised, name=name
    )
