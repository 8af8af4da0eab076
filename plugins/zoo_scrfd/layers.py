"""The layers of which SCRFD's parts are made, with the names that mmcv's ``ConvModule`` gives to tensors."""

from __future__ import annotations

from torch import Tensor, nn


class Layer(nn.Module):
    """A convolution with a bias; or, if `groups` is given, one without, then batch-norm (0) or group-norm, and ReLU."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int | None = None,
        depthwise: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, groups=inputs if depthwise else 1, bias=groups is None
        )
        if groups:
            self.gn = nn.GroupNorm(groups, outputs)
        elif groups == 0:
            self.bn = nn.BatchNorm2d(outputs)
        if groups is not None:
            self.activate = nn.ReLU(inplace=True)
        self.groups = groups

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, ceil(H/stride), ceil(W/stride))."""
        maps = self.conv(maps)
        if self.groups is None:
            return maps
        return self.activate(self.gn(maps) if self.groups else self.bn(maps))


class Separable(nn.Module):
    """A depthwise 3x3 and a pointwise `Layer`, both normalised."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.depthwise_conv = Layer(inputs, inputs, 3, groups=groups, depthwise=True)
        self.pointwise_conv = Layer(inputs, outputs, 1, groups=groups)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        return self.pointwise_conv(self.depthwise_conv(maps))
