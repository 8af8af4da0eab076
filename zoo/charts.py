"""Lines in a chart, drawn without a plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from zoo.types import Image

_PAPER, _INK, _GRID = (255, 255, 255), (50, 50, 50), (225, 225, 225)
_COLOURS = ((60, 140, 40), (190, 110, 20), (50, 50, 200), (160, 40, 140), (30, 150, 190))
_LEFT, _TOP, _RIGHT, _BOTTOM = 80, 50, 20, 60
_FONT, _SHIFT = cv2.FONT_HERSHEY_SIMPLEX, 4
_LEAST = 1e-9
"""On a scale of tens nothing is shown as less than this."""


@dataclass(frozen=True)
class Line:
    """Points `x` and `y`, as many of each, joined in their order; `label` says what they are."""

    label: str
    x: ArrayLike
    y: ArrayLike


@dataclass(frozen=True)
class Axes:
    """The plane of a chart of `width` x `height` pixels inside its frame.

    `x_range` and `y_range` are what is seen; `tens` shows logarithms upwards. The legend is inside at the bottom or,
    `above`, in the line of the title.
    """

    title: str
    x_label: str
    y_label: str
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)
    width: int = 640
    height: int = 640
    tens: bool = False
    above: bool = False

    def draw(self, lines: Sequence[Line]) -> Image:
        """The chart with its `lines`: (H, W, 3) uint8 BGR."""
        canvas = np.full((_TOP + self.height + _BOTTOM, _LEFT + self.width + _RIGHT, 3), _PAPER, np.uint8)
        self._grid(canvas)
        for number, line in enumerate(lines):
            colour = _COLOURS[number % len(_COLOURS)]
            points = np.stack([self._x(np.asarray(line.x, float)), self._y(np.asarray(line.y, float))], axis=1)
            fine = np.round(points * (1 << _SHIFT)).astype(np.int32)
            if len(fine) > 1:
                cv2.polylines(canvas, [fine], False, colour, 2, cv2.LINE_AA, _SHIFT)
            elif len(fine):
                cv2.circle(canvas, tuple(map(int, fine[0])), 3 << _SHIFT, colour, -1, cv2.LINE_AA, _SHIFT)
            left, row = self._place(lines, number)
            cv2.line(canvas, (left, row - 5), (left + 26, row - 5), colour, 2, cv2.LINE_AA)
            _write(canvas, line.label, (left + 34, row))
        return canvas

    def _place(self, lines: Sequence[Line], number: int) -> tuple[int, int]:
        """Where the legend tells of the line with that `number`: left, and the foot of its letters."""
        if not self.above:
            return _LEFT + 14, _TOP + self.height - 22 * (len(lines) - number) + 8
        return _LEFT + self.width - sum(54 + 8 * len(line.label) for line in lines[number:]), 32

    def _x(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        low, high = self.x_range
        return _LEFT + (values - low) / (high - low or 1) * self.width

    def _y(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        low, high = self.y_range
        if self.tens:
            low, high, values = np.log10(low), np.log10(high), np.log10(np.maximum(values, _LEAST))
        return np.asarray(_TOP + (high - values) / (high - low or 1) * self.height)

    def _grid(self, canvas: Image) -> None:
        for value in _ticks(*self.x_range):
            x = round(float(self._x(np.array(value))))
            cv2.line(canvas, (x, _TOP), (x, _TOP + self.height), _GRID, 1)
            _write(canvas, f"{value:g}", (x - 5 * len(f"{value:g}"), _TOP + self.height + 22))
        for value in powers(*self.y_range) if self.tens else _ticks(*self.y_range):
            y = round(float(self._y(np.array(value))))
            cv2.line(canvas, (_LEFT, y), (_LEFT + self.width, y), _GRID, 1)
            _write(canvas, f"{value:g}", (_LEFT - 8 - 9 * len(f"{value:g}"), y + 5))
        cv2.rectangle(canvas, (_LEFT, _TOP), (_LEFT + self.width, _TOP + self.height), _INK, 1)
        _write(canvas, self.title, (_LEFT, 32), 0.62)
        _write(canvas, self.x_label, (_LEFT + self.width // 2 - 24, _TOP + self.height + 46))
        _write(canvas, self.y_label, (6, _TOP - 12))


def decades(values: ArrayLike) -> tuple[float, float]:
    """The powers of ten between which all `values` lie, two different ones."""
    logs = np.log10(np.maximum(np.asarray(values, float), _LEAST))
    low, high = np.floor(logs.min()), np.floor(logs.max()) + 1
    return float(10**low), float(10**high)


def powers(low: float, high: float) -> list[float]:
    """The powers of ten from `low` to `high`."""
    return [float(10.0**power) for power in range(round(np.log10(low)), round(np.log10(high)) + 1)]


def _ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers from `low` to `high`."""
    span = high - low
    if span <= 0:
        return [low]
    rough = 10 ** np.floor(np.log10(span))
    step = next(part * rough for part in (0.2, 0.5, 1, 2) if span / (part * rough) < 7)
    first = np.ceil(round(low / step, 6))
    return [round(float(number * step), 12) for number in np.arange(first, np.floor(round(high / step, 6)) + 1)]


def _write(canvas: Image, text: str, corner: tuple[int, int], scale: float = 0.5) -> None:
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(canvas, plain, corner, _FONT, scale, _INK, 1, cv2.LINE_AA)
