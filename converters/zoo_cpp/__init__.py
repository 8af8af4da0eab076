"""Self-contained C++ for the networks of the zoo: written, compiled and called."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.hookspecs import hookimpl
from zoo.specs import ConverterSpec, FormatSpec, HealthCheck, RuntimeSpec

ZOO_API = 1


@hookimpl
def zoo_formats() -> Iterator[FormatSpec]:
    """The format ``cpp``."""
    yield FormatSpec(
        name="cpp",
        summary="C++17 without dependencies: source, header, CMake file, example, and model.json with the card.",
        kinds=("model",),
        sniff="zoo_cpp.sniff:sniff",
        folder=True,
        read_card="zoo_cpp.cards:read_card",
        write_card="zoo_cpp.cards:write_card",
        files="zoo_cpp.cards:files",
    )


@hookimpl
def zoo_runtimes() -> Iterator[RuntimeSpec]:
    """The generated C++ itself, compiled here."""
    yield RuntimeSpec(
        name="cpp",
        summary="Generated C++, compiled once by the compiler that is there; of ONNX files it is made first.",
        formats=("cpp", "onnx"),
        open="zoo_cpp.session:CppSession",
        needs=("onnx",),
        install="pip install onnx",
        preference=1,
        card=True,
    )


@hookimpl
def zoo_converters() -> Iterator[ConverterSpec]:
    """From ONNX to C++: as it is, whole numbers included, or with the weights of a float network in fewer bits."""
    for function, precision in (("to_cpp", ""), ("to_cpp_float16", "float16"), ("to_cpp_weights8", "weights8")):
        yield ConverterSpec(
            src="onnx",
            dst="cpp",
            run=f"zoo_cpp.edges:{function}",
            options="zoo_cpp.options:CppOptions",
            needs=("onnx",),
            precision=precision,
            carries=("float32",) if precision else ("float32", "int8"),
            check="zoo_cpp.edges:check",
        )


@hookimpl
def zoo_checks() -> Iterator[HealthCheck]:
    """Compile a tiny program and call it."""
    yield HealthCheck("cpp", run="zoo_cpp.checks:cpp")
