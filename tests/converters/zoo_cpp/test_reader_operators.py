"""Small graphs as steps: the corners of each operator, against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="graphs are compared with ONNX Runtime")

from tests.converters.zoo_cpp.graphs import assert_read, graph, kinds, node

RNG = np.random.default_rng(1)


def array(*shape: int) -> Any:
    return RNG.normal(0, 1, shape).astype(np.float32)


def rows(*sizes: int) -> Any:
    return np.array(sizes, np.int64)


TO_ROWS = (node("Transpose", "m", "t", perm=[0, 2, 3, 1]), node("Reshape", "t rows", "y"))
"""From a map ``m`` to ``y``, as the heads of detectors give it."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.onnx"


@pytest.mark.parametrize(
    ("shape", "attributes"),
    [
        ((5, 3, 3, 3), {"pads": [1, 1, 1, 1]}),
        ((5, 3, 3, 3), {"pads": [0, 1, 2, 0], "strides": [2, 1]}),
        ((4, 3, 5, 2), {"strides": [1, 3]}),
        ((4, 3, 3, 3), {"auto_pad": "SAME_LOWER"}),
        ((4, 3, 2, 2), {"auto_pad": "SAME_UPPER"}),
        ((4, 3, 3, 3), {"auto_pad": "VALID"}),
        ((4, 3, 3, 3), {"dilations": [2, 3], "pads": [2, 3, 2, 3]}),
        ((3, 1, 3, 3), {"group": 3, "pads": [1, 1, 1, 1], "dilations": [2, 1], "strides": [2, 2]}),
        ((6, 1, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
    ],
)
@pytest.mark.parametrize("biased", [True, False])
def test_convolutions(path: Path, shape: tuple[int, ...], attributes: dict[str, Any], biased: bool) -> None:
    conv = node("Conv", "x w b" if biased else "x w", "m", **attributes)
    held = {"w": array(*shape), "b": array(shape[0]), "rows": rows(1, -1, shape[0])}
    program = assert_read(graph(path, [conv, *TO_ROWS], held))
    depthwise = shape[0] == attributes.get("group")
    assert kinds(program) == ["depthwise" if depthwise else "conv"]


def test_grouped_convolutions_are_filled_up(path: Path) -> None:
    nodes = [node("Conv", "x v", "a"), node("Conv", "a w", "m", group=2), *TO_ROWS]
    held = {"v": array(6, 3, 1, 1), "w": array(4, 3, 3, 3), "rows": rows(1, -1, 4)}
    program = assert_read(graph(path, nodes, held))
    assert program.steps[1].weights["weight"].shape == (4, 3, 3, 6)


@pytest.mark.parametrize("ceil", [0, 1])
@pytest.mark.parametrize("counted", [0, 1])
@pytest.mark.parametrize(
    ("kernel", "strides", "pads"),
    [((2, 2), (2, 2), (0, 0, 0, 0)), ((3, 3), (2, 2), (1, 1, 1, 1)), ((3, 2), (2, 3), (1, 0, 0, 1))],
)
@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
def test_poolings(path: Path, kind: str, kernel: Any, strides: Any, pads: Any, counted: int, ceil: int) -> None:
    more = {"count_include_pad": counted} if kind == "AveragePool" else {}
    pool = node(kind, "x", "m", kernel_shape=kernel, strides=strides, pads=pads, ceil_mode=ceil, **more)
    sizes = ((17, 12), (40, 31), (6, 7), (8, 8))
    assert_read(graph(path, [pool, *TO_ROWS], {"rows": rows(1, -1, 3)}, opset=19), sizes)


def test_pads_go_into_what_follows(path: Path) -> None:
    nodes = [
        node("Pad", "x ends", "a"),
        node("Conv", "a w", "b", strides=[2, 2]),
        node("Pad", "b ends", "c"),
        node("AveragePool", "c", "m", kernel_shape=[2, 2]),
        *TO_ROWS,
    ]
    held = {"ends": rows(0, 0, 1, 0, 0, 0, 2, 1), "w": array(4, 3, 3, 3), "rows": rows(1, -1, 4)}
    program = assert_read(graph(path, nodes, held))
    assert [step.window.pads for step in program.steps] == [(1, 0, 2, 1), (1, 0, 2, 1)]
    assert program.steps[1].padded


@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 3, 1, 1), (1,), (1, 1, 1)])
def test_slopes(path: Path, shape: tuple[int, ...]) -> None:
    nodes = [node("PRelu", "x s", "m"), *TO_ROWS]
    program = assert_read(graph(path, nodes, {"s": array(*shape), "rows": rows(1, -1, 3)}))
    assert kinds(program) == ["activation+prelu" if 3 in shape else "activation+leaky"]


