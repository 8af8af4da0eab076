"""Recognising MXNet's files without parsing them."""

from __future__ import annotations

from pathlib import Path

from zoo_mxnet.files import PARAMS, SYMBOL, pair

_MAGIC = b"\x12\x01" + bytes(14)
_HEAD = 4096


def sniff(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is an MXNet model, or what the names of one begin with, from 0 to 1, and why."""
    if not path.exists():
        found = pair(path)
        if found.symbol and found.params:
            return 0.95, f"{found.symbol.name} and {found.params.name} are there"
        return 0.0, "there is no such file"
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        return 0.0, f"cannot be read: {error.strerror or error}"
    if head.startswith(_MAGIC):
        return (0.95 if path.name.endswith(PARAMS) else 0.5), "begins as MXNet's files of arrays do"
    if path.name.endswith(SYMBOL) and head.lstrip().startswith(b"{") and b'"nodes"' in head:
        return 0.95, f"is named {SYMBOL} and begins with a list of nodes"
    return 0.0, "is neither a file of MXNet's arrays nor a symbol"
