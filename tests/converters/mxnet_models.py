"""MXNet models made for tests: insightface's networks as symbols, with random weights, written as MXNet writes them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

KINDS = {
    "float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6, "bool": 7, "int16": 8,
}  # fmt: skip
BFLOAT16 = 12


def array(value: Any, version: int = 2, kind: int | None = None) -> bytes:
    """One array of a ``.params`` file; `version` 0 is the oldest layout."""
    value = np.asarray(value)
    sizes = struct.pack(f"<{value.ndim}{'I' if version == 0 else 'q'}", *value.shape)
    head = struct.pack("<i", value.ndim) + sizes
    if version:
        storage = b"" if version == 1 else struct.pack("<i", 0)
        head = struct.pack("<I", 0xF993FAC7 + version) + storage + head
    number = KINDS[value.dtype.name] if kind is None else kind
    return head + struct.pack("<iii", 1, 0, number) + value.tobytes()


def collection(arrays: Sequence[bytes], names: Sequence[str] | None = None) -> bytes:
    """A ``.params`` file of arrays that are written."""
    texts = [name.encode() for name in names or ()]
    listed = b"".join(struct.pack("<Q", len(text)) + text for text in texts)
    return struct.pack("<QQQ", 0x112, 0, len(arrays)) + b"".join(arrays) + struct.pack("<Q", len(texts)) + listed


class Model:
    """A network under construction. Layers are called as insightface calls them; `op` gives the number of a node."""

    def __init__(self, seed: int = 0) -> None:
        self.nodes: list[dict[str, Any]] = []
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}
        self.random = np.random.default_rng(seed)
        self.data = self.null("data")

    def null(self, name: str, value: Any = None, aux: bool = False) -> int:
        if value is not None:
            self.arrays[f"{'aux' if aux else 'arg'}:{name}"] = np.asarray(value, np.float32)
        self.nodes.append({"op": "null", "name": name, "inputs": []})
        return len(self.nodes) - 1

    def op(self, op: str, name: str, *inputs: int, **attrs: Any) -> int:
        node = {"op": op, "name": name, "inputs": [[number, 0, 0] for number in inputs]}
        self.nodes.append({**node, **({"attrs": {key: str(value) for key, value in attrs.items()}} if attrs else {})})
        return len(self.nodes) - 1

    def conv(self, x: int, name: str, shape: tuple[int, ...], stride: int = 1, groups: int = 1) -> int:
        """`shape` is that of the weight; the padding keeps the size, but of kernels of 7."""
        pad = {1: 0, 3: 1, 7: 0}[shape[2]]
        scale = (2 / np.prod(shape[1:])) ** 0.5
        weight = self.null(f"{name}_weight", self.random.normal(0, scale, shape))
        sizes = {"kernel": shape[2:], "pad": (pad, pad), "stride": (stride, stride)}
        return self.op("Convolution", name, x, weight, num_filter=shape[0], num_group=groups, no_bias=True, **sizes)

    def norm(self, x: int, name: str, channels: int, fixed: bool = False, variance: float = 1, **attrs: Any) -> int:
        """With a gamma that does harm where `fixed` is not heeded."""
        draw = self.random.uniform
        inputs = [
            self.null(f"{name}_gamma", draw(30, 50, channels) if fixed else draw(0.5, 1.2, channels)),
            self.null(f"{name}_beta", draw(-0.1, 0.1, channels)),
            self.null(f"{name}_moving_mean", draw(-0.1, 0.1, channels), aux=True),
            self.null(f"{name}_moving_var", draw(0.5 * variance, 2 * variance, channels), aux=True),
        ]
        return self.op("BatchNorm", name, x, *inputs, fix_gamma=fixed, **attrs)

    def prelu(self, x: int, name: str, channels: int) -> int:
        return self.op("LeakyReLU", name, x, self.null(f"{name}_gamma", np.full(channels, 0.25)), act_type="prelu")

    def dense(self, x: int, name: str, shape: tuple[int, int]) -> int:
        weight = self.null(f"{name}_weight", self.random.normal(0, shape[1] ** -0.5, shape))
        bias = self.null(f"{name}_bias", self.random.normal(0, 0.1, shape[0]))
        return self.op("FullyConnected", name, x, weight, bias, num_hidden=shape[0])

    def normalised(self) -> int:
        x = self.op("_copy", "id", self.data)
        x = self.op("_minus_scalar", "_minusscalar0", x, scalar="127.5")
        return self.op("_mul_scalar", "_mulscalar0", x, scalar="0.0078125")

    def symbol(self, *heads: int) -> dict[str, Any]:
        null = [number for number, node in enumerate(self.nodes) if node["op"] == "null"]
        ends = [[number, 0, 0] for number in heads or [len(self.nodes) - 1]]
        return {"nodes": self.nodes, "arg_nodes": null, "heads": ends, "attrs": {"mxnet_version": ["int", 10901]}}

    def save(self, prefix: Path, *heads: int) -> Path:
        """Write both files and give the path of the weights."""
        prefix.with_name(f"{prefix.name}-symbol.json").write_text(json.dumps(self.symbol(*heads)))
        path = prefix.with_name(f"{prefix.name}-0000.params")
        path.write_bytes(collection([array(value) for value in self.arrays.values()], list(self.arrays)))
        return path


def lresnet(blocks: Sequence[int], embedding: int = 512, eps: float = 2e-5) -> Model:
    """LResNet-E-IR (``fresnet.py``: units of version 3, input 1, output E)."""
    model = Model()
    x = model.conv(model.normalised(), "conv0", (64, 3, 3, 3))
    x = model.prelu(model.norm(x, "bn0", 64, eps=eps), "relu0", 64)
    inputs = 64
    for stage, (outputs, units) in enumerate(zip((64, 128, 256, 512), blocks, strict=True), 1):
        for unit in range(1, units + 1):
            name, stride = f"stage{stage}_unit{unit}", 2 if unit == 1 else 1
            y = model.conv(model.norm(x, f"{name}_bn1", inputs, eps=eps), f"{name}_conv1", (outputs, inputs, 3, 3))
            y = model.prelu(model.norm(y, f"{name}_bn2", outputs, eps=eps), f"{name}_relu1", outputs)
            y = model.conv(y, f"{name}_conv2", (outputs, outputs, 3, 3), stride)
            y = model.norm(y, f"{name}_bn3", outputs, eps=eps)
            if unit == 1:
                x = model.conv(x, f"{name}_conv1sc", (outputs, inputs, 1, 1), stride)
                x = model.norm(x, f"{name}_sc", outputs, eps=eps)
            x, inputs = model.op("elemwise_add", f"_plus{stage}_{unit}", y, x), outputs
    x = model.op("Dropout", "dropout0", model.norm(x, "bn1", 512, eps=eps), p=0.4)
    model.norm(model.dense(x, "pre_fc1", (embedding, 25088)), "fc1", embedding, True, 1e-3, eps=eps)
    return model


def _layer(
    model: Model, x: int, name: str, shape: tuple[int, ...], stride: int = 1, groups: int = 1, linear: bool = False,
    fixed: bool = False,
) -> int:  # fmt: skip
    x = model.conv(x, f"{name}_conv2d", shape, stride, groups)
    x = model.norm(x, f"{name}_batchnorm", shape[0], fixed)
    return x if linear else model.prelu(x, f"{name}_relu", shape[0])


def _head(model: Model, x: int, inputs: int, embedding: int) -> None:
    """``GDC`` of ``symbol_utils.py``."""
    x = _layer(model, x, "conv_6dw7_7", (512, inputs // 512, 7, 7), groups=512, linear=True)
    model.norm(model.dense(x, "pre_fc1", (embedding, 512)), "fc1", embedding, True, 1e-3, eps=2e-5)


def mobilefacenet(blocks: Sequence[int] = (1, 4, 6, 2)) -> Model:
    """``y1`` (``fmobilefacenet.py``)."""
    model = Model()

    def bottleneck(x: int, name: str, inputs: int, outputs: int, middle: int, stride: int) -> int:
        x = _layer(model, x, f"{name}_conv_sep", (middle, inputs, 1, 1))
        x = _layer(model, x, f"{name}_conv_dw", (middle, 1, 3, 3), stride, middle)
        return _layer(model, x, f"{name}_conv_proj", (outputs, middle, 1, 1), linear=True)

    x = _layer(model, model.normalised(), "conv_1", (64, 3, 3, 3), 2)
    x = _layer(model, x, "conv_2_dw", (64, 1, 3, 3), groups=64)
    stages = ((3, 64, 64, 128, 128), (4, 64, 128, 256, 256), (5, 128, 128, 512, 256))
    for (stage, inputs, outputs, middle, inner), count in zip(stages, blocks[1:], strict=True):
        x = bottleneck(x, f"dconv_{stage - 1}{stage}", inputs, outputs, middle, 2)
        for block in range(count):
            y = bottleneck(x, f"res_{stage}_block{block}", outputs, outputs, inner, 1)
            x = model.op("elemwise_add", f"_plus{stage}_{block}", y, x)
    _head(model, _layer(model, x, "conv_6sep", (512, 128, 1, 1)), 512, 128)
    return model


def lmobilenet(base: int = 32) -> Model:
    """``m1`` (``fmobilenet.py``), whose batch-norms hold every gamma but the head's first."""
    model = Model()
    x, inputs = _layer(model, model.normalised(), "conv_1", (base, 3, 3, 3), fixed=True), base
    for number, factor in enumerate((2, 4, 4, 8, 8, 16, 16, 16, 16, 16, 16, 32, 32), 2):
        stride = 2 if number in (3, 5, 7, 13) else 1
        x = _layer(model, x, f"conv_{number}_dw", (inputs, 1, 3, 3), stride, inputs, fixed=True)
        x = _layer(model, x, f"conv_{number}", (base * factor, inputs, 1, 1), fixed=True)
        inputs = base * factor
    _head(model, x, inputs, 256)
    return model


def written(arrays: Mapping[str, Any], version: int) -> bytes:
    """A file of named arrays, all in one layout."""
    return collection([array(value, version) for value in arrays.values()], list(arrays))
