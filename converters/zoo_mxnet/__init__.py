"""Apache MXNet: networks as ``-symbol.json`` with their ``.params``, read without MXNet."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import ConverterSpec, FormatSpec, RuntimeSpec

ZOO_API = 1


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The format ``mxnet``."""
    yield FormatSpec(
        name="mxnet",
        summary="Apache MXNet: prefix-symbol.json with the network, prefix-0000.params with its weights.",
        kinds=("model",),
        suffixes=(".params", "-symbol.json"),
        sniff="zoo_mxnet.sniff:sniff",
        tensors="zoo_mxnet.files:tensors",
        files="zoo_mxnet.files:files",
    )


@hookimpl
def zoo_runtimes() -> Iterator[RuntimeSpec]:
    """MXNet's operators in NumPy: the reference that conversions are compared with."""
    yield RuntimeSpec(
        name="mxnet",
        summary="MXNet's operators in NumPy: slow, with nothing to install; what conversions are compared with.",
        formats=("mxnet",),
        open="zoo_mxnet.session:MxnetSession",
    )


@hookimpl
def zoo_converters() -> Iterator[ConverterSpec]:
    """To ONNX, operator by operator, and to PyTorch for the networks that a method knows."""
    yield ConverterSpec(
        "mxnet", "onnx", "zoo_mxnet.toonnx:to_onnx", options="zoo_mxnet.options:OnnxOptions", needs=("onnx",)
    )
    yield ConverterSpec(
        "mxnet",
        "torch",
        "zoo_mxnet.totorch:to_torch",
        options="zoo_mxnet.options:SymbolOptions",
        needs=("torch",),
        install="pip install 'facezoo[torch]'",
    )