@pytest.mark.parametrize(
    ("kind", "order"),
    [("Div", "x c"), *((kind, order) for kind in ("Add", "Sub", "Mul") for order in ("x c", "c x"))],
)
@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 3, 1, 1), ()])
def test_arithmetic_with_what_is_known(path: Path, kind: str, order: str, shape: tuple[int, ...]) -> None:
    nodes = [node(kind, order, "m"), *TO_ROWS]
    assert kinds(assert_read(graph(path, nodes, {"c": array(*shape), "rows": rows(1, -1, 3)}))) == ["affine"]


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul"])
@pytest.mark.parametrize("order", ["a v", "v a", "a x", "x a"])
def test_arithmetic_of_maps(path: Path, kind: str, order: str) -> None:
    nodes = [node("Conv", "x w", "a"), node("GlobalAveragePool", "a", "v"), node(kind, order, "m"), *TO_ROWS]
    assert_read(graph(path, nodes, {"w": array(3, 3, 1, 1), "rows": rows(1, -1, 3)}))


@pytest.mark.parametrize(
    ("nodes", "wanted"),
    [
        ([node("Relu", "x", "m")], "relu"),
        ([node("Sigmoid", "x", "m")], "sigmoid"),
        ([node("LeakyRelu", "x", "m", alpha=0.3)], "leaky"),
        ([node("Abs", "x", "m")], "leaky"),
        ([node("Clip", "x low high", "m")], "clip"),
        ([node("Clip", "x low", "m")], "clip"),
        ([node("Clip", "x - high", "m")], "clip"),
        ([node("Relu", "x", "a"), node("Min", "a high", "m")], "clip"),
        ([node("Max", "zero x", "m")], "relu"),
    ],
)
def test_activations(path: Path, nodes: list[Any], wanted: str) -> None:
    held = {"low": np.float32(-0.5), "high": np.float32(0.7), "zero": np.float32(0), "rows": rows(1, -1, 3)}
    assert kinds(assert_read(graph(path, [*nodes, *TO_ROWS], held))) == [f"activation+{wanted}"]


def norm(channels: int) -> dict[str, Any]:
    return {"g": array(channels), "s": array(channels), "u": array(channels), "v": array(channels) ** 2 + 0.1}


def test_what_follows_a_convolution_becomes_part_of_it(path: Path) -> None:
    nodes = [
        node("Conv", "x w", "a", pads=[1, 1, 1, 1]),
        node("BatchNormalization", "a g s u v", "b", epsilon=1e-3),
        node("Mul", "b two", "c"),
        node("Relu", "c", "m"),
        *TO_ROWS,
    ]
    held = {"w": array(4, 3, 3, 3), "two": np.float32(2), "rows": rows(1, -1, 4), **norm(4)}
    assert kinds(assert_read(graph(path, nodes, held))) == ["conv+relu"]


@pytest.mark.parametrize("padded", [0, 1])
def test_a_norm_goes_into_the_next_convolution_only_without_pads(path: Path, padded: int) -> None:
    nodes = [node("BatchNormalization", "x g s u v", "a"), node("Conv", "a w b", "m", pads=[padded] * 4), *TO_ROWS]
    held = {"w": array(4, 3, 3, 3), "b": array(4), "rows": rows(1, -1, 4), **norm(3)}
    program = assert_read(graph(path, nodes, held))
    assert kinds(program) == (["affine", "conv"] if padded else ["conv"])


def test_a_factor_alone_goes_into_a_padded_convolution(path: Path) -> None:
    nodes = [node("Mul", "x f", "a"), node("Conv", "a w", "m", group=3, pads=[1, 1, 1, 1]), *TO_ROWS]
    held = {"f": array(3, 1, 1), "w": array(3, 1, 3, 3), "rows": rows(1, -1, 3)}
    assert kinds(assert_read(graph(path, nodes, held))) == ["depthwise"]


def test_what_others_read_stays(path: Path) -> None:
    nodes = [
        node("Conv", "x w", "a"),
        node("Relu", "a", "b"),
        node("Add", "a b", "m"),
        *TO_ROWS,
        node("Transpose", "a", "z", perm=[0, 2, 3, 1]),
    ]
    held = {"w": array(4, 3, 1, 1), "rows": rows(1, -1, 4)}
    program = assert_read(graph(path, nodes, held, outputs="y z"))
    assert kinds(program) == ["conv", "activation+relu", "add"]


def test_a_spelt_out_prelu_is_one(path: Path) -> None:
    nodes = [
        node("Conv", "x w", "c"),
        node("Relu", "c", "p"),
        node("Abs", "c", "a"),
        node("Sub", "c a", "d"),
        node("Mul", "d s", "e"),
        node("Mul", "e half", "f"),
        node("Add", "p f", "m"),
        *TO_ROWS,
    ]
    held = {"w": array(4, 3, 1, 1), "s": array(4, 1, 1), "half": np.float32(0.5), "rows": rows(1, -1, 4)}
    assert kinds(assert_read(graph(path, nodes, held))) == ["conv+prelu"]


