"""The files of a TFRecord set, and whether one is compressed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from zoo.datasets.windows import Window
from zoo.errors import InputError
from zoo_tfrecord.records import HEAD, is_header

_SUFFIXES = (".tfrecord", ".tfrecords", ".tfrec")
_SHARD = re.compile(r".*-\d+-of-\d+(\.\w+)*")

Compression = Literal["none", "gzip", "zlib"]


def files(path: Path) -> list[Path]:
    """The file `path`, or those of the folder `path` that are named like TFRecord, sorted by name.

    Raises `InputError` when there are none.
    """
    if not path.is_dir():
        return [path]
    try:
        found = sorted(child for child in path.iterdir() if _is_named_so(child) and child.is_file())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
    if not found:
        raise InputError(f"{path} has no file named *.tfrecord or NAME-00000-of-00010.")
    return found


def _is_named_so(path: Path) -> bool:
    plain = path.name.removesuffix(".gz")
    hidden = plain.startswith(".") or plain.endswith(".json")
    return not hidden and (plain.endswith(_SUFFIXES) or _SHARD.fullmatch(plain) is not None)


def compression(path: Path) -> Compression:
    """How a file is compressed, told by its first bytes. Raises `InputError` when it cannot be read."""
    with Window(path) as window:
        head = window.fill(0, HEAD)[:HEAD]
    if is_header(head):
        return "none"
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    deflated = len(head) > 1 and head[0] & 15 == 8 and head[0] >> 4 < 8 and not int.from_bytes(head[:2]) % 31
    return "zlib" if deflated else "none"


def window(path: Path, offset: int = 0) -> Window:
    """A window on the records of a file: on what was inflated, where it is compressed (then from its beginning)."""
    inflate = compression(path) != "none"
    return Window(path, 0 if inflate else offset, inflate)
