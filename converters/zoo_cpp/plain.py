"""Steps as the engine has them, which can do less at once than a program says, and some things more cheaply."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from zoo_cpp.program import Activation, Program, Step

UNFILLED = ("conv", "slice", "concat")
"""Kinds that can read the input, whose pixels have as many numbers as channels; others want blocks filled up."""


def plain(program: Program) -> Program:
    """`program` in steps that the engine has."""
    steps = [one for step in program.steps for one in _split(_by_itself(step), program)]
    return replace(program, steps=_filled(steps, program))


def _by_itself(step: Step) -> Step:
    """A convolution of one channel to one channel is a depthwise one."""
    if step.kind != "conv" or step.weights["weight"].shape[::3] != (1, 1):
        return step
    return replace(step, kind="depthwise", weights={**step.weights, "weight": step.weights["weight"][0]})


def _split(step: Step, program: Program) -> Iterator[Step]:
    """A group normalisation goes channel by channel, and has no activation but the rectifier."""
    if step.kind != "groupnorm" or step.activation.kind in ("none", "relu"):
        yield step
        return
    middle = max(program.widths) + step.output + 1  # a number that no other value has
    yield replace(step, output=middle, activation=Activation())
    yield Step("activation", (middle,), step.output, step.channels, activation=step.activation, name=step.name)


def _filled(steps: list[Step], program: Program) -> tuple[Step, ...]:
    """`steps` with a copy of the input, filled up, for those that cannot read it as it is."""
    if not any(0 in step.inputs and step.kind not in UNFILLED for step in steps):
        return tuple(steps)
    copy = max(step.output for step in steps) + 1
    first = Step("slice", (0,), copy, program.channels, name="input")
    moved = (
        step
        if step.kind in UNFILLED
        else replace(step, inputs=tuple(copy if value == 0 else value for value in step.inputs))
        for step in steps
    )
    return (first, *moved)
