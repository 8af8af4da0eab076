"""Which ONNX operator is read by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zoo_cpp.reading import moving, pointwise, rounding, windows
from zoo_cpp.reading.known import EVALUATORS

READERS: Mapping[str, Callable[..., Any]] = {
    "Abs": pointwise.magnitude,
    "Add": pointwise.add,
    "AveragePool": windows.average_pool,
    "BatchNormalization": pointwise.batch_norm,
    "Cast": moving.same,
    "Clip": pointwise.clip,
    "Concat": moving.concat,
    "Conv": windows.conv,
    "DequantizeLinear": rounding.dequantize,
    "Div": pointwise.divide,
    "Dropout": moving.same,
    "Expand": moving.expand,
    "Flatten": moving.flatten,
    "Gemm": windows.gemm,
    "GlobalAveragePool": moving.mean,
    "GroupNormalization": pointwise.group_norm,
    "Identity": moving.same,
    "InstanceNormalization": pointwise.instance_norm,
    "LeakyRelu": pointwise.activation("leaky", 0.01),
    "LpNormalization": pointwise.unit,
    "MatMul": windows.matmul,
    "Max": pointwise.larger,
    "MaxPool": windows.max_pool,
    "Min": pointwise.smaller,
    "Mul": pointwise.multiply,
    "Neg": pointwise.negative,
    "PRelu": pointwise.prelu,
    "Pad": moving.pad,
    "QuantizeLinear": rounding.quantize,
    "ReduceL2": pointwise.length,
    "ReduceMean": moving.mean,
    "Relu": pointwise.activation("relu"),
    "Reshape": moving.reshape,
    "Resize": moving.resize,
    "Sigmoid": pointwise.activation("sigmoid"),
    "Slice": moving.cut,
    "Softmax": pointwise.softmax,
    "Split": moving.split,
    "Squeeze": moving.squeeze,
    "Sub": pointwise.subtract,
    "Transpose": moving.transpose,
    "Unsqueeze": moving.unsqueeze,
    "Upsample": moving.upsample,
}
"""Operators on what depends on the image."""

KNOWN = frozenset({"Constant", *READERS, *EVALUATORS})
"""All operators that can be read."""
