"""Curves as a picture, drawn without a plotting library."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from zoo.evaluation.curves import Curve
from zoo.types import Image

SIDE = 640
_PAPER, _INK, _GRID = (255, 255, 255), (50, 50, 50), (225, 225, 225)
_COLOURS = ((60, 140, 40), (190, 110, 20), (50, 50, 200), (160, 40, 140), (30, 150, 190))
_LEFT, _TOP, _RIGHT, _BOTTOM = 70, 50, 20, 60
_FONT, _SHIFT = cv2.FONT_HERSHEY_SIMPLEX, 4


def draw(curves: Sequence[Curve], labels: Sequence[str], title: str) -> Image:
    """Precision over recall, both 0..1, of the curves, as (H, W, 3) uint8 BGR; `labels` say what each is."""
    canvas = np.full((_TOP + SIDE + _BOTTOM, _LEFT + SIDE + _RIGHT, 3), _PAPER, np.uint8)
    for tenth in range(0, 11, 2):
        _grid(canvas, tenth / 10)
    cv2.rectangle(canvas, (_LEFT, _TOP), (_LEFT + SIDE, _TOP + SIDE), _INK, 1)
    for number, (curve, label) in enumerate(zip(curves, labels, strict=True)):
        colour = _COLOURS[number % len(_COLOURS)]
        x, y = _LEFT + curve.recall * SIDE, _TOP + (1 - curve.precision) * SIDE
        here = curve.recall > 0  # before the first face is found there is no precision to speak of
        line = np.stack([x[here], y[here]], axis=1)
        cv2.polylines(canvas, [np.round(line * (1 << _SHIFT)).astype(np.int32)], False, colour, 2, cv2.LINE_AA, _SHIFT)
        height = _TOP + SIDE - 22 * (len(curves) - number) + 8
        cv2.line(canvas, (_LEFT + 14, height - 5), (_LEFT + 40, height - 5), colour, 2, cv2.LINE_AA)
        _write(canvas, label, (_LEFT + 48, height))
    _write(canvas, title, (_LEFT, 32), 0.62)
    _write(canvas, "recall", (_LEFT + SIDE // 2 - 24, _TOP + SIDE + 46))
    _write(canvas, "precision", (6, _TOP - 12))
    return canvas


def _grid(canvas: Image, value: float) -> None:
    x, y = round(_LEFT + value * SIDE), round(_TOP + (1 - value) * SIDE)
    cv2.line(canvas, (x, _TOP), (x, _TOP + SIDE), _GRID, 1)
    cv2.line(canvas, (_LEFT, y), (_LEFT + SIDE, y), _GRID, 1)
    _write(canvas, f"{value:.1f}", (x - 12, _TOP + SIDE + 22))
    _write(canvas, f"{value:.1f}", (_LEFT - 36, y + 5))


def _write(canvas: Image, text: str, corner: tuple[int, int], scale: float = 0.5) -> None:
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(canvas, plain, corner, _FONT, scale, _INK, 1, cv2.LINE_AA)
