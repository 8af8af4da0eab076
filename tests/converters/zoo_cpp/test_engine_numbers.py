"""The numbers of a network as the generated C++ keeps them: in the source or in a file, in sixteen or eight bits; and
a file that is not what the program was written with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from zoo_cpp.numbers import HEADER, checksum, in_file, numbers
from zoo_cpp.packing import Packed, pack
from zoo_cpp.program import Array, Program
from zoo_cpp.reference import evaluate
from zoo_cpp.tables import tables

from tests.converters.zoo_cpp.building import compilers
from tests.converters.zoo_cpp.programs import Engine, Net, engines, pictures, planned
from zoo.errors import ModelError

QUICKLY = ("-O0",)


def network() -> Program:
    """Filters of every kind between numbers that are none, in no order; one is whole."""
    net = Net(seed=20)
    value = net.affine(net.conv(0, 33, 3, "prelu", pads=1))
    value = net.depthwise(net.groupnorm(value, 3), 3, "leaky", pads=1)
    return net.program(net.conv(value, 18, 1), net.rounded(0, 5, 3))


def spread(engine: Engine, everything: Array) -> Array:
    found = engine.spread()
    assert found.shape == everything.shape
    return found


def everything(program: Program) -> Packed:
    return tables(planned(program)).packed


@pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
def test_numbers_are_the_same_in_the_source_and_in_a_file(tmp_path: Path, storage: str) -> None:
    program = network()
    packed = everything(program)
    kept = {
        binary: engines(tmp_path / str(binary), [program], compilers()[0], QUICKLY, storage, binary)[0]  # type: ignore[arg-type]
        for binary in (False, True)
    }
    one, other = (spread(engine, packed.numbers()) for engine in kept.values())
    np.testing.assert_array_equal(one, other)
    whole = np.ones(len(one), bool)
    for begin, length, _ in packed.filters:
        whole[begin : begin + length] = False
    np.testing.assert_array_equal(one[whole], packed.numbers()[whole])
    assert_near(one[~whole], packed, storage)
    for image in pictures(program, [(13, 9)]):
        outputs = []
        for engine in kept.values():
            with engine.made(13, 9) as handle:
                outputs.append(handle.run(image))
        for found, again, wanted in zip(*outputs, evaluate(program, image), strict=True):
            np.testing.assert_array_equal(found, again)
            np.testing.assert_allclose(found, wanted, rtol=0, atol={"float32": 1e-5, "float16": 0.02}.get(storage, 0.2))


def assert_near(found: Array, packed: Packed, storage: str) -> None:
    """Raise unless filters are the nearest of those that can be kept."""
    filters = [packed.numbers()[begin : begin + length] for begin, length, _ in packed.filters]
    wanted = np.concatenate(filters)
    if storage == "float32":
        np.testing.assert_array_equal(found, wanted)
    elif storage == "float16":
        np.testing.assert_array_equal(found, wanted.astype(np.float16).astype(np.float32))
    else:
        steps = []
        for (begin, _, lanes), values in zip(packed.filters, filters, strict=True):
            shaped = values.reshape(packed.blocks[begin], -1, lanes)
            steps.append(np.broadcast_to(np.abs(shaped).max(axis=1, keepdims=True) / 127, shaped.shape).ravel())
        assert (np.abs(found - wanted) <= np.concatenate(steps) * 0.5001).all()
        assert len(np.unique(found)) > 200


def test_every_number_of_sixteen_bits_is_read_as_numpy_reads_it(tmp_path: Path) -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)
    finite = every[np.isfinite(every)]
    net = Net(seed=21)
    value = net.conv(0, 16 * (len(finite) // 48 + 1), 1)
    net.steps[-1].weights["weight"].ravel()[: len(finite)] = finite
    program = net.program(value)
    (engine,) = engines(tmp_path, [program], compilers()[0], QUICKLY, "float16")
    begin, length, _ = everything(program).filters[0]
    wanted = everything(program).numbers()[begin : begin + length].astype(np.float16).astype(np.float32)
    found = engine.spread()[begin : begin + length]
    np.testing.assert_array_equal(found.view(np.uint32), wanted.view(np.uint32))


@pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
def test_no_damaged_byte_of_a_file_of_weights_is_taken(tmp_path: Path, storage: str) -> None:
    net = Net(seed=22)
    program = net.program(net.rounded(net.conv(0, 17, 1), 5))
    (engine,) = engines(tmp_path, [program], compilers()[0], QUICKLY, storage, binary=True)  # type: ignore[arg-type]
    assert taken(engine, engine.data)
    for place in range(len(engine.data)):
        for flipped in (1, 0x80, 0xFF):
            damaged = bytearray(engine.data)
            damaged[place] ^= flipped
            assert not taken(engine, bytes(damaged)), place
    for other in (
        b"",
        engine.data[:-1],
        engine.data[:-8],
        engine.data + bytes(8),
        engine.data[:64],
        bytes(len(engine.data)),
    ):
        assert not taken(engine, other)


def taken(engine: Engine, data: bytes) -> bool:
    return engine.accepts(data)


def test_a_file_of_another_network_or_storage_is_not_taken(tmp_path: Path) -> None:
    one, other = (Net(seed=seed).conv for seed in (23, 24))
    programs = []
    for conv in (one, other):
        net: Net = conv.__self__  # type: ignore[attr-defined]
        programs.append(net.program(conv(0, 16, 3)))
    made = engines(tmp_path, programs, compilers()[0], QUICKLY, binary=True)
    assert len(made[0].data) == len(made[1].data)
    assert made[0].accepts(made[0].data)
    assert not made[0].accepts(made[1].data)
    assert not made[0].accepts(in_file(numbers(everything(programs[0]), "float16"))[1])


def test_the_header_of_a_file_of_weights() -> None:
    stored = numbers(everything(network()), "int8")
    _, data = in_file(stored)
    magic, kind, reserved, floats, codes, total, whole = HEADER.unpack(data[: HEADER.size])
    assert (magic, kind, reserved) == (b"ZOOCPPW\x01", b"int8", 0)
    assert (floats, codes, whole) == (len(stored.floats), len(stored.codes), len(stored.whole))
    assert total == checksum(data[HEADER.size :])
    assert len(data) % 8 == 0
    assert len(data) - HEADER.size - 4 * floats - codes - whole < 8


def test_eight_and_sixteen_bits_save_what_they_promise() -> None:
    net = Net(seed=25)
    program = net.program(net.conv(net.conv(0, 64, 3), 64, 3))
    sizes = {
        storage: len(in_file(numbers(everything(program), storage))[1]) for storage in ("float32", "float16", "int8")
    }  # type: ignore[arg-type]
    assert sizes["float16"] < 0.51 * sizes["float32"]
    assert sizes["int8"] < 0.27 * sizes["float32"]


def test_a_network_without_filters_is_kept_in_any_way() -> None:
    net = Net(seed=26)
    program = net.program(net.affine(0))
    for storage in ("float32", "float16", "int8"):
        stored = numbers(everything(program), storage)  # type: ignore[arg-type]
        assert stored.length == len(stored.floats) == 32
        in_file(stored)


def test_numbers_that_sixteen_bits_cannot_hold_are_refused() -> None:
    net = Net(seed=27)
    program = net.program(net.conv(0, 3))
    net.steps[0].weights["weight"][1] = 1e5
    numbers(everything(program), "float32")
    numbers(everything(program), "int8")
    with pytest.raises(ModelError, match="as float16"):
        numbers(everything(program), "float16")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(wrong: float) -> None:
    net = Net(seed=28)
    program = net.program(net.affine(net.conv(0, 3)))
    net.steps[1].weights["shift"][1] = wrong
    for storage in ("float32", "float16", "int8"):
        with pytest.raises(ModelError, match="not finite"):
            numbers(everything(program), storage)  # type: ignore[arg-type]


def test_every_array_begins_at_a_block_and_is_filled_with_zeros() -> None:
    packed = Packed()
    steps = network().steps
    for step in steps:
        offsets = pack(step, packed)
        for begin in (offsets.bias, offsets.slopes, offsets.scales):
            assert begin % 16 == 0 or begin == -1
        if step.quantised is None and "weight" in step.weights:
            assert (offsets.weight, offsets.weight % 16) == (packed.filters[-1][0], 0)
    assert packed.length == len(packed.numbers()) == sum(map(len, packed.arrays))
    assert packed.code_length == len(packed.whole_numbers())
    assert (
        np.count_nonzero(packed.numbers())
        <= sum(step.weights[name].size for step in steps for name in step.weights) + 200
    )