def test_an_activation_goes_before_a_concat(path: Path) -> None:
    nodes = [
        node("Conv", "x w", "a"),
        node("Conv", "x v", "b"),
        node("Concat", "a b", "c", axis=1),
        node("PRelu", "c s", "m"),
        *TO_ROWS,
    ]
    held = {"w": array(4, 3, 1, 1), "v": array(2, 3, 1, 1), "s": array(6, 1, 1), "rows": rows(1, -1, 6)}
    assert kinds(assert_read(graph(path, nodes, held))) == ["conv+prelu", "conv+prelu", "concat"]


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_group_norm(path: Path, groups: int) -> None:
    nodes = [
        node("Conv", "x w", "a"),
        node("Reshape", "a grouped", "b"),
        node("InstanceNormalization", "b ones zeros", "c", epsilon=1e-3),
        node("Shape", "a", "shape"),
        node("Reshape", "c shape", "d"),
        node("Mul", "d g", "e"),
        node("Add", "e s", "f"),
        node("Relu", "f", "m"),
        *TO_ROWS,
    ]
    held = {"w": array(6, 3, 1, 1), "grouped": rows(0, groups, -1), "g": array(6, 1, 1), "s": array(6, 1, 1)}
    held |= {"ones": np.ones(groups, np.float32), "zeros": np.zeros(groups, np.float32), "rows": rows(1, -1, 6)}
    program = assert_read(graph(path, nodes, held))
    assert kinds(program) == ["conv", "groupnorm+relu"]
    assert program.steps[1].groups == groups


@pytest.mark.parametrize("how", [("asymmetric", "floor"), ("half_pixel", "round_prefer_floor")])
@pytest.mark.parametrize("scale", [2, 3])
def test_resize_by_a_number(path: Path, how: tuple[str, str], scale: int) -> None:
    more = {"coordinate_transformation_mode": how[0], "nearest_mode": how[1]}
    nodes = [node("Resize", "x - scales", "m", **more), *TO_ROWS]
    held = {"scales": np.array([1, 1, scale, scale], np.float32), "rows": rows(1, -1, 3)}
    program = assert_read(graph(path, nodes, held))
    assert [(step.kind, step.scale, len(step.inputs)) for step in program.steps] == [("resize", scale, 1)]


@pytest.mark.parametrize(("kind", "opset"), [("Upsample", 7), ("Upsample", 9), ("Resize", 10), ("Resize", 13)])
def test_resize_in_older_words(path: Path, kind: str, opset: int) -> None:
    scales = {"scales": np.array([1, 1, 2, 2], np.float32), "rows": rows(1, -1, 3)}
    how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"} if opset > 10 else {}
    how |= {"scales": [1.0, 1.0, 2.0, 2.0]} if opset == 7 else {}
    operands = "x" if opset == 7 else "x scales" if opset < 11 else "x - scales"
    program = assert_read(graph(path, [node(kind, operands, "m", **how), *TO_ROWS], scales, opset=opset))
    assert [(step.kind, step.scale) for step in program.steps] == [("resize", 2)]


