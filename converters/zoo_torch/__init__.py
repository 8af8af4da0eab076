"""PyTorch: its weight files, the runtime that executes them, and the ways from them to other formats."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import ConverterSpec, FormatSpec, HealthCheck, RuntimeSpec

ZOO_API = 1

_INSTALL = "pip install 'facezoo[torch]'"
_TFLITE = "pip install 'facezoo[torch,tflite]'"
_SAFE = ("torch", "safetensors")
_WEIGHTS = ("torch", "lightning", "safetensors")


def _format(name: str, summary: str, *suffixes: str) -> FormatSpec:
    return FormatSpec(
        name=name,
        summary=summary,
        kinds=("model",),
        suffixes=suffixes,
        sniff=f"zoo_torch.sniff:{name}",
        tensors="zoo_torch.checkpoint:tensors",
        read_card="zoo_torch.checkpoint:read_card",
        write_card="zoo_torch.checkpoint:write_card",
        config="zoo_torch.mmconfig:read",
        configured="zoo_torch.checkpoint:configured" if name == "lightning" else "",
        state="zoo_torch.checkpoint:state",
    )


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The formats ``torch``, ``lightning`` and ``safetensors``."""
    yield _format("torch", "PyTorch weights: a state dict, bare or as training programs wrap it.", ".pth", ".pt")
    yield _format("lightning", "PyTorch Lightning checkpoint: weights, hyper-parameters and training state.", ".ckpt")
    yield _format("safetensors", "safetensors: named tensors in a file that can hold no code.", ".safetensors")


@hookimpl
def zoo_runtimes() -> Iterator[RuntimeSpec]:
    """PyTorch itself."""
    yield RuntimeSpec(
        name="torch",
        summary="PyTorch: runs weight files, on processors, NVIDIA cards and Apple's.",
        formats=_WEIGHTS,
        open="zoo_torch.session:TorchSession",
        needs=("torch",),
        install=_INSTALL,
        preference=5,
        card=True,
    )


@hookimpl
def zoo_converters() -> Iterator[ConverterSpec]:
    """Between the weight files, and from them to ONNX and TFLite."""
    yield ConverterSpec("lightning", "torch", "zoo_torch.edges:to_torch", needs=("torch",), install=_INSTALL)
    yield ConverterSpec("safetensors", "torch", "zoo_torch.edges:to_torch", needs=_SAFE, install=_INSTALL)
    for source in ("torch", "lightning"):
        yield ConverterSpec(source, "safetensors", "zoo_torch.edges:to_safetensors", needs=_SAFE, install=_INSTALL)
    for source in _WEIGHTS:
        yield ConverterSpec(
            source,
            "onnx",
            "zoo_torch.onnx_export:to_onnx",
            options="zoo_torch.options:OnnxOptions",
            needs=("torch", "onnx"),
            install=_INSTALL,
        )
        yield ConverterSpec(
            source,
            "tflite",
            "zoo_torch.tflite_export:to_tflite",
            options="zoo_torch.options:TfliteOptions",
            cost=2.0,
            needs=("torch", "litert_torch"),
            install=_TFLITE,
        )


@hookimpl
def zoo_checks() -> Iterator[HealthCheck]:
    """Run a tiny network."""
    yield HealthCheck("torch", run="zoo_torch.checks:torch")
