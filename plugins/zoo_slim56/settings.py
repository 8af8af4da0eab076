"""What the original's trainer notes beside its checkpoints: ``train_setting.txt``, one ``key: value`` a line.

Facts from gwanglee/face_landmarks, ``train_slim.py``: of its keys those that shape the network are read, and a key that
is absent has the trainer's default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import ModelError

NAME = "train_setting.txt"
_LONGEST = 1 << 16
_LINE = re.compile(r"^\s*(use_batch_norm|depth_multiplier|depth_gamma|is_color|input_size)\s*:\s*(\S+)", re.MULTILINE)


def read(folder: Path) -> Mapping[str, Any]:
    """The arguments of the network that was trained in `folder`; empty where the file is not there.

    Raises `ModelError` for a value that is no number or no truth value, and for networks of grey images or of another
    size than 56 pixels, which are not known.
    """
    path = folder / NAME
    if not path.is_file():
        return {}
    with path.open("rb") as stream:
        text = stream.read(_LONGEST).decode("utf-8", "replace")
    found = dict(_LINE.findall(text))
    if found.get("is_color", "True") != "True" or found.get("input_size", "56") != "56":
        raise ModelError(
            f"{path} tells of a network of grey images or of another size than 56 pixels, which is not known."
        )
    return {
        "batch_norm": found.get("use_batch_norm", "False") == "True",
        "depth_multiplier": _number(found.get("depth_multiplier", "1"), path),
        "depth_gamma": _number(found.get("depth_gamma", "1"), path),
    }


def _number(text: str, path: Path) -> float:
    try:
        return float(text)
    except ValueError:
        raise ModelError(f"{path} is damaged: {text[:40]!r} is no number.") from None