def test_resize_to_the_size_of_a_map(path: Path) -> None:
    nodes = [
        node("MaxPool", "x", "small", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Shape", "x", "shape"),
        node("Shape", "small", "little"),
        node("Slice", "shape two four", "last"),
        node("Slice", "little zero two", "first"),
        node("Concat", "first last", "size", axis=0),
        node("Resize", "small - - size", "r", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        node("Add", "r x", "m"),
        *TO_ROWS,
    ]
    held = {"zero": rows(0), "two": rows(2), "four": rows(4), "rows": rows(1, -1, 3)}
    program = assert_read(graph(path, nodes, held))
    assert kinds(program) == ["maxpool", "resize", "add"]
    assert program.steps[1].inputs == (1, 0)


def test_resize_at_multiples_is_by_a_number(path: Path) -> None:
    nodes = [node("MaxPool", "x", "s", kernel_shape=[2, 2], strides=[2, 2]), node("Shape", "x", "size")]
    nodes += [node("Resize", "s - - size", "m", coordinate_transformation_mode="asymmetric", nearest_mode="floor")]
    program = assert_read(graph(path, [*nodes, *TO_ROWS], {"rows": rows(1, -1, 3)}), ((32, 64),), multiple=32)
    assert (program.steps[1].scale, program.multiple) == (2, 32)


@pytest.mark.parametrize("axis", [1, -1])
def test_heads_are_rows_one_after_the_other(path: Path, axis: int) -> None:
    nodes = [
        node("Conv", "x w", "a"),
        node("Conv", "x w", "b", strides=[2, 2]),
        *(node("Transpose", n, f"t{n}", perm=[0, 2, 3, 1]) for n in "ab"),
        *(node("Reshape", f"t{n} rows", f"r{n}") for n in "ab"),
        node("Concat", "ra rb", "c", axis=1),
        node("Softmax", "c", "s", axis=-1 if axis < 0 else 2),
        node("Squeeze", "s zero", "y"),
    ]
    held = {"w": array(6, 3, 1, 1), "rows": rows(1, -1, 2), "zero": rows(0)}
    program = assert_read(graph(path, nodes, held))
    assert sorted(kinds(program)) == ["conv", "conv", "softmax", "softmax"]
    assert [(len(output.values), output.columns) for output in program.outputs] == [(2, 2)]


def test_rows_of_the_older_kind(path: Path) -> None:
    nodes = [node("Conv", "x w", "a"), node("Transpose", "a", "t", perm=[2, 3, 0, 1]), node("Reshape", "t rows", "s")]
    nodes += [node("Sigmoid", "s", "y")]
    program = assert_read(graph(path, nodes, {"w": array(8, 3, 1, 1), "rows": rows(-1, 4)}))
    assert kinds(program) == ["conv+sigmoid"]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_layer_of_all_numbers_is_a_convolution_over_the_whole_map(path: Path, layout: str) -> None:
    nodes = [node("Conv", "x w", "a", pads=[1, 1, 1, 1])]
    nodes += [node("Transpose", "a", "t", perm=[0, 2, 3, 1])] if layout == "NHWC" else [node("Identity", "a", "t")]
    nodes += [node("Flatten", "t", "f"), node("Gemm", "f g b", "h", alpha=0.5, beta=2.0)]
    nodes += [node("MatMul", "h k", "i"), node("Add", "i b", "j"), node("Softmax", "j", "y", axis=1)]
    held = {"w": array(4, 3, 3, 3), "g": array(4 * 6 * 5, 7), "b": array(7), "k": array(7, 7)}
    program = assert_read(graph(path, nodes, held, (1, 3, 6, 5)))
    assert (kinds(program), program.fixed) == (["conv", "conv", "conv", "softmax"], (5, 6))
    assert program.steps[1].window.kernel == (6, 5)


@pytest.mark.parametrize(
    "means",
    [
        [node("GlobalAveragePool", "x", "p"), node("Flatten", "p", "y")],
        [node("ReduceMean", "x", "y", axes=[2, 3], keepdims=0)],
        [node("ReduceMean", "x", "p", axes=[3], keepdims=0), node("ReduceMean", "p", "y", axes=[2], keepdims=0)],
        [node("ReduceMean", "x", "p", axes=[2]), node("ReduceMean", "p", "q", axes=[-1]), node("Flatten", "q", "y")],
    ],
)
def test_means(path: Path, means: list[Any]) -> None:
    assert kinds(assert_read(graph(path, means, {}))) == ["mean"]


def test_channels_are_taken_apart_and_joined(path: Path) -> None:
    nodes = [
        node("Conv", "x w", "a"),
        node("Split", "a sizes", "b c", axis=1),
        node("Slice", "c one three axis", "d"),
        node("Concat", "d b", "m", axis=1),
        *TO_ROWS,
    ]
    held = {"w": array(6, 3, 1, 1), "sizes": rows(2, 4), "one": rows(1), "three": rows(3), "axis": rows(1)}
    program = assert_read(graph(path, nodes, {**held, "rows": rows(1, -1, 4)}))
    assert kinds(program).count("concat") == 1


@pytest.mark.parametrize("spelt", [True, False])
def test_vectors_of_length_one(path: Path, spelt: bool) -> None:
    nodes = [node("GlobalAveragePool", "x", "p"), node("Flatten", "p", "f")]
    if spelt:
        nodes += [node("ReduceL2", "f", "l", axes=[1]), node("Clip", "l low", "k"), node("Shape", "f", "s")]
        nodes += [node("Expand", "k s", "e"), node("Div", "f e", "y")]
    else:
        nodes += [node("LpNormalization", "f", "y", axis=1)]
    assert kinds(assert_read(graph(path, nodes, {"low": np.float32(1e-12)}))) == ["mean", "unit"]


def test_channels_may_come_last_and_images_be_several(path: Path) -> None:
    nodes = [
        node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
        node("Conv", "t w", "a"),
        node("Transpose", "a", "b", perm=[0, 2, 3, 1]),
        node("Add", "b c", "d"),
        node("Reshape", "d rows", "y"),
    ]
    held = {"w": array(4, 3, 1, 1), "c": array(4), "rows": rows(2, -1, 4)}
    assert kinds(assert_read(graph(path, nodes, held, (2, 8, 6, 3)))) == ["conv"]
