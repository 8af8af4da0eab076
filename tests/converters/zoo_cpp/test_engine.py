"""The generated engine against what each step means in NumPy: every kind of step and activation, at odd sizes, on any
number of threads, and again after other sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from zoo_cpp.program import Array, Program
from zoo_cpp.reference import KINDS, evaluate

from tests.converters.zoo_cpp.building import compilers
from tests.converters.zoo_cpp.programs import Engine, Net, engines, pictures

CLOSE = 1e-5
SIZES = [(37, 29), (19, 41), (64, 7)]
"""Widths and heights; the largest of each are what the handles are made for."""

ACTS = ("none", "relu", "clip", "leaky", "prelu", "sigmoid")


def convolutions() -> Program:
    """Windows, strides, pads on some sides alone, dilation, channels in and out that fill no block, and many."""
    net = Net()
    first = net.conv(0, 19, 3, pads=1, act="relu")
    sides = net.conv(first, 7, (3, 2), pads=(2, 0, 0, 1), stride=(1, 2))
    apart = net.conv(first, 33, 3, pads=(1, 2, 3, 2), dilation=(2, 3), act="leaky")
    even = net.conv(first, 16, (2, 4), stride=(3, 1), pads=(0, 2, 1, 1))
    many = net.conv(apart, 50, 1, stride=2)
    full = net.conv(even, 32, 3, pads=1)
    return net.program(sides, many, net.conv(full, 48, 5, pads=2, stride=2), net.conv(apart, 1, 1))


def heavy() -> Program:
    """Convolutions with more filters than the cache holds, which go by filters: odd numbers of blocks."""
    net = Net(seed=1)
    first = net.conv(0, 70, 3, pads=1, stride=4, act="relu")
    return net.program(net.conv(net.conv(first, 180, 3, pads=1, act="prelu"), 75, 3, pads=(0, 1, 1, 0), stride=2))


def depthwise() -> Program:
    net = Net(seed=2)
    first = net.conv(0, 21, 1)
    values = [
        net.depthwise(first, 3, pads=1, act="relu"),
        net.depthwise(first, 3, pads=(0, 1, 1, 0), stride=2),
        net.depthwise(first, 5, pads=2, stride=(1, 2), act="prelu"),
        net.depthwise(first, (1, 3), pads=(0, 1, 0, 1), stride=3),
        net.depthwise(first, 3, pads=2, dilation=2, act="clip"),
        net.depthwise(first, 3, stride=(3, 1)),
        net.depthwise(net.depthwise(first, (7, 1), pads=(3, 0, 3, 0)), 3, pads=1),
    ]
    return net.program(*values)


def activations() -> Program:
    """Each activation behind each kind of step that has one, and alone."""
    net = Net(seed=3)
    first = net.conv(0, 18, 3, pads=1)
    values = []
    for act in ACTS:
        values += [net.conv(first, 9, 1, act), net.depthwise(first, 3, act, pads=1), net.affine(first, act)]
        values += [net.step(kind, (first, values[-1]), activation=net.act(act, 18)) for kind in ("add", "mul")]
        values += [net.step("activation", first, activation=net.act(act, 18)), net.groupnorm(first, 3, act)]
    return net.program(*values)


def pooling() -> Program:
    """A last window that hangs over, or does not count; pads that count, or do not."""
    net = Net(seed=4)
    first = net.conv(0, 20, 1)
    values = []
    for kind in ("maxpool", "avgpool"):
        for ceil in (False, True):
            for padded in (True, False):
                values.append(net.pool(kind, first, 3, ceil, padded, stride=2, pads=(1, 0, 1, 1)))
                values.append(net.pool(kind, first, (2, 3), ceil, padded, stride=(2, 3)))
                values.append(net.pool(kind, first, 2, ceil, padded, stride=3, pads=1))
    down = net.pool("maxpool", net.conv(first, 24, 3, "relu", stride=2, pads=1), 2, ceil=True, stride=2)
    return net.program(*values, net.conv(down, 5, 3, pads=1), net.step("mean", down))


def arithmetic() -> Program:
    """Two maps, and a map and one pixel; channels that are weighed by what is computed of their mean."""
    net = Net(seed=5)
    first, other = net.conv(0, 22, 3, pads=1), net.conv(0, 22, 1, "relu")
    weighed = net.conv(net.conv(net.step("mean", first), 6, 1, "relu"), 22, 1, "sigmoid")
    one = net.step("mul", (first, weighed))
    two = net.step("add", (other, net.step("mean", other)))
    three = net.step("add", (net.conv(one, 22, 3, pads=1), two), activation=net.act("relu", 22))
    square = net.step("mul", (three, three))
    single = net.step("add", (weighed, net.step("mean", two)))
    for _ in range(2):  # a weight that nothing else wants, which stands first and second
        weight = net.conv(net.step("mean", net.conv(other, 22, 1)), 22, 1, "sigmoid")
        other = net.conv(net.step("mul", (other, weight)), 22, 1, "relu")
    return net.program(other, one, square, net.affine(net.step("add", (two, three)), "relu"), net.conv(single, 4, 1))


def joining() -> Program:
    """Channels side by side, cut out and put together again, normalised in groups."""
    net = Net(seed=6)
    one, two, three = net.conv(0, 5, 1), net.conv(0, 17, 3, pads=1), net.conv(0, 26, 1, "relu")
    both = net.step("concat", (one, two, three, one), 53)
    halves = [net.step("slice", three, 13, start=start) for start in (0, 13)]
    shuffled = net.step("concat", (halves[1], net.depthwise(halves[0], 3, pads=1)), 26)
    soft = net.step("softmax", net.conv(both, 12, 1), columns=4)
    unit = net.step("unit", shuffled, epsilon=1e-12)
    least = net.step("unit", net.step("mean", two), epsilon=100.0)
    chained = net.conv(net.step("concat", (net.conv(both, 9, 3, pads=1), one), 14), 6, 3, pads=1)
    return net.program(both, soft, net.conv(unit, 8, 1), least, chained, net.conv(soft, 3, 1), columns={1: 4})


def norms() -> Program:
    """Groups of any width, over a map whose numbers are far from zero, too."""
    net = Net(seed=7)
    first = net.conv(0, 30, 1)
    values = [
        net.groupnorm(first, groups, act) for groups, act in ((1, "relu"), (2, "none"), (5, "leaky"), (30, "none"))
    ]
    far = net.conv(first, 30, 1)
    net.steps[-1].weights["bias"][:] = 20  # type: ignore[index]
    normal = net.groupnorm(far, 6)
    return net.program(*values, normal, net.conv(net.groupnorm(normal, 3, "relu"), 7, 3, pads=1))


def resizing() -> Program:
    """By a factor, to another map's size, which is a multiple or not, and into an addition, as pyramids do."""
    net = Net(seed=8)
    first = net.conv(0, 18, 3, "relu", stride=2, pads=1)
    second = net.conv(first, 18, 3, "relu", stride=2, pads=1)
    third = net.pool("maxpool", second, 3, stride=3, ceil=True)
    up = net.step("resize", (third, second))
    one = net.step("add", (second, up))
    two = net.step("add", (first, net.step("resize", (one, first))))
    return net.program(
        net.step("resize", third, scale=3), net.conv(two, 4, 3, pads=1), up, net.depthwise(one, 3, pads=1)
    )


