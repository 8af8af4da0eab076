"""Recognising ONNX files without parsing them."""

from __future__ import annotations

from pathlib import Path

_IR_VERSION = b"\x08"
"""Field 1 of the protobuf message ModelProto, a variable-length integer; writers put it first."""


def sniff(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is an ONNX file, from 0 to 1, and why."""
    try:
        with path.open("rb") as stream:
            head = stream.read(3)
    except OSError as error:
        return 0.0, f"cannot be read: {error.strerror or error}"
    if head[:1] != _IR_VERSION or len(head) < 3 or not 1 <= head[1] <= 100:
        return 0.0, "does not begin with an ONNX version"
    named = path.suffix.lower() == ".onnx"
    return (0.95 if named else 0.4), f"begins with ONNX version {head[1]}" + (" and is named .onnx" if named else "")
