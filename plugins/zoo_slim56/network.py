"""The network of gwanglee/face_landmarks (``model/net.py``), in plain TensorFlow.

Five 3x3 convolutions, the first four each followed by 2x2 max pooling (56, 28, 14, 7, 4 pixels a side), and two fully
connected layers; a rectifier after every layer, the last one included. The names of its variables are those that
TF-slim gave them, below the scope ``model/lannet``; kernels are height, width, in, out, matrices in, out.

Nothing here imports TensorFlow before a graph is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from zoo.errors import ModelError
from zoo.networks.configs import CHANNELS, configure, nearest, require_length, require_within
from zoo_slim56 import settings

SCOPE = "model/lannet"
INPUT = "input"
OUTPUT = f"{SCOPE}/fc7/Relu"
"""The operation that the original freezes and converts its networks at."""

SIZE = 56
POINTS = 68
BASE = (8, 16, 32, 64, 128, 256)
"""Channels of conv1 to conv5 and of fc6 with a multiplier and a gamma of 1."""

EPSILON = 0.001
"""``slim.batch_norm``'s default, as are a shift without a scale, and no bias in a layer that is normalised."""

NORMALISED = ("BatchNorm/beta", "BatchNorm/moving_mean", "BatchNorm/moving_variance")


def scaled(multiplier: float, gamma: float) -> tuple[int, ...]:
    """The channels of conv1 to conv5 and of fc6, computed as the original does."""
    return tuple(int((base * multiplier) ** gamma) for base in BASE)


@dataclass(frozen=True)
class Config:
    """Batch-norm or biases, and the channels of conv1 to conv5 and fc6: ``int((c * multiplier) ** gamma)`` of `BASE`,
    or `channels` itself where it is given. Raises `ValueError` for values that make no network."""

    batch_norm: bool = False
    depth_multiplier: float = 1.0
    depth_gamma: float = 1.0
    channels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.depth_multiplier <= 64 or not 0 < self.depth_gamma <= 2:
            raise ValueError("depth_multiplier must be in 0..64, and depth_gamma in 0..2, and neither 0")
        require_length("channels", self.widths, len(BASE))
        require_within("channels", self.widths, 1, CHANNELS)

    @property
    def widths(self) -> tuple[int, ...]:
        """The channels of conv1 to conv5 and of fc6."""
        return self.channels or scaled(self.depth_multiplier, self.depth_gamma)


CONFIGS = {"slim56": Config()}


class Layer(NamedTuple):
    """One layer: its name, the shape of its weights (a kernel has four sizes, a matrix two), and whether pooling
    follows."""

    name: str
    weights: tuple[int, ...]
    pooled: bool