def heads() -> Program:
    """Outputs of three levels in order, whose heads are merged: straight, through a depthwise convolution, with
    sigmoid and softmax, in groups of other windows."""
    net, levels, outputs = Net(seed=9), [], list[tuple[int, ...]]()
    value = net.conv(0, 24, 3, "relu", pads=1, stride=2)
    for _ in range(3):
        value = net.conv(value, 24, 3, "relu", pads=1, stride=2)
        score, box, five = (net.conv(value, channels, 1) for channels in (1, 4, 10))
        deep = [net.depthwise(net.conv(value, channels, 1), 3, pads=1) for channels in (1, 4)]
        wide = [net.conv(value, channels, 3, pads=1) for channels in (2, 6)]
        levels.append(
            (
                net.step("activation", score, activation=net.act("sigmoid", 1)),
                box,
                five,
                net.step("activation", deep[0], activation=net.act("sigmoid", 1)),
                deep[1],
                net.step("softmax", wide[0], columns=2),
                net.step("softmax", wide[1], columns=3),
                net.conv(value, 3, 1, "sigmoid"),
            )
        )
    outputs += zip(*levels, strict=True)
    return net.program(*outputs, columns={2: 2, 6: 3})


def reuse() -> Program:
    """Values that are outputs and are used further; one that is two outputs; the input itself."""
    net = Net(seed=10)
    first = net.conv(0, 10, 3, "relu", pads=1)
    second = net.conv(first, 10, 3, "sigmoid", pads=1)
    third = net.step("softmax", net.step("add", (first, second)), columns=5)
    fourth = net.conv(third, 10, 1, "sigmoid")
    return net.program(first, second, (third, fourth, third), fourth, 0, net.conv(0, 2, 1), (fourth, first))


