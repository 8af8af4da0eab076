"""Recognising TFLite files by their identifier."""

from __future__ import annotations

from pathlib import Path

IDENTIFIER = b"TFL3"
"""Bytes 4 to 8 of every file."""


def sniff(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a TFLite file, from 0 to 1, and why."""
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
    except OSError as error:
        return 0.0, f"cannot be read: {error.strerror or error}"
    if head[4:] != IDENTIFIER:
        return 0.0, "does not have TFLite's identifier"
    return 0.99, "has TFLite's identifier"
