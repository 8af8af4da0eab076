"""The dense landmark networks of 3D_Landmark_Detection, with its names: ``resNet34.py`` and ``moblieNetV2.py``."""

from __future__ import annotations

from torch import Tensor, nn

from zoo_synthetics.architectures import DenseMobileNet, DenseResNet

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Channels and blocks of each stage of the ResNet-34."""


class Block(nn.Module):
    """Two 3x3 convolutions with batch-norm around a shortcut; with `halve` the first has stride 2 and the shortcut a
    1x1 convolution with stride 2, whether or not the channels change."""

    def __init__(self, before: int, after: int, halve: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, 2 if halve else 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU()
        self.halve = halve
        if halve:
            self.downsample = nn.Conv2d(before, after, 1, 2, bias=False)
            self.downsample_norm = nn.BatchNorm2d(after)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, before, H, W) to (N, after, H, W) or half of both sides."""
        shortcut = self.downsample_norm(self.downsample(maps)) if self.halve else maps
        found: Tensor = self.relu(shortcut + self.bn2(self.conv2(self.relu(self.bn1(self.conv1(maps))))))
        return found


class DenseResNet34(nn.Module):
    """256 x 256 pixels to a map of 4 x 4, its mean, and ``points * values`` numbers."""

    def __init__(self, config: DenseResNet) -> None:
        super().__init__()
        self.config = config
        self.conv_first = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn_first = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(3, 2, 1)
        before = 64
        for number, (channels, blocks) in enumerate(STAGES, 1):
            stage = [Block(before if index == 0 else channels, channels, halve=index == 0) for index in range(blocks)]
            self.add_module(f"RBM{number}", nn.Sequential(*stage))
            before = channels
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.fc_final = nn.Linear(before, config.points * config.values)

    def raw(self, images: Tensor) -> Tensor:
        """(N, 3, 256, 256) in 0..1 to (N, K * P): a row of x, y and, where P is 3, the logarithm of the variance, in
        pixels of the crop, for each of K points."""
        maps = self.pool(self.relu(self.bn_first(self.conv_first(images))))
        for number in range(1, len(STAGES) + 1):
            maps = self.get_submodule(f"RBM{number}")(maps)
        found: Tensor = self.fc_final(self.mean(maps).flatten(1))
        return found

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """The one output, ``landmarks``: see `raw`."""
        return (self.raw(images),)


class DenseMobileNetV2(nn.Module):
    """torchvision's MobileNetV2 under ``model.``."""

    def __init__(self, config: DenseMobileNet) -> None:
        from torchvision.models import mobilenet_v2

        super().__init__()
        self.config = config
        self.model = mobilenet_v2(num_classes=config.points * config.values)

    def raw(self, images: Tensor) -> Tensor:
        """As `DenseResNet34.raw`."""
        found: Tensor = self.model(images)
        return found

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """The one output, ``landmarks``: see `raw`."""
        return (self.raw(images),)
