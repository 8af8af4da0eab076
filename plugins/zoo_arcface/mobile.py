"""insightface's mobile MXNet networks in torch: ``m`` (MobileNetV1) and ``y`` (MobileFaceNet, Chen et al., 2018).

Facts from deepinsight/insightface, ``recognition/arcface_mxnet/symbol``: ``fmobilenet.py``, ``fmobilefacenet.py`` and
the head ``GDC`` of ``symbol_utils.py``. A module is called as its symbols are, with a full stop where a module holds
another, so that ``dconv_23_conv_sep_conv2d_weight`` is ``dconv_23.conv_sep.conv2d.weight``.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from zoo_arcface.architectures import LMobileNet, MobileFaceNet
from zoo_arcface.embedder import Embedder

LAST = 512
"""Channels of the last, global convolution."""

STRIDED = (3, 5, 7, 13)
"""Which depthwise convolutions of an ``m`` network have stride 2."""


class Conv(nn.Module):
    """A convolution without bias, its batch-norm, and unless `linear` a PReLU; odd kernels keep the size, but 7."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, eps: float, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        super().__init__()
        padding = {1: 0, 3: 1, 7: 0}[kernel]
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.batchnorm = nn.BatchNorm2d(outputs, eps)
        self.relu = nn.Identity() if linear else nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        result: Tensor = self.relu(self.batchnorm(self.conv2d(x)))
        return result


class Bottleneck(nn.Module):
    """Widened to `middle` channels, convolved each for itself, and narrowed to `outputs`."""

    def __init__(self, inputs: int, outputs: int, middle: int, eps: float, stride: int = 1) -> None:
        super().__init__()
        self.conv_sep = Conv(inputs, middle, 1, eps)
        self.conv_dw = Conv(middle, middle, 3, eps, stride, groups=middle)
        self.conv_proj = Conv(middle, outputs, 1, eps, linear=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        result: Tensor = self.conv_proj(self.conv_dw(self.conv_sep(x)))
        return result


class Residual(Bottleneck):
    """A bottleneck that is added to what goes into it."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        return super().forward(x) + x


class MobileEncoder(Embedder):
    """The network of a configuration `LMobileNet` or `MobileFaceNet`: a body, and the head ``GDC``."""

    def __init__(self, config: LMobileNet | MobileFaceNet) -> None:
        super().__init__(config.normalise)
        body = _mobilenet(config) if isinstance(config, LMobileNet) else _mobilefacenet(config)
        for name, module in body.items():
            self.add_module(name, module)
        self._body = tuple(body)
        inputs = 32 * config.base if isinstance(config, LMobileNet) else LAST
        self.conv_6dw7_7 = Conv(inputs, LAST, 7, config.eps, groups=LAST, linear=True)
        self.pre_fc1 = nn.Linear(LAST, config.embedding)
        self.fc1 = nn.BatchNorm1d(config.embedding, config.last_eps)
        self.fc1.weight.requires_grad_(False)  # fix_gamma

    def embed(self, images: Tensor) -> Tensor:
        """See `Embedder.embed`."""
        for name in self._body:
            images = self.get_submodule(name)(images)
        embeddings: Tensor = self.fc1(self.pre_fc1(self.conv_6dw7_7(images).flatten(1)))
        return embeddings


def _mobilenet(config: LMobileNet) -> dict[str, nn.Module]:
    """Thirteen pairs of a depthwise and a pointwise convolution; the channels double as the size halves."""
    layers: dict[str, nn.Module] = {"conv_1": Conv(3, config.base, 3, config.eps)}
    inputs = config.base
    for number, factor in enumerate((2, 4, 4, 8, 8, 16, 16, 16, 16, 16, 16, 32, 32), start=2):
        stride = 2 if number in STRIDED else 1
        layers[f"conv_{number}_dw"] = Conv(inputs, inputs, 3, config.eps, stride, groups=inputs)
        layers[f"conv_{number}"] = Conv(inputs, config.base * factor, 1, config.eps)
        inputs = config.base * factor
    return layers


def _mobilefacenet(config: MobileFaceNet) -> dict[str, nn.Module]:
    first, second, third, fourth = config.blocks
    eps = config.eps
    stem = {"conv_2_dw": Conv(64, 64, 3, eps, groups=64)} if first == 1 else {"res_2": _stage(64, 64, first, eps)}
    return {
        "conv_1": Conv(3, 64, 3, eps, 2),
        **stem,
        "dconv_23": Bottleneck(64, 64, 128, eps, 2),
        "res_3": _stage(64, 128, second, eps),
        "dconv_34": Bottleneck(64, 128, 256, eps, 2),
        "res_4": _stage(128, 256, third, eps),
        "dconv_45": Bottleneck(128, 128, 512, eps, 2),
        "res_5": _stage(128, 256, fourth, eps),
        "conv_6sep": Conv(128, LAST, 1, eps),
    }


def _stage(channels: int, middle: int, blocks: int, eps: float) -> nn.Sequential:
    return nn.Sequential(OrderedDict((f"block{i}", Residual(channels, channels, middle, eps)) for i in range(blocks)))