def first_steps() -> Program:
    """Every kind of step straight of the input, whose pixels are not filled up."""
    net = Net(seed=11)
    plain = [net.depthwise(0, 3, pads=1), net.depthwise(0, 5, stride=2), net.depthwise(0, 3, "relu", pads=1, stride=2)]
    plain += [net.pool(kind, 0, 3, stride=2, pads=1) for kind in ("maxpool", "avgpool")]
    plain += [net.step("mean", 0), net.step("resize", 0, scale=2), net.affine(0), net.affine(0, "sigmoid")]
    plain += [net.groupnorm(0, 3), net.step("softmax", 0, columns=3), net.step("unit", 0, epsilon=1e-12)]
    plain += [net.step(kind, (0, 0)) for kind in ("add", "mul")]
    plain += [net.step("activation", 0, activation=net.act("prelu", 3)), net.step("slice", 0, 2, start=1)]
    plain += [net.step("concat", (0, net.conv(0, 4, 1)), 7), net.step("mul", (0, net.step("mean", 0)))]
    return net.program(*plain)


def one_channel() -> Program:
    net = Net(channels=1, seed=12)
    first = net.conv(0, 1, 3, "relu", pads=1)
    return net.program(net.conv(first, 1, 5, stride=2, pads=2), net.conv(net.conv(first, 17, 3, pads=1), 1, 1))


def sixteen_channels() -> Program:
    net = Net(channels=16, seed=13)
    return net.program(
        net.conv(0, 20, 3, pads=1), net.depthwise(0, 3, pads=1), net.step("add", (0, net.conv(0, 16, 1)))
    )


def fully_connected() -> Program:
    """One size alone: the last layer's window is the whole map."""
    net = Net(seed=14)
    value = net.conv(net.conv(0, 40, 3, "relu", stride=2, pads=1), 40, 3, "prelu", stride=2, pads=1)
    value = net.depthwise(net.conv(value, 150, 1), (7, 5))
    features = net.conv(net.conv(value, 64, 1, "sigmoid"), 11, 1)
    whole = net.conv(net.pool("maxpool", net.conv(0, 30, 1), 4, stride=4), 129, (7, 5))
    return net.program(features, net.step("unit", whole, epsilon=1e-12), fixed=(20, 28))


def whole_numbers() -> Program:
    """Convolutions of whole numbers: of the input, of channels that are no multiple of four, with many filters, as
    heads of one map whose numbers are rounded in two ways, beside convolutions of floats."""
    net = Net(seed=15)
    down = net.pool("maxpool", 0, 2, stride=2)
    many = net.step("concat", (down,) * 26, 78)
    heads = [net.rounded(down, channels, 1, zero=zero) for channels, zero in ((1, 100), (4, 100), (10, 90), (2, 100))]
    values = [
        net.rounded(0, 20, 3, "relu", pads=(1, 0, 1, 2), stride=2),
        net.rounded(many, 37, 3, "prelu", pads=1),
        net.rounded(many, 600, 3, "leaky", pads=1, stride=2, zero=0),
        net.depthwise(net.rounded(many, 18, 1, zero=255), 3, pads=1),
        net.rounded(net.step("slice", many, 1, start=5), 1, 3, pads=1),
        net.conv(down, 5, 1),
    ]
    return net.program(*values, *heads)


CASES: dict[str, Callable[[], Program]] = {
    made.__name__: made
    for made in (
        *(convolutions, heavy, depthwise, activations, pooling, arithmetic, joining, norms, resizing, heads, reuse),
        *(first_steps, one_channel, sixteen_channels, fully_connected, whole_numbers),
    )
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Engine]]:
    programs = {name: case() for name, case in CASES.items()}
    built = engines(tmp_path_factory.mktemp("engines"), list(programs.values()), compilers()[0])
    yield dict(zip(programs, built, strict=True))


def assert_close(found: list[Array], wanted: list[Array], program: Program, close: float = CLOSE) -> None:
    for one, other, output in zip(found, wanted, program.outputs, strict=True):
        made = [step.kind for step in program.steps if step.output in output.values]
        assert one.shape == other.shape, (output.name, made)
        limit = close * max(1.0, float(np.abs(other).max()))
        np.testing.assert_allclose(one, other, rtol=0, atol=limit, err_msg=f"{output.name} {made}")


def test_every_kind_of_step_is_tried() -> None:
    assert {step.kind for case in CASES.values() for step in case().steps} == set(KINDS)


@pytest.mark.parametrize("name", CASES)
def test_the_engine_computes_what_the_steps_mean(made: dict[str, Engine], name: str) -> None:
    engine = made[name]
    program = engine.program
    images = list(pictures(program, SIZES))
    largest = [max(image.shape[axis] for image in images) for axis in (1, 0)]
    wanted = [evaluate(program, image) for image in images]
    first = list[list[Array]]()
    for threads in (1, 2, 3):
        with engine.made(*largest, threads) as handle:
            for index in [*range(len(images)), 0, len(images) - 1, 0]:
                found = handle.run(images[index])
                assert_close(found, wanted[index], program)
                if threads == 1 and index == len(first):
                    first.append(found)
                for one, other in zip(found, first[index], strict=True):
                    np.testing.assert_array_equal(one, other, f"{threads} threads")
