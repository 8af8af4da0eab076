"""SCRFD's neck, a path aggregation network (Liu et al., CVPR 2018) without norms and activations.

Facts from deepinsight/insightface: ``detection/scrfd/mmdet/models/necks/{fpn,pafpn}.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from zoo_scrfd.config import Config
from zoo_scrfd.layers import Layer


class Neck(nn.Module):
    """From the maps of the last three stages to one map a level: down from coarse to fine, then up again.

    Levels beyond the third are convolutions of stride 2 over the one before.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        used, width = config.widths[1:], config.neck
        self.lateral_convs = nn.ModuleList(Layer(inputs, width, 1) for inputs in used)
        self.fpn_convs = nn.ModuleList(
            Layer(width, width, 3, stride=1 if level < len(used) else 2) for level in range(config.levels)
        )
        self.downsample_convs = nn.ModuleList(Layer(width, width, 3, stride=2) for _ in used[1:])
        self.pafpn_convs = nn.ModuleList(Layer(width, width, 3) for _ in used[1:])

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The four stages' maps, (N, C, H/4, W/4) to (N, C, H/32, W/32), to (N, neck, H/8, W/8) and coarser ones."""
        fine = [convolution(one) for convolution, one in zip(self.lateral_convs, maps[1:], strict=True)]
        for level in reversed(range(1, len(fine))):
            size = fine[level - 1].shape[2:]
            fine[level - 1] = fine[level - 1] + functional.interpolate(fine[level], size=size, mode="nearest")
        given = [convolution(one) for convolution, one in zip(self.fpn_convs, fine, strict=False)]
        for level, convolution in enumerate(self.downsample_convs, 1):
            given[level] = given[level] + convolution(given[level - 1])
        done = [given[0], *(convolution(one) for convolution, one in zip(self.pafpn_convs, given[1:], strict=True))]
        for convolution in list(self.fpn_convs)[len(fine) :]:
            done.append(convolution(done[-1]))
        return done


def initialise(neck: Neck) -> None:
    """Weights after Glorot and Bengio (2010), uniformly distributed; no biases."""
    for module in neck.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
