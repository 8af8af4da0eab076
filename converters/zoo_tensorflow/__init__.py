"""TensorFlow: checkpoints, frozen graphs and SavedModels, the runtime that executes them, and the ways out."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import ConverterSpec, FormatSpec, HealthCheck, RuntimeSpec

ZOO_API = 1

_INSTALL = "pip install 'facezoo[tensorflow]'"


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The formats ``tf-checkpoint``, ``tf-graph`` and ``saved-model``."""
    yield FormatSpec(
        name="tf-checkpoint",
        summary="TensorFlow checkpoint, V1 or V2: weights by name. Given as prefix, .index file or folder.",
        kinds=("model",),
        suffixes=(".index", ".ckpt"),
        sniff="zoo_tensorflow.sniff:checkpoint",
        tensors="zoo_tensorflow.checkpoint:tensors",
        read_card="zoo_tensorflow.cards:read_beside",
        write_card="zoo_tensorflow.cards:write_beside",
        files="zoo_tensorflow.checkpoint:files",
    )
    yield FormatSpec(
        name="tf-graph",
        summary="TensorFlow frozen graph: a network with its weights in one file.",
        kinds=("model",),
        suffixes=(".pb",),
        sniff="zoo_tensorflow.sniff:graph",
        read_card="zoo_tensorflow.cards:read_node",
        write_card="zoo_tensorflow.cards:write_node",
    )
    yield FormatSpec(
        name="saved-model",
        summary="TensorFlow SavedModel: a folder with a network, its variables and its signatures.",
        kinds=("model",),
        sniff="zoo_tensorflow.sniff:saved_model",
        folder=True,
        read_card="zoo_tensorflow.cards:read_extra",
        write_card="zoo_tensorflow.cards:write_extra",
        files="zoo_tensorflow.savedmodel:files",
    )


@hookimpl
def zoo_runtimes() -> Iterator[RuntimeSpec]:
    """TensorFlow itself."""
    yield RuntimeSpec(
        name="tensorflow",
        summary="TensorFlow: checkpoints, frozen graphs and SavedModels.",
        formats=("tf-checkpoint", "tf-graph", "saved-model"),
        open="zoo_tensorflow.session:TensorFlowSession",
        needs=("tensorflow",),
        install=_INSTALL,
        preference=10,
        card=True,
    )


@hookimpl
def zoo_converters() -> Iterator[ConverterSpec]:
    """From checkpoints to graphs, and from graphs to ONNX and TFLite."""
    for target in ("tf-graph", "saved-model"):
        yield ConverterSpec(
            src="tf-checkpoint",
            dst=target,
            run=f"zoo_tensorflow.edges:checkpoint_to_{target.replace('-', '_')}",
            needs=("tensorflow",),
            install=_INSTALL,
        )
    for source in ("tf-graph", "saved-model"):
        yield ConverterSpec(
            src=source,
            dst="onnx",
            run="zoo_tensorflow.edges:to_onnx",
            options="zoo_tensorflow.options:OnnxOptions",
            needs=("tensorflow", "tf2onnx"),
            install=_INSTALL,
        )
        yield ConverterSpec(
            src=source,
            dst="tflite",
            run="zoo_tensorflow.edges:to_tflite",
            needs=("tensorflow",),
            install=_INSTALL,
        )


@hookimpl
def zoo_checks() -> Iterator[HealthCheck]:
    """Run a tiny network on TensorFlow."""
    yield HealthCheck("tensorflow", run="zoo_tensorflow.checks:tensorflow")
