"""How much a network computes: its parameters, its multiply-accumulates, and the count that papers call FLOPs.

The two counts differ, and both are written "M" and "G" without saying which. A *multiply-accumulate* (MAC) is one
product of a weight and an input, added up; biases, batch-norm and activations are none. The count in the papers of
YuNet and SCRFD is that of mmcv's ``get_model_complexity_info`` (``mmcv/cnn/utils/flops_counter.py``): one for each MAC
of a convolution and for each bias added, two for each number that a normalisation with weights passes on (one without),
one for each number out of a rectifier or an upsampling, and one for each number *into* a pooling. It knows modules
alone: what a network calls as a function (``torch.nn.functional``) counts nothing, and so it is here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

Hook = Callable[[nn.Module, tuple[Any, ...], Any], None]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
NORMALISATIONS = (
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.LayerNorm),
    *(nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d),
)
RECTIFIERS = (nn.ReLU, nn.PReLU, nn.ELU, nn.LeakyReLU, nn.ReLU6)
POOLINGS = (
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
)


@dataclass(frozen=True)
class Row:
    """One module: its name in the network, its class, its own parameters, and what its calls count together."""

    name: str
    kind: str
    parameters: int
    macs: int
    flops: int


@dataclass(frozen=True)
class Complexity:
    """A network on one image: trainable numbers, multiply-accumulates, and the papers' count, with a row a module.

    `rows` are the modules that have or do something, in the order in which they are first called.
    """

    parameters: int
    macs: int
    flops: int
    rows: tuple[Row, ...]


def parameters(network: nn.Module) -> int:
    """How many trainable numbers `network` has; shared ones count once, and buffers such as running means do not."""
    return sum(parameter.numel() for parameter in network.parameters())


def complexity(network: nn.Module, height: int, width: int, channels: int = 3) -> Complexity:
    """What `network` computes for one image of `channels` by `height` by `width` pixels.

    Nothing is computed for it: the network is called with tensors that have a shape and no numbers (torch's ``meta``
    device), so its forward must not look at values. Its own parameters and mode stay as they are.
    """
    counts: dict[str, list[int]] = {}
    state = {name: tensor.to("meta") for name, tensor in (*network.named_parameters(), *network.named_buffers())}
    with ExitStack() as stack, torch.no_grad():
        for name, module in network.named_modules():
            stack.enter_context(module.register_forward_hook(_counter(counts, name)))
        image = torch.empty(1, channels, height, width, device="meta")
        torch.func.functional_call(network, state, (image,), strict=False)
    modules = dict(network.named_modules())
    rows = tuple(
        row
        for name, (macs, flops) in counts.items()
        if (row := _row(name, modules[name], macs, flops)).parameters or row.flops
    )
    return Complexity(parameters(network), sum(row.macs for row in rows), sum(row.flops for row in rows), rows)


def _row(name: str, module: nn.Module, macs: int, flops: int) -> Row:
    own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    return Row(name, type(module).__name__, own, macs, flops)


def _counter(counts: dict[str, list[int]], name: str) -> Hook:
    def count(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        macs, others = _count(module, inputs, output)
        total = counts.setdefault(name, [0, 0])
        total[0] += macs
        total[1] += macs + others

    return count


def _count(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> tuple[int, int]:
    """Multiply-accumulates of one call, and what the papers' count adds to them."""
    if isinstance(module, CONVOLUTIONS):
        weights = module.weight[0].numel()
        return output.numel() * weights, output.numel() * (module.bias is not None)
    if isinstance(module, TRANSPOSED):
        weights = module.weight[0].numel()
        return inputs[0].numel() * weights, output.numel() * (module.bias is not None)
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features, 0
    if isinstance(module, NORMALISATIONS):
        weighted = getattr(module, "affine", False) or getattr(module, "elementwise_affine", False)
        return 0, inputs[0].numel() * (2 if weighted else 1)
    if isinstance(module, POOLINGS):
        return 0, inputs[0].numel()
    return 0, output.numel() if isinstance(module, (*RECTIFIERS, nn.Upsample)) else 0
