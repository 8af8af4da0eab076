"""Curves as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.charts import Axes, Line
from zoo.evaluation.curves import Curve
from zoo.types import Image


def draw(curves: Sequence[Curve], labels: Sequence[str], title: str) -> Image:
    """Precision over recall, both 0..1, of the curves, as (H, W, 3) uint8 BGR; `labels` say what each is."""
    lines = []
    for curve, label in zip(curves, labels, strict=True):
        here = curve.recall > 0  # before the first face is found there is no precision to speak of
        lines.append(Line(label, curve.recall[here], curve.precision[here]))
    return Axes(title, "recall", "precision").draw(lines)
