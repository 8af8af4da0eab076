"""Strict loading, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from zoo.errors import ModelError

torch = pytest.importorskip("torch", reason="networks need PyTorch")

from zoo.networks.state import load_state  # noqa: E402


def network() -> Any:
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))


def arrays() -> dict[str, Any]:
    generator = np.random.default_rng(0)
    return {
        name: generator.random(tuple(tensor.shape)).astype(np.float32) if tensor.is_floating_point() else np.int64(7)
        for name, tensor in network().state_dict().items()
    }


def same(network: Any, tensors: dict[str, Any]) -> bool:
    state = network.state_dict()
    return all(np.array_equal(state[name].numpy(), value) for name, value in tensors.items())


def test_arrays_and_tensors_become_the_networks_numbers() -> None:
    given = {name: np.asarray(value) for name, value in arrays().items()}
    for value in given.values():
        value.flags.writeable = False
    loaded = network()
    load_state(loaded, given, "a file")
    assert same(loaded, given)
    again = network()
    load_state(again, loaded.state_dict(), "a file")
    assert same(again, given)
    again[0].weight.data.zero_()
    assert same(loaded, given)


def test_halves_are_widened_and_counters_may_be_absent() -> None:
    given = {name: np.asarray(value).astype(np.float16) for name, value in arrays().items() if "tracked" not in name}
    loaded = network()
    loaded[1].num_batches_tracked.fill_(5)
    load_state(loaded, given, "a file")
    assert loaded[0].weight.dtype == torch.float32
    assert same(loaded, given)
    assert loaded[1].num_batches_tracked == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda given: given.pop("0.bias"), r"^x\.pth does not fit the network: it lacks 0\.bias\.$"),
        (lambda given: given.clear(), r"it lacks 0\.weight \(and 5 more\)\.$"),
        (lambda given: given.update(head=np.zeros(1)), r"it has head, which the network has not\.$"),
        (
            lambda given: given.update(head=given.pop("1.weight")),
            r"it lacks 1\.weight and it has head, which the network has not\.$",
        ),
        (lambda given: given.update({"0.bias": np.zeros(5)}), r"0\.bias is 5, where 4 is wanted\.$"),
        (
            lambda given: given.update({"0.weight": np.zeros((4, 3))}),
            r"0\.weight is 4x3, where 4x3x1x1 is wanted\.$",
        ),
        (lambda given: given.update({"0.bias": [1, 2, 3, 4]}), r"0\.bias is no tensor but a list\.$"),
        (lambda given: given.update({"0.bias": np.zeros(4, int)}), r"0\.bias is torch\.int64, where torch\.float32"),
        (lambda given: given.update({"0.bias": np.zeros(4, complex)}), r"0\.bias is torch\.complex128, where"),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named(change: Callable[[dict[str, Any]], Any], message: str) -> None:
    given = {name: np.asarray(value) for name, value in arrays().items()}
    change(given)
    loaded = network()
    before = {name: tensor.numpy().copy() for name, tensor in loaded.state_dict().items()}
    with pytest.raises(ModelError, match=message):
        load_state(loaded, given, "x.pth")
    assert same(loaded, before)
