"""What the reader of ONNX refuses, with one sentence, at once and without taking the memory that a file asks for."""

from __future__ import annotations

import random
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from zoo_cpp.reader import read, unsupported

from tests.converters.driving import Tried
from tests.converters.zoo_cpp.graphs import card, graph, node
from tests.models.conftest import tiny_onnx
from zoo.errors import ModelError

WEIGHT = np.ones((4, 3, 3, 3), np.float32)
CONV = node("Conv", "x w", "m", pads=[1, 1, 1, 1])
FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
HEAD = node("Transpose", "m", "y", perm=[0, 2, 3, 1])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.onnx"


def refusal(path: Path, name: str = "retinaface_mnet025", **preprocess: Any) -> str:
    """The one sentence with which the file is refused, quickly and in little memory."""
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(ModelError) as caught:
        read(path, card(name, **preprocess))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.perf_counter() - began < 20
    assert peak < 1 << 30, f"{peak:,} bytes"
    said = str(caught.value)
    assert said.startswith(str(path))
    assert said.endswith(".")
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([node("Erf", "x", "m"), HEAD], "the node 'the_m' (Erf) is an operator that is not supported"),
        ([CONV, node("Exp", "m", "e"), node("Transpose", "e", "y")], "(Exp) is an operator that is not supported on"),
        ([node("Conv", "x x", "m"), HEAD], "'the_m' (Conv) has weights that depend on the image"),
        ([node("Conv", "x gone", "m"), HEAD], "is damaged: the node 'the_m' (Conv) needs 'gone', which nothing"),
        ([node("Add", "x n", "m"), node("Relu", "m", "n"), HEAD], "needs 'n', which nothing before it makes"),
        ([CONV, CONV, HEAD], "makes what is already there"),
        ([node("Conv", "x w", "m", strides=[0, 1]), HEAD], "(Conv) has a kernel, stride or dilation of 0"),
        ([node("Conv", "x w", "m", group=2), HEAD], "has a weight of shape (4, 3, 3, 3) for 3 channels in 2 groups"),
        ([node("Conv", "x w", "m", pads=[-1, 0, 0, 0]), HEAD], "(Conv) has the pads (-1, 0, 0, 0)"),
        ([node("Conv", "x w", "m", strides=[1]), HEAD], "has unfit attributes or operands"),
        ([node("MaxPool", "x", "m"), HEAD], "has unfit attributes or operands"),
        ([node("Reshape", "x seven", "y")], "(Reshape) makes the shape (7,) of another number of elements"),
        ([CONV, node("Reshape", "m two", "y")], "whose rows are not those of the maps"),
        ([node("Transpose", "x", "t", perm=[0, 1, 3, 2]), node("Conv", "t w", "y")], "a tensor of another layout"),
        ([node("Softmax", "x", "m", axis=2), HEAD], "(Softmax) is a softmax over something else than neighbouring"),
        ([CONV, node("Add", "m x", "y")], "(Add) combines maps of the shapes"),
        ([node("Add", "x row", "m"), HEAD], "(Add) combines a map with an array of shape (4,)"),
        ([node("Resize", "x - half", "m", **FLOOR), HEAD], "which is neither a multiple nor the size of another map"),
        ([node("Resize", "x - twice", "m", mode="linear"), HEAD], "is not a resize by the nearest neighbour"),
        ([node("Pad", "x ends", "p"), node("Relu", "p", "m"), HEAD], "(Relu) follows a Pad"),
        ([node("MaxPool", "x", "m i", kernel_shape=[2, 2]), HEAD], "(MaxPool) has several outputs"),
        ([CONV], "is damaged: nothing makes its output 'y' of the image"),
        ([CONV, node("Identity", "w", "y")], "is damaged: nothing makes its output 'y' of the image"),
        ([CONV, node("Identity", "m", "y")], "has an output 'y' of the shape (1, 4, "),
    ],
)
def test_what_cannot_be_read_is_named(path: Path, nodes: list[Any], said: str) -> None:
    held = {
        "w": WEIGHT,
        "seven": np.array([7]),
        "two": np.array([1, 2, -1]),
        "row": np.ones(4, np.float32),
        "half": np.array([1, 1, 0.5, 0.5], np.float32),
        "twice": np.array([1, 1, 2, 2], np.float32),
        "ends": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    }
    assert said in refusal(graph(path, nodes, held))


def test_operators_are_named_at_once(path: Path) -> None:
    nodes = [node("Erf", "x", "a"), node("Conv", "a w", "b"), node("Tan", "b", "y")]
    nodes.append(helper.make_node("Relu", ["b"], ["c"], domain="com.example"))
    assert unsupported(graph(path, nodes, {"w": WEIGHT})) == ("Erf", "Relu", "Tan")
    assert unsupported(graph(path, [CONV, HEAD], {"w": WEIGHT})) == ()


@pytest.mark.parametrize("data", [b"", b"\x08", b"\x08\x08not a model", bytes(1000)])
def test_what_is_no_model_is_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    assert "is damaged or not an ONNX model" in refusal(path)
    with pytest.raises(ModelError, match="is damaged or not an ONNX model"):
        unsupported(path)
    with pytest.raises(ModelError, match=r"nothing\.onnx"):
        read(path.parent / "nothing.onnx", card())


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((1, 3, 1 << 40, 1 << 40), "has an input of 1099511627776x1099511627776 pixels"),
        ((1, 3, 1 << 14, 1 << 14), "has an input of 16384x16384 pixels"),
        ((1, 1 << 40, 8, 8), "has an input of 8x8 pixels"),
        ((1, 3, 64, "w"), "leaves either the height or the width open, and not both"),
        ((1, 3), "has an input of the shape [1, 3], which are no images"),
        ((1, 3, 2, 2), "has a kernel of (3, 3) for a map of 2 x 2"),
    ],
)
def test_inputs_that_are_no_images(path: Path, shape: tuple[Any, ...], said: str) -> None:
    assert said in refusal(graph(path, [node("Conv", "x w", "m"), HEAD], {"w": WEIGHT}, shape))


