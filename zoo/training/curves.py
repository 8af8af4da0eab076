"""How the loss went, as a picture, drawn without a plotting library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from zoo.types import Image

WIDTH, HEIGHT = 800, 480
_LEFT, _TOP, _RIGHT, _BOTTOM = 80, 40, 20, 50
_PAPER, _INK, _GRID, _LINE = (255, 255, 255), (50, 50, 50), (225, 225, 225), (190, 110, 20)
_LEAST = 1e-9
"""Losses are shown as logarithms, and none as less than this."""


def means(log: Path) -> list[float]:
    """The mean loss of each epoch, from the lines of ``log.jsonl``; none where there is no such file yet."""
    if not log.exists():
        return []
    records: list[dict[str, Any]] = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return [record["mean"] for record in records if "mean" in record]


def draw(losses: list[float]) -> Image:
    """The mean loss of each epoch, one at least, on a scale of tens: (H, W, 3) uint8 BGR."""
    canvas = np.full((_TOP + HEIGHT + _BOTTOM, _LEFT + WIDTH + _RIGHT, 3), _PAPER, np.uint8)
    values = np.log10(np.maximum(losses, _LEAST))
    low, high = np.floor(values.min()), np.floor(values.max()) + 1
    for power in np.arange(low, high + 1):
        y = round(_TOP + (high - power) / (high - low) * HEIGHT)
        cv2.line(canvas, (_LEFT, y), (_LEFT + WIDTH, y), _GRID, 1)
        _write(canvas, f"{10**power:g}", (8, y + 5))
    x = _LEFT + (np.arange(len(values)) + 0.5) / len(values) * WIDTH
    y = _TOP + (high - values) / (high - low) * HEIGHT
    points = np.stack([x, y], axis=1).round().astype(np.int32)
    cv2.polylines(canvas, [points], False, _LINE, 2, cv2.LINE_AA)
    cv2.circle(canvas, [int(number) for number in points[-1]], 3, _LINE, -1, cv2.LINE_AA)
    cv2.rectangle(canvas, (_LEFT, _TOP), (_LEFT + WIDTH, _TOP + HEIGHT), _INK, 1)
    _write(canvas, f"mean loss, after {len(losses)} epochs {losses[-1]:.4f}", (_LEFT, 26))
    for text, place in (("1", _LEFT), (str(len(losses)), _LEFT + WIDTH - 9 * len(str(len(losses))))):
        _write(canvas, text, (place, _TOP + HEIGHT + 24))
    _write(canvas, "epoch", (_LEFT + WIDTH // 2 - 20, _TOP + HEIGHT + 24))
    return canvas


def _write(canvas: Image, text: str, corner: tuple[int, int]) -> None:
    cv2.putText(canvas, text, corner, cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