@dataclass(frozen=True)
class Lannet:
    """The network without weights, as the TensorFlow edges use one.

    `inputs` are names and shapes of the images (None: any number of them), `variables` names and shapes of what a
    checkpoint must hold. Called with a tensor of images and tensors by the names of `variables`, it adds itself to the
    current graph, under the original names, and returns its outputs as a tuple. There is no switch between training and
    inference: batch-norm uses the moving averages and nothing else.
    """

    config: Config

    @property
    def inputs(self) -> dict[str, tuple[int | None, ...]]:
        """One: (N, 56, 56, 3) float32, blue, green, red, each value v as v * 2 / 255 - 1."""
        return {INPUT: (None, SIZE, SIZE, 3)}

    @property
    def variables(self) -> dict[str, tuple[int, ...]]:
        """Shapes by name: 28 with batch-norm, else 14."""
        return dict(_variables(self.config))

    def __call__(self, images: Any, tensors: Mapping[str, Any]) -> tuple[Any, ...]:
        """One output, (N, 136) float32: x0, y0, x1, ... as fractions of the crop's width and height, none negative.

        `images` and the values of `tensors` are TensorFlow tensors; KeyError where one of `variables` is missing.
        """
        import tensorflow as tf

        values = images
        for layer in _layers(self.config):
            if layer.name == "fc6":
                values = tf.reshape(values, (-1, layer.weights[0]), name=f"{SCOPE}/Flatten/flatten/Reshape")
            with tf.name_scope(f"{SCOPE}/{layer.name}/"):
                values = tf.nn.relu(self._linear(values, layer, tensors), name="Relu")
            if layer.pooled:
                values = tf.nn.max_pool2d(
                    values, 2, 2, "SAME", name=f"{SCOPE}/{layer.name.replace('conv', 'pool')}/MaxPool"
                )
        return (values,)

    def settled(self, folder: Path) -> Mapping[str, Any]:
        """The arguments that make this network, with multiplier and gamma as the original's ``train_setting.txt`` in
        `folder` says them, if it is there. Raises `ModelError` where that file tells of another network."""
        said = settings.read(folder)
        if not said:
            return departures(self.config.batch_norm, self.config.widths)
        config = configure(CONFIGS, "slim56", said)
        if (config.batch_norm, config.widths) != (self.config.batch_norm, self.config.widths):
            raise ModelError(
                f"{folder / settings.NAME} tells of a network of {_described(config)}, but the weights beside it are"
                f" those of {_described(self.config)}: one of them is of another training."
            )
        return said

    def _linear(self, values: Any, layer: Layer, tensors: Mapping[str, Any]) -> Any:
        import tensorflow as tf

        def tensor(name: str) -> Any:
            return tensors[f"{SCOPE}/{layer.name}/{name}"]

        if len(layer.weights) == 4:
            values = tf.nn.conv2d(values, tensor("weights"), 1, "SAME", name="Conv2D")
        else:
            values = tf.matmul(values, tensor("weights"), name="MatMul")
        if not self.config.batch_norm:
            return tf.nn.bias_add(values, tensor("biases"), name="BiasAdd")
        shift, mean, variance = map(tensor, NORMALISED)
        return tf.nn.batch_normalization(values, mean, variance, shift, None, EPSILON, name="BatchNorm/batchnorm")


def build(architecture: str, arguments: Mapping[str, Any]) -> Lannet:
    """The network without weights; `arguments` are fields of `Config`. Raises `UsageError` for unfit ones."""
    return Lannet(configure(CONFIGS, architecture, arguments))


def recognise(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, Mapping[str, Any]] | None:
    """Architecture and arguments of the network with tensors of these names and shapes, None when it is none of ours.

    What a training keeps beside the weights (the step, an optimiser's slots, moving averages) is passed over.
    """
    kernels = [
        shapes.get(f"{SCOPE}/{name}/weights", ()) for name in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6")
    ]
    batch_norm = f"{SCOPE}/conv1/BatchNorm/beta" in shapes
    found = tuple(kernel[-1] for kernel in kernels if kernel)
    if len(found) != len(BASE) or not all(1 <= width <= CHANNELS for width in found):
        return None
    said = departures(batch_norm, found)
    wanted = build("slim56", said).variables
    return ("slim56", said) if all(shapes.get(name) == shape for name, shape in wanted.items()) else None


def departures(batch_norm: bool, found: tuple[int, ...]) -> Mapping[str, Any]:
    """What makes a network with these channels. They tell the multiplier only where gamma is 1: with another, several
    pairs of the two give the same numbers, and the channels themselves are kept."""
    multiplier = found[-1] / BASE[-1]
    exact = 0 < multiplier <= 64 and scaled(multiplier, 1.0) == found
    wanted = {"depth_multiplier": multiplier} if exact else {"channels": list(found)}
    return nearest(CONFIGS, {"batch_norm": batch_norm, **wanted})[1]


def _layers(config: Config) -> Iterator[Layer]:
    *channels, hidden = config.widths
    previous = 3
    for number, width in enumerate(channels, start=1):
        yield Layer(f"conv{number}", (3, 3, previous, width), pooled=number < 5)
        previous = width
    yield Layer("fc6", (previous * 4 * 4, hidden), pooled=False)
    yield Layer("fc7", (hidden, POINTS * 2), pooled=False)


def _variables(config: Config) -> Iterator[tuple[str, tuple[int, ...]]]:
    for layer in _layers(config):
        yield f"{SCOPE}/{layer.name}/weights", layer.weights
        for name in NORMALISED if config.batch_norm else ("biases",):
            yield f"{SCOPE}/{layer.name}/{name}", layer.weights[-1:]


def _described(config: Config) -> str:
    return f"{'/'.join(map(str, config.widths))} channels with{'' if config.batch_norm else 'out'} batch-norm"
