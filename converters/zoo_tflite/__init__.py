"""TFLite: the format, the runtime that executes it, the ways to and from ONNX, and to int8."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import ConverterSpec, FormatSpec, HealthCheck, RuntimeSpec

ZOO_API = 1

_INSTALL = "pip install 'facezoo[tflite]'"


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The format ``tflite``."""
    yield FormatSpec(
        name="tflite",
        summary="TensorFlow Lite: a network with its weights in one file, for phones and small devices.",
        kinds=("model",),
        suffixes=(".tflite",),
        sniff="zoo_tflite.sniff:sniff",
        read_card="zoo_tflite.cards:read_card",
        write_card="zoo_tflite.cards:write_card",
    )


@hookimpl
def zoo_runtimes() -> Iterator[RuntimeSpec]:
    """LiteRT, TensorFlow Lite's interpreter."""
    yield RuntimeSpec(
        name="tflite",
        summary="LiteRT: TensorFlow Lite files on the processor.",
        formats=("tflite",),
        open="zoo_tflite.session:TFLiteSession",
        needs=("ai_edge_litert",),
        install=_INSTALL,
        preference=10,
    )


@hookimpl
def zoo_converters() -> Iterator[ConverterSpec]:
    """To and from ONNX, and to int8."""
    yield ConverterSpec(
        src="tflite",
        dst="onnx",
        run="zoo_tflite.from_tflite:to_onnx",
        options="zoo_tflite.options:OnnxOptions",
        needs=("tensorflow", "tf2onnx"),
        install="pip install 'facezoo[tensorflow]'",
    )
    yield ConverterSpec(
        src="onnx",
        dst="tflite",
        run="zoo_tflite.to_tflite:from_onnx",
        options="zoo_tflite.options:Onnx2tfOptions",
        cost=5.0,
        needs=("ai_edge_litert",),
        install=_INSTALL,
    )
    yield ConverterSpec(
        src="tflite",
        dst="tflite",
        run="zoo_tflite.int8:to_int8",
        options="zoo_tflite.options:QuantiseOptions",
        needs=("ai_edge_litert", "ai_edge_quantizer"),
        install=_INSTALL,
        precision="int8",
    )


@hookimpl
def zoo_checks() -> Iterator[HealthCheck]:
    """Whether LiteRT is there, and the environment that converts ONNX to TFLite."""
    yield HealthCheck("tflite", run="zoo_tflite.checks:tflite")
    yield HealthCheck("onnx2tf", run="zoo_tflite.checks:onnx2tf")
