"""How a run went, as a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.charts import Axes, Line, decades
from zoo.types import Image

WIDTH, HEIGHT = 960, 360


def read(log: Path) -> list[dict[str, Any]]:
    """The records of ``log.jsonl``; none where there is no such file yet."""
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.exists() else []


def means(records: Sequence[dict[str, Any]]) -> list[float]:
    """The mean loss of each epoch."""
    return [record["mean"] for record in records if "mean" in record]


def draw(records: Sequence[dict[str, Any]]) -> Image:
    """The loss and its parts over the steps, on a scale of tens, and below what the weights were judged by or, where
    they were not, the learning rate: (H, W, 3) uint8 BGR. There is one epoch at least in the `records` of a log."""
    last = max(record["step"] for record in records)
    parts = [name for name in records[0] if name not in ("epoch", "step", "rate", "loss", "mean", "judged")]
    lines = [_line(records, name) for name in parts]
    ends = means(records)[-1]
    lines.append(_line(records, "mean", "mean of an epoch"))
    heights = decades([value for line in lines for value in np.asarray(line.y)])
    loss = Axes(f"loss, {ends:.4g} in the end", "step", "", (0, last), heights, WIDTH, HEIGHT, tens=True, above=True)
    if judged := [record["judged"] for record in records if "judged" in record]:
        title, told = f"judged, {max(judged):.4f} at best", _line(records, "judged", "mean of the figures")
        below = Axes(title, "step", "", (0, last), (0, 1), WIDTH, HEIGHT, above=True).draw([told])
    else:
        rate = _line(records, "rate")
        span = decades(rate.y)
        below = Axes("learning rate", "step", "", (0, last), span, WIDTH, HEIGHT, tens=True, above=True).draw([rate])
    return np.vstack([loss.draw(lines), below])


def _line(records: Sequence[dict[str, Any]], name: str, label: str = "") -> Line:
    some = [record for record in records if name in record]
    return Line(label or name, [record["step"] for record in some], [record[name] for record in some])
