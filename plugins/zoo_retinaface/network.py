"""The RetinaFace networks in PyTorch, with the names and shapes of the originals' weights.

Facts from biubug6/Pytorch_Retinaface, ``models/net.py`` and ``models/retinaface.py``, and from
yakhyo/retinaface-pytorch, ``models/common.py`` and ``models/retinaface.py``: one network under two sets of names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.networks.configs import configure
from zoo_retinaface.architectures import CONFIGS, NAMINGS, Light, MobileNetV1, MobileNetV2, Naming, ResNet
from zoo_retinaface.layers import convolution, rows, separable
from zoo_retinaface.light import LightFace

CHANNELS = (2, 4, 10)
"""Numbers of an anchor: logits of background and face, a box, five keypoints. The heads are made in this order."""


class Backbone(nn.Module):
    """Modules under their own names, called one after the other; some of their maps are kept."""

    def __init__(self, modules: Mapping[str, nn.Module], steps: tuple[str, ...], taps: tuple[str, ...]) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self.steps, self.taps = steps, frozenset(taps)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to the maps of strides 8, 16 and 32; a side that is no multiple of one is rounded up."""
        maps, tapped = images, []
        for name in self.steps:
            maps = self.get_submodule(name)(maps)
            if name in self.taps:
                tapped.append(maps)
        return tapped


class Fpn(nn.Module):
    """Makes the three maps equally wide and adds coarse ones to finer ones; the coarsest passes no ``merge``."""

    def __init__(self, taps: tuple[int, int, int], features: int, slope: float) -> None:
        super().__init__()
        for level, channels in enumerate(taps, 1):
            self.add_module(f"output{level}", convolution(channels, features, 1, slope=slope))
        self.merge1 = convolution(features, features, 3, slope=slope)
        self.merge2 = convolution(features, features, 3, slope=slope)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps of any widths to maps of `features` channels, of the same sizes."""
        first, second, third = (self.get_submodule(f"output{n}")(one) for n, one in enumerate(maps, 1))
        second = self.merge2(second + _upsampled(third, second))
        return [self.merge1(first + _upsampled(second, first)), second, third]


class Ssh(nn.Module):
    """Three receptive fields side by side (Najibi et al., ICCV 2017), the larger ones in chains of 3x3 convolutions.

    The last of the names has a small x in the original.
    """

    def __init__(self, features: int, slope: float) -> None:
        super().__init__()
        half, quarter = features // 2, features // 4
        self.conv3X3 = convolution(features, half, 3)
        self.conv5X5_1 = convolution(features, quarter, 3, slope=slope)
        self.conv5X5_2 = convolution(quarter, quarter, 3)
        self.conv7X7_2 = convolution(quarter, quarter, 3, slope=slope)
        self.conv7x7_3 = convolution(quarter, quarter, 3)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, features, H, W) to the same."""
        middle = self.conv5X5_1(maps)
        fields = self.conv3X3(maps), self.conv5X5_2(middle), self.conv7x7_3(self.conv7X7_2(middle))
        return functional.relu(torch.cat(fields, 1))


