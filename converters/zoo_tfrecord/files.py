"""The files of a TFRecord set, and whether one is compressed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from zoo.datasets import patterns
from zoo.datasets.windows import Window
from zoo_tfrecord.records import HEAD, is_header

_SUFFIXES = (".tfrecord", ".tfrecords", ".tfrec")
_SHARD = re.compile(r".*-\d+-of-\d+(\.\w+)*")

Compression = Literal["none", "gzip", "zlib"]


def files(path: Path) -> list[Path]:
    """The files in order (see `zoo.datasets.patterns.files`). Raises `InputError` when there are none."""
    return patterns.files(path, _is_named_so, "*.tfrecord or NAME-00000-of-00010")


def _is_named_so(name: str) -> bool:
    plain = name.removesuffix(".gz")
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
    return Window(path, offset, compression(path) != "none")
