"""Recognising ``annot.pkl`` by the head of the pickle."""

from __future__ import annotations

import re
from pathlib import Path

from zoo import safepickle

NAME = "annot.pkl"
"""What the pickle is called."""

_HEAD = 4096
_IMAGE = re.compile(rb"\.(jpe?g|png|bmp)", re.IGNORECASE)


def sniff(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a folder with ``annot.pkl``, or that file, from 0 to 1, and why."""
    file = path / NAME if path.is_dir() else path
    if file.name != NAME and file.suffix != ".pkl":
        return 0.0, f"is no folder with an {NAME}"
    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return 0.0, f"has no {NAME}"
    if not safepickle.begins(head) or not _IMAGE.search(head):
        return (
            0.1 if file.name == NAME else 0.0,
            f"has an {file.name} that does not begin like a pickle of images' names",
        )
    sure = 0.95 if file.name == NAME else 0.5
    return sure, f"{'has' if path.is_dir() else 'is'} a pickle {file.name} that begins with names of images"
