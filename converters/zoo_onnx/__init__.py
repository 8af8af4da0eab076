"""ONNX: the model format, the two runtimes that execute it, and the way to int8."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import ConverterSpec, FormatSpec, HealthCheck, RuntimeSpec

ZOO_API = 1


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The format ``onnx``."""
    yield FormatSpec(
        name="onnx",
        summary="Open Neural Network Exchange: a network with its weights in one file.",
        kinds=("model",),
        suffixes=(".onnx",),
        sniff="zoo_onnx.sniff:sniff",
        read_card="zoo_onnx.cards:read_card",
        write_card="zoo_onnx.cards:write_card",
        files="zoo_onnx.external:files",
    )


@hookimpl
def zoo_runtimes() -> Iterator[RuntimeSpec]:
    """onnxruntime, and OpenCV's DNN module, which every installation has."""
    yield RuntimeSpec(
        name="onnxruntime",
        summary="ONNX Runtime: the fastest on processors, and on NVIDIA cards with facezoo[gpu].",
        formats=("onnx",),
        open="zoo_onnx.ort:OrtSession",
        needs=("onnxruntime",),
        install="pip install 'facezoo[cpu]'",
        preference=20,
    )
    yield RuntimeSpec(
        name="opencv",
        summary="OpenCV DNN: always there, on the processor.",
        formats=("onnx",),
        open="zoo_onnx.opencv:OpenCVSession",
        needs=("cv2", "onnx"),
        install="pip install opencv-python-headless onnx",
        preference=10,
    )


@hookimpl
def zoo_converters() -> Iterator[ConverterSpec]:
    """ONNX in int8."""
    yield ConverterSpec(
        src="onnx",
        dst="onnx",
        run="zoo_onnx.int8:to_int8",
        options="zoo_onnx.options:QuantiseOptions",
        needs=("onnxruntime", "onnx"),
        install="pip install 'facezoo[cpu]'",
        precision="int8",
    )


@hookimpl
def zoo_checks() -> Iterator[HealthCheck]:
    """Run a tiny network on each runtime."""
    yield HealthCheck("onnxruntime", run="zoo_onnx.checks:onnxruntime")
    yield HealthCheck("opencv", run="zoo_onnx.checks:opencv")
