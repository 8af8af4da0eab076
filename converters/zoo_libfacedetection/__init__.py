"""libfacedetection: YuNet as the C++ sources that this library compiles in."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import ConverterSpec, FormatSpec, RuntimeSpec

ZOO_API = 1

_INSTALL = "pip install 'facezoo[torch]'"


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The format ``libfacedetection``."""
    yield FormatSpec(
        name="libfacedetection",
        summary="libfacedetection: its facedetectcnn-data.cpp with the weights, and the network's source beside it.",
        kinds=("model",),
        sniff="zoo_libfacedetection.folder:sniff",
        folder=True,
        tensors="zoo_libfacedetection.folder:tensors",
        read_card="zoo_libfacedetection.folder:read_card",
        write_card="zoo_libfacedetection.folder:write_card",
        files="zoo_libfacedetection.folder:files",
        state="zoo_libfacedetection.folder:state",
    )


@hookimpl
def zoo_runtimes() -> Iterator[RuntimeSpec]:
    """The numbers of the data file in the method's own network."""
    yield RuntimeSpec(
        name="libfacedetection",
        summary="The numbers of libfacedetection's data file in PyTorch: what the library computes, without it.",
        formats=("libfacedetection",),
        open="zoo_libfacedetection.session:DataSession",
        needs=("torch",),
        install=_INSTALL,
        card=True,
    )


@hookimpl
def zoo_converters() -> Iterator[ConverterSpec]:
    """From weights to the library, and back to weights."""
    yield ConverterSpec(
        src="torch",
        dst="libfacedetection",
        run="zoo_libfacedetection.edges:to_libfacedetection",
        needs=("torch",),
        install=_INSTALL,
        methods=("yunet",),
        precision="decimal3",
    )
    yield ConverterSpec(
        src="libfacedetection",
        dst="torch",
        run="zoo_libfacedetection.edges:to_torch",
        needs=("torch",),
        install=_INSTALL,
        methods=("yunet",),
        precision="float32",
        carries=("float32", "decimal3"),
    )
