"""Making one step of several: what an ONNX writer spells out, a generated program does at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zoo_cpp.program import Activation, Output, Step

Floats = NDArray[np.float64]
_DEPTH = 12
"""Steps back that are looked for a common origin of the two inputs of an addition."""
_FUSING = ("conv", "depthwise", "add", "mul", "affine", "groupnorm")
"""Kinds of steps that an activation can be part of."""


@dataclass
class _Graph:
    """Steps by the value that they make, in order, and the outputs."""

    steps: dict[int, Step]
    outputs: Sequence[Output]

    def __post_init__(self) -> None:
        self._sized = [step.output for step in self.steps.values() if step.kind == "resize" and len(step.inputs) > 1]

    def uses(self) -> Counter[int]:
        """How many steps and outputs read each value. One that gives its size alone does not count."""
        read = [value for step in self.steps.values() for value in _read(step)]
        return Counter([*read, *(value for output in self.outputs for value in output.values)])

    def only_user(self) -> dict[int, Step]:
        """The one step that reads a value, for values that are no outputs and that one step reads once."""
        uses = self.uses()
        kept = {value for output in self.outputs for value in output.values}
        return {
            value: step
            for step in self.steps.values()
            for value in _read(step)
            if uses[value] == 1 and value not in kept
        }

    def put(self, step: Step, gone: int, instead: int) -> None:
        """Replace the step that makes `step.output`; steps that take the size of `gone` take that of `instead`."""
        if gone in self.steps and gone != step.output:
            del self.steps[gone]
        self.steps[step.output] = step
        for value in self._sized:
            other = self.steps.get(value)
            if other and other.inputs[1:] == (gone,):
                self.steps[value] = replace(other, inputs=(other.inputs[0], instead))


def fuse(steps: Sequence[Step], outputs: Sequence[Output]) -> tuple[tuple[Step, ...], tuple[Output, ...]]:
    """The same network in fewer steps, numbered anew. Where a factor moves into a weight it is multiplied in double
    precision, so that the outputs change by rounding alone."""
    graph = _Graph({step.output: step for step in steps}, outputs)
    _drop_unused(graph)
    rules: Sequence[Callable[[_Graph], bool]] = (_after, _kinks, _before, _activations, _joined)
    while any(rule(graph) for rule in rules):
        _drop_unused(graph)
    return _numbered(graph)


def _read(step: Step) -> tuple[int, ...]:
    return step.inputs[:1] if step.kind == "resize" else step.inputs


def _drop_unused(graph: _Graph) -> None:
    wanted = {value for output in graph.outputs for value in output.values}
    for step in reversed(list(graph.steps.values())):
        if step.output in wanted:
            wanted.update(step.inputs)
        else:
            del graph.steps[step.output]


def _numbered(graph: _Graph) -> tuple[tuple[Step, ...], tuple[Output, ...]]:
    """Steps in an order in which each has its inputs, and values counted from 1 in that order."""
    order = _sorted(graph.steps)
    number = {0: 0} | {step.output: i + 1 for i, step in enumerate(order)}
    steps = [replace(s, output=number[s.output], inputs=tuple(number[v] for v in s.inputs)) for s in order]
    outputs = [replace(output, values=tuple(number[v] for v in output.values)) for output in graph.outputs]
    return tuple(steps), tuple(outputs)


def _sorted(steps: dict[int, Step]) -> list[Step]:
    done: dict[int, Step] = {}
    for step in steps.values():
        waiting = [step]
        while waiting:
            missing = [v for v in waiting[-1].inputs if v and v not in done]
            if missing:
                waiting.append(steps[missing[0]])
            else:
                last = waiting.pop()
                done[last.output] = last
    return list(done.values())


def _doubles(step: Step, name: str) -> Floats:
    return step.weights[name].astype(np.float64)


def _with(step: Step, **weights: Floats) -> Step:
    return replace(step, weights=dict(step.weights) | {n: a.astype(np.float32) for n, a in weights.items()})


def _after(graph: _Graph) -> bool:
    """Scale and shift behind a convolution, a group norm or another scale and shift become part of it."""
    changed = False
    for value, step in reversed(graph.only_user().items()):  # of many scales each is multiplied, not the weights
        maker = graph.steps.get(value)
        if step.kind != "affine" or maker is None or maker.activation.kind != "none" or step.output not in graph.steps:
            continue
        if merged := _scaled(maker, graph.steps[step.output]):
            graph.put(replace(merged, output=step.output, activation=step.activation), value, step.output)
            changed = True
    return changed


def _scaled(maker: Step, step: Step) -> Step | None:
    """`maker` with the scale and shift of `step` behind it."""
    scale, shift = _doubles(step, "scale"), _doubles(step, "shift")
    if maker.kind in ("affine", "groupnorm"):
        return _with(maker, scale=_doubles(maker, "scale") * scale, shift=_doubles(maker, "shift") * scale + shift)
    if maker.kind not in ("conv", "depthwise"):
        return None
    spread = scale[:, None, None, None] if maker.kind == "conv" else scale
    return _with(maker, weight=_doubles(maker, "weight") * spread, bias=_doubles(maker, "bias") * scale + shift)


def _before(graph: _Graph) -> bool:
    """Scale and shift before a convolution become part of it: a shift only where there are no pads, which are zeros
    behind it."""
    changed = False
    for value, user in graph.only_user().items():
        maker, step = graph.steps.get(value), graph.steps.get(user.output)
        if maker is None or step is None or maker.kind != "affine" or maker.activation.kind != "none":
            continue
        if step.kind not in ("conv", "depthwise") or (any(step.window.pads) and maker.weights["shift"].any()):
            continue
        scale, shift = _doubles(maker, "scale"), _doubles(maker, "shift")
        weight = _doubles(step, "weight")
        sums = (weight * shift).sum(axis=(1, 2, 3) if step.kind == "conv" else (0, 1))
        merged = _with(step, weight=weight * scale, bias=_doubles(step, "bias") + sums)
        graph.put(replace(merged, inputs=maker.inputs), value, maker.inputs[0])
        changed = True
    return changed


def _activations(graph: _Graph) -> bool:
    """An activation becomes part of the step whose numbers it takes."""
    changed = False
    for value, user in graph.only_user().items():
        maker, step = graph.steps.get(value), graph.steps.get(user.output)
        if maker is None or step is None or step.kind != "activation" or maker.kind not in (*_FUSING, "activation"):
            continue
        if both := _composed(maker.activation, step.activation):
            graph.put(replace(maker, output=step.output, activation=both), value, step.output)
            changed = True
    return changed


def _joined(graph: _Graph) -> bool:
    """An activation behind a concat goes before it, where each of the joined maps has a step to become part of."""
    for value, step in graph.only_user().items():
        concat, users = graph.steps.get(value), graph.only_user()
        if step.kind != "activation" or concat is None or concat.kind != "concat":
            continue
        makers = [graph.steps.get(v) for v in concat.inputs]
        if not all(m and m.output in users and m.kind in _FUSING and m.activation.kind == "none" for m in makers):
            continue
        start = 0
        for maker in filter(None, makers):
            own = _part(step.activation, start, start + maker.channels)
            graph.put(replace(maker, activation=own), -1, -1)
            start += maker.channels
        graph.put(replace(concat, output=step.output), value, step.output)
        return True
    return False


def _part(activation: Activation, start: int, stop: int) -> Activation:
    """The activation of some of the channels."""
    return activation if activation.slopes is None else replace(activation, slopes=activation.slopes[start:stop])


def _composed(first: Activation, second: Activation) -> Activation | None:
    """One activation that does what the two do one after the other."""
    if first.kind == "none":
        return second
    bounds = [(max(0.0, a.low), a.high) if a.kind == "clip" else (0.0, np.inf) for a in (first, second)]
    kinds = {first.kind, second.kind}
    if kinds == {"relu"}:
        return first
    if kinds == {"relu", "clip"} and bounds[0][0] <= bounds[1][1] and bounds[1][0] <= bounds[0][1]:
        clip = first if first.kind == "clip" else second
        return Activation("clip", low=max(0.0, clip.low), high=clip.high)
    return None


def _kinks(graph: _Graph) -> bool:
    """A sum of a map with its own rectified self, as writers without a PReLU spell one out, becomes that PReLU."""
    changed = False
    for step in list(graph.steps.values()):
        if step.kind != "add" or step.activation.kind != "none":
            continue
        (base, above, below), (other, *more) = (_slopes(graph, value, step.channels, _DEPTH) for value in step.inputs)
        above, below = above + more[0], below + more[1]
        if base != other or (above != 1).any():
            continue
        slopes = Activation("prelu", slopes=below.astype(np.float32))
        graph.put(replace(step, kind="activation", inputs=(base,), activation=slopes), -1, -1)
        changed = True
    return changed


def _slopes(graph: _Graph, value: int, channels: int, depth: int) -> tuple[int, Floats, Floats]:
    """The earliest value that `value` is made of by bending at 0 alone, and the slopes above and below 0."""
    one = np.ones(channels)
    step = graph.steps.get(value)
    if step is None or depth == 0 or step.channels != channels:
        return value, one, one
    if step.kind == "activation" and (below := _below(step.activation)) is not None:
        base, above, under = _slopes(graph, step.inputs[0], channels, depth - 1)
        if (above == 1).all() and (under == 1).all():
            return base, one, one * below
    if step.activation.kind != "none":
        return value, one, one
    if step.kind == "affine" and not step.weights["shift"].any():
        scale = _doubles(step, "scale")
        base, above, under = _slopes(graph, step.inputs[0], channels, depth - 1)
        return base, above * scale, under * scale
    if step.kind == "add":
        first, second = (_slopes(graph, v, channels, depth // 2) for v in step.inputs)
        if first[0] == second[0]:
            return first[0], first[1] + second[1], first[2] + second[2]
    return value, one, one


def _below(activation: Activation) -> Floats | float | None:
    """The slope below 0 of an activation that is the identity above."""
    if activation.kind == "relu":
        return 0.0
    if activation.kind == "leaky":
        return activation.slope
    return None if activation.slopes is None else activation.slopes.astype(np.float64)
