"""Counting, against numbers worked out by hand and against PyTorch's own counter."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks need PyTorch")

from torch import nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from zoo.networks.complexity import Row, complexity, parameters  # noqa: E402


class Tied(nn.Module):
    """One convolution called twice, and a rectifier called as a function."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        self.register_buffer("shift", torch.ones(1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.relu(self.conv(self.conv(images)) + self.shift)


def everything() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),  # out 8x16x16
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
        nn.GroupNorm(2, 8),
        nn.MaxPool2d(2),  # out 8x8x8
        nn.Upsample(scale_factor=2),
        nn.ConvTranspose2d(8, 4, 2, stride=2),  # out 4x32x32
        nn.InstanceNorm2d(4),
        nn.Sigmoid(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 10),
    )


def test_every_kind_of_module_by_hand() -> None:
    counted = complexity(everything(), 32, 32)
    assert [(row.name, row.macs, row.flops - row.macs) for row in counted.rows] == [
        ("0", 8 * 256 * 27, 8 * 256),
        ("1", 0, 2 * 8 * 256),
        ("2", 0, 8 * 256),
        ("3", 8 * 256 * 9, 0),
        ("4", 0, 2 * 8 * 256),
        ("5", 0, 8 * 256),
        ("6", 0, 8 * 256),
        ("7", 8 * 256 * 4 * 4, 4 * 1024),
        ("8", 0, 4 * 1024),
        ("10", 0, 4 * 1024),
        ("12", 40, 0),
    ]
    assert counted.rows[0] == Row("0", "Conv2d", 8 * 27 + 8, 8 * 256 * 27, 8 * 256 * 28)
    assert counted.macs == sum(row.macs for row in counted.rows)
    assert counted.flops == sum(row.flops for row in counted.rows)
    assert counted.parameters == sum(row.parameters for row in counted.rows) == parameters(everything())


def test_multiply_accumulates_are_half_of_what_pytorch_counts() -> None:
    network = everything().eval()
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 3, 32, 32))
    assert complexity(network, 32, 32).macs == counter.get_total_flops() / 2


def test_calls_add_up_and_the_network_stays_as_it_was() -> None:
    network = Tied().train()
    weight = network.conv.weight
    counted = complexity(network, 8, 8)
    assert counted.rows == (Row("conv", "Conv2d", 81, 2 * 81 * 64, 2 * 81 * 64),)
    assert network.conv.weight is weight
    assert weight.device.type == "cpu"
    assert network.training
    assert not network.conv._forward_hooks


def test_networks_without_numbers_and_of_other_inputs_are_counted() -> None:
    with torch.device("meta"):
        assert complexity(everything(), 32, 32) == complexity(everything(), 32, 32)
        assert complexity(nn.Conv2d(1, 2, 1), 4, 6, channels=1).macs == 48