def test_two_inputs_are_refused(path: Path) -> None:
    model = onnx.load(str(graph(path, [CONV, HEAD], {"w": WEIGHT})))
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1]))
    onnx.save(model, str(path))
    assert "has 2 inputs; one is wanted" in refusal(path)


def test_a_network_that_differs_with_the_size_is_refused(path: Path) -> None:
    nodes = [CONV, node("Shape", "x", "s"), node("Gather", "s two", "h"), node("Cast", "h", "f", to=TensorProto.FLOAT)]
    nodes += [node("Mul", "m f", "n"), node("Transpose", "n", "y", perm=[0, 2, 3, 1])]
    source = graph(path, nodes, {"w": WEIGHT, "two": np.array(2)})
    assert "is another network at 165x101 than at 69x229 at 'the_n'; export it with a fixed size" in refusal(source)
    fixed = graph(path, nodes, {"w": WEIGHT, "two": np.array(2)}, (1, 3, 16, 24))
    assert read(fixed, card()).fixed == (24, 16)


def test_a_network_of_crops_is_read_at_its_own_size(path: Path) -> None:
    nodes = [node("Conv", "x w", "m"), node("Flatten", "m", "f"), node("Gemm", "f g", "y")]
    held = {"w": WEIGHT, "g": np.ones((4 * 110 * 110, 2), np.float32)}
    program = read(graph(path, nodes, held), card("arcface_mbf"))
    assert program.fixed == (112, 112)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("ConstantOfShape", "vast", "c"), node("Add", "x c", "m")],
        [node("Expand", "one vast", "c"), node("Add", "x c", "m")],
        [node("Range", "zero much step", "c"), node("Add", "x c", "m")],
        [node("Add", "tall wide", "c"), node("Add", "x c", "m")],
        [node("Gather", "tall zeros", "c", axis=0), node("Add", "x c", "m")],
        [node("Resize", "x - huge", "m")],
        [node("Pad", "x far", "p"), node("Conv", "p w", "m")],
        [
            node("Conv", "x w", "a"),
            *(
                node("Concat", f"{c} {c}", d, axis=1)
                for c, d in zip("abcdefghijklmnopq", "bcdefghijklmnopqr", strict=True)
            ),
            node("Relu", "r", "m"),
        ],
        [
            node("Concat", "tall tall", "c0", axis=1),
            *(node("Concat", f"c{i} c{i}", f"c{i + 1}", axis=1) for i in range(20)),
            node("Add", "x c20", "m"),
        ],
    ],
)
def test_files_that_ask_for_much_get_nothing(path: Path, nodes: list[Any]) -> None:
    held = {
        "w": WEIGHT,
        "vast": np.array([1 << 20, 1 << 20]),
        "one": np.float32(1),
        "zero": np.float32(0),
        "much": np.float32(1e18),
        "step": np.float32(1),
        "tall": np.ones((1 << 15, 1), np.float32),
        "wide": np.ones((1, 1 << 15), np.float32),
        "zeros": np.zeros((1 << 10, 1 << 9), np.int64),
        "huge": np.array([1, 1, 4000, 4000], np.float32),
        "far": np.array([0, 0, 1 << 40, 0, 0, 0, 0, 0]),
    }
    refusal(graph(path, [*nodes, HEAD], held))


def test_long_chains_are_read_in_good_time(path: Path) -> None:
    chain = [node("Mul", f"c{i} half", f"c{i + 1}") for i in range(4000)]
    nodes = [node("Conv", "x w", "c0"), *chain, node("Transpose", "c4000", "y", perm=[0, 2, 3, 1])]
    began = time.perf_counter()
    assert len(read(graph(path, nodes, {"w": WEIGHT, "half": np.float32(1.0)}), card()).steps) == 1
    assert time.perf_counter() - began < 20
    longer = [node("Relu", "x", "r0"), *(node("Relu", f"r{i}", f"r{i + 1}") for i in range(10_000))]
    assert "more than any network here" in refusal(graph(path, longer, {}))


def test_arrays_that_are_not_there(path: Path) -> None:
    model = onnx.load(str(graph(path, [CONV, HEAD], {"w": WEIGHT})))
    model.graph.initializer[0].dims[:] = [1 << 20, 3, 1 << 10, 1 << 10]
    onnx.save(model, str(path))
    assert "has a damaged array 'w'" in refusal(path)


def test_mutilated_files_are_read_or_refused(tmp_path: Path) -> None:
    whole, rng = tiny_onnx(tmp_path / "whole.onnx").read_bytes(), random.Random(0)
    path = tmp_path / "net.onnx"
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data[: rng.choice((len(data), len(data), rng.randrange(len(data))))])
        Tried.count += 1
        for function in (lambda: read(path, card()), lambda: unsupported(path)):
            try:
                function()
            except ModelError as error:
                assert "\n" not in str(error)
