"""In which order and where in memory steps are carried out: fewer of them, each after what it needs, and no value in
the memory of another that is still wanted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from zoo_cpp.merging import merge
from zoo_cpp.plain import UNFILLED, plain
from zoo_cpp.program import Program, Step
from zoo_cpp.reader import read
from zoo_cpp.reference import evaluate
from zoo_cpp.schedule import FIRST, HEAVY, WHOLE, Chain, schedule, shapes
from zoo_cpp.tables import MAX_WINDOW, literal, tables

from tests.converters.zoo_cpp.programs import Net, pictures, planned
from tests.converters.zoo_cpp.test_engine import CASES
from tests.converters.zoo_cpp.test_reader_networks import REAL
from zoo.errors import ModelError
from zoo.plugins import catalogue


@pytest.fixture(params=[*CASES, *REAL])
def program(request: pytest.FixtureRequest) -> Program:
    if request.param in CASES:
        return CASES[request.param]()
    fixtures: Path = request.getfixturevalue("fixtures")
    return read(fixtures / request.param, catalogue().cards[REAL[request.param]])


def reads(chain: Chain) -> Iterator[int]:
    for step in chain.steps:
        yield from step.inputs
    for part in chain.parts:
        yield part.value


def test_values_in_one_piece_of_memory_are_never_wanted_at_the_same_time(program: Program) -> None:
    plan = planned(program)
    last = {value: index for index, chain in enumerate(plan.chains) for value in reads(chain)}
    held: dict[int, int] = {}
    slots = {value: plan.values[number].slot for value, number in plan.numbers.items()}
    held[slots[0]] = last.get(0, -1)
    for index, chain in enumerate(plan.chains):
        for step in chain.steps:
            if (slot := slots[step.output]) >= 0:
                assert held.get(slot, -1) < index, f"{step.name} overwrites a value"
                held[slot] = last.get(step.output, index)
    assert {slot for slot in slots.values() if slot >= 0} == set(range(plan.slots))


def test_chains_keep_the_order_and_what_others_want(program: Program) -> None:
    plan = planned(program)
    merged = merge(program)
    assert sorted(step.output for chain in plan.chains for step in chain.steps) == sorted(
        s.output for s in merged.steps
    )
    assert {part.rank: part for chain in plan.chains for part in chain.parts} == {
        part.rank: part for part in merged.parts
    }
    whole = {0}
    for chain in plan.chains:
        made = set[int]()
        for position, step in enumerate(chain.steps):
            assert set(step.inputs) <= whole | made, f"{step.name} comes before what it needs"
            assert position == 0 or step.kind not in WHOLE + FIRST
            assert len(chain.steps) == 1 or step.kind not in WHOLE
            made = {step.output}  # of what lies further back in the chain no rows are kept
        assert {part.value for part in chain.parts} <= whole | made
        whole |= {step.output for step in chain.steps if plan.values[plan.numbers[step.output]].slot >= 0}
        assert chain.heavy == (len(chain.steps) == 1 and weighs(chain.steps[0]) > HEAVY)


def weighs(step: Step) -> int:
    return step.weights["weight"].size if step.kind == "conv" and step.quantised is None else 0


def test_outputs_keep_their_rows_in_order(program: Program) -> None:
    merged = merge(program)
    for index, output in enumerate(program.outputs):
        parts = sorted((part for part in merged.parts if part.output == index), key=lambda part: part.rank)
        assert [part.channels for part in parts] == [program.widths[value] for value in output.values]


def test_steps_as_the_engine_has_them_mean_the_same(program: Program) -> None:
    other = plain(program)
    for step in other.steps:
        assert 0 not in step.inputs or step.kind in UNFILLED
        assert step.kind != "groupnorm" or step.activation.kind in ("none", "relu")
        assert step.quantised or step.kind != "conv" or step.weights["weight"].shape[::3] != (1, 1)
    if program.parameters < 1_000_000:
        for image in pictures(program, [(64, 96)]):
            for one, wanted in zip(evaluate(other, image), evaluate(program, image), strict=True):
                np.testing.assert_allclose(one, wanted, rtol=0, atol=1e-5 * max(1.0, float(np.abs(wanted).max())))


def test_shapes_are_those_of_the_maps() -> None:
    program = CASES["resizing"]()
    found = shapes(program.steps, 37, 29)
    for image in pictures(program, [(37, 29)]):
        for output, made in zip(program.outputs, evaluate(program, image), strict=True):
            (value,) = output.values
            assert made.shape == (found[value][0] * found[value][1], program.widths[value])


def test_heads_of_one_map_become_one_convolution() -> None:
    net = Net()
    value = net.conv(0, 24, 3)
    heads = [net.conv(value, channels, 1) for channels in (1, 4, 10)]
    deep = [net.depthwise(net.conv(value, channels, 1), 3, pads=1) for channels in (1, 4)]
    score = net.step("activation", heads[0], activation=net.act("sigmoid", 1))
    program = net.program(score, *heads[1:], *deep)
    merged = merge(program)
    assert [(step.kind, step.channels) for step in merged.steps] == [
        *(("conv", 24), ("conv", 15)),
        *(("conv", 5), ("depthwise", 5)),
    ]
    assert [(part.start, part.channels, part.sigmoid) for part in merged.parts] == [
        *((0, 1, True), (1, 4, False), (5, 10, False)),
        *((0, 1, False), (1, 4, False)),
    ]


@pytest.mark.parametrize("spoilt", ["window", "activation", "used", "input", "rounded"])
def test_convolutions_that_differ_are_not_joined(spoilt: str) -> None:
    net = Net()
    value = net.conv(0, 16, 3)
    first = net.conv(value, 4, 1)
    second = net.conv(net.conv(value, 16, 1) if spoilt == "input" else value, 4, 3 if spoilt == "window" else 1)
    if spoilt == "activation":
        net.steps[-1] = replace(net.steps[-1], activation=net.act("relu", 4))
    if spoilt == "rounded":
        second = net.rounded(value, 4, 1)
    outputs = [first, second] if spoilt != "used" else [first, second, net.conv(second, 3, 3)]
    program = net.program(*outputs)
    assert {first, second} <= {step.output for step in merge(program).steps}


def test_real_networks_become_few_chains(fixtures: Path) -> None:
    program = read(fixtures / "yunet" / "yunet_n_dynamic.onnx", catalogue().cards["yunet_n"])
    plan = schedule(program, 640, 480)
    assert len(plan.chains) < len(program.steps) / 3
    assert sum(value.slot >= 0 for value in plan.values) > plan.slots


@pytest.mark.parametrize("window", ["kernel", "stride", "pads", "dilation"])
def test_windows_beyond_the_tables_are_refused(window: str) -> None:
    for wide, taken in ((MAX_WINDOW, True), (MAX_WINDOW + 1, False)):
        net = Net()
        words = {"kernel": 1} | {window: wide}
        value = net.conv(0, 2, words.pop("kernel"), **words)
        program = net.program(value)
        if taken:
            tables(schedule(program, 640, 480))
            continue
        with pytest.raises(ModelError, match="window"):
            tables(schedule(program, 640, 480))


def test_more_channels_and_steps_than_the_tables_say_are_refused() -> None:
    net = Net()
    wide = net.step("concat", (net.step("concat", (0,) * 1024, 3 << 10),) * 512, 3 << 19)
    with pytest.raises(ModelError, match="channels"):
        tables(planned(net.program(wide)))
    net = Net()
    value = 0
    for _ in range(1 << 14):
        value = net.step("activation", value, 3, activation=net.act("relu", 3))
    with pytest.raises(ModelError, match="steps"):
        tables(planned(net.program(value)))


@pytest.mark.parametrize("number", [0.0, -0.0, 1.0, 0.1, 1e-45, 3.4028235e38, -1.17549435e-38, 1 / 3, 16777216.0])
def test_a_literal_reads_back_as_the_same_number(number: float) -> None:
    text = literal(number)
    assert text.endswith("f")
    assert "." in text or "e" in text
    assert np.float32(text[:-1]).view(np.uint32) == np.float32(number).view(np.uint32)