class RetinaFace(nn.Module):
    """The detector, for images of any size."""

    outputs = ("loc", "conf", "landmarks")

    def __init__(self, config: MobileNetV1 | MobileNetV2 | ResNet) -> None:
        super().__init__()
        self.config, self.naming = config, NAMINGS[config.naming]
        self.add_module(self.naming.backbone, _backbone(config, self.naming))
        self.fpn = Fpn(config.taps, config.features, config.upper_slope)
        for level in (1, 2, 3):
            self.add_module(f"ssh{level}", Ssh(config.features, config.upper_slope))
        for name, channels in zip(self.naming.heads, CHANNELS, strict=True):
            rows = config.anchors * channels
            heads = [nn.Conv2d(config.features, rows, 1) for _ in config.taps]
            self.add_module(name, _head(name, heads, self.naming))

    @property
    def backbone(self) -> nn.Module:
        """The part that ImageNet trained."""
        return self.get_submodule(self.naming.backbone)

    def raw(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of (N, 3, H, W) float32 images, for each of A anchors: boxes (N, A, 4), logits of background and face
        (N, A, 2) and keypoints (N, A, 10), as `zoo_retinaface.decode` reads them: level by level, finest first, each
        row-major, the anchors of a cell next to each other."""
        maps = self.fpn(self.backbone(images))
        maps = [self.get_submodule(f"ssh{level}")(one) for level, one in enumerate(maps, 1)]
        heads = zip(self.naming.heads, CHANNELS, strict=True)
        classes, boxes, keypoints = (rows(self._heads(name), maps, channels) for name, channels in heads)
        return boxes, classes, keypoints

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What `raw` gives, with probabilities instead of logits."""
        boxes, classes, keypoints = self.raw(images)
        return boxes, classes.softmax(-1), keypoints

    def _heads(self, name: str) -> Iterable[nn.Module]:
        """The convolutions of one head, by level."""
        if self.naming.flat:
            return [self.get_submodule(f"{name}.{level}.conv1x1") for level in range(len(self.config.taps))]
        return [self.get_submodule(f"{name}.{name}.{level}") for level in range(len(self.config.taps))]


def _upsampled(maps: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(maps, size=like.shape[2:], mode="nearest")


def _head(name: str, heads: Sequence[nn.Module], naming: Naming) -> nn.Module:
    if naming.flat:
        return nn.ModuleList(nn.ModuleDict({"conv1x1": head}) for head in heads)
    return nn.ModuleDict({name: nn.ModuleList(heads)})


def _backbone(config: MobileNetV1 | MobileNetV2 | ResNet, naming: Naming) -> Backbone:
    if isinstance(config, MobileNetV1):
        return _mobilenet_v1(config.first, config.slope, naming.flat)
    return _resnet(config) if isinstance(config, ResNet) else _mobilenet_v2()


STAGES = (
    ((2, 1), (4, 2), (4, 1), (8, 2), (8, 1)),
    ((16, 2), *((16, 1),) * 5),
    ((32, 2), (32, 1)),
)
"""MobileNetV1's separable convolutions, after the first one: how many times its width, and stride."""


def _mobilenet_v1(first: int, slope: float, flat: bool) -> Backbone:
    stages, before = {}, first
    for number, layers in enumerate(STAGES, 1):
        blocks = [convolution(3, first, 3, 2, slope=slope)] if number == 1 else []
        for width, stride in layers:
            blocks.append(separable(before, width * first, stride, slope, flat))
            before = width * first
        stages[f"stage{number}"] = nn.Sequential(*blocks)
    return Backbone(stages, tuple(stages), tuple(stages))


def _mobilenet_v2() -> Backbone:
    from torchvision.models import mobilenet_v2

    layers = mobilenet_v2().features
    steps = tuple(f"features.{number}" for number in range(len(layers)))
    return Backbone({"features": layers}, steps, tuple(steps[number] for number in (6, 13, 18)))


def _resnet(config: ResNet) -> Backbone:
    from torchvision.models import resnet

    block = resnet.Bottleneck if config.bottleneck else resnet.BasicBlock
    modules = dict(resnet.ResNet(block, list(config.blocks)).named_children())
    modules = {name: module for name, module in modules.items() if name not in ("avgpool", "fc")}
    return Backbone(modules, tuple(modules), ("layer2", "layer3", "layer4"))


def build(architecture: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The RetinaFace called `architecture` of `CONFIGS`, with the fields of its configuration in `arguments` set anew,
    for inference; no weights.

    It takes (N, 3, H, W) float32 and gives ``(loc, conf, landmarks)``, see `RetinaFace`. Raises `UsageError` for names
    or values that do not exist or fit.
    """
    config = configure(CONFIGS, architecture, arguments)
    with torch.random.fork_rng(devices=()):  # the numbers drawn here are nobody's seed
        return (LightFace(config) if isinstance(config, Light) else RetinaFace(config)).eval()


def backbone_name(network: RetinaFace | LightFace, name: str) -> str:
    """What `network` calls the tensor `name` of the same backbone in either repository's names."""
    return _separable_name(name, network.naming.flat) if isinstance(network.config, MobileNetV1) else name


def _separable_name(name: str, flat: bool) -> str:
    """``stage1.2.3.weight`` for ``stage1.2.1.0.weight`` where it is `flat`, and the other way round where not."""
    if flat:
        nested = re.fullmatch(r"(stage\d+\.\d+)\.(\d)\.(\d)(\.\w+)", name)
        return f"{nested[1]}.{3 * int(nested[2]) + int(nested[3])}{nested[4]}" if nested else name
    found = re.fullmatch(r"(stage\d+\.\d+)\.(\d)(\.\w+)", name)
    if not found or found[1] == "stage1.0":
        return name
    return f"{found[1]}.{int(found[2]) // 3}.{int(found[2]) % 3}{found[3]}"
