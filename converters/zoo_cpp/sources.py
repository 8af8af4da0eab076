"""The C++ text that generated files are put together from."""

from __future__ import annotations

from importlib.resources import files


def text(name: str) -> str:
    """The file `name` of the folder ``source``, without its suffix."""
    return (files("zoo_cpp") / "source" / f"{name}.inc").read_text("utf-8")
