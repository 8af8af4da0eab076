"""Precision and recall over a threshold on the score, the area beneath, and how sure that area is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
CONFIDENCE = 0.95
"""How often the true value lies within the interval that `interval` gives."""

_AT_ONCE = 100


@dataclass(frozen=True)
class Curve:
    """Precision and recall (T,) at T thresholds on the score, from the strictest to the loosest."""

    name: str
    thresholds: Numbers
    precision: Numbers
    recall: Numbers

    @property
    def best(self) -> tuple[float, float, float]:
        """Threshold, precision and recall where their harmonic mean is largest."""
        if not len(self.thresholds):
            return 0.0, 0.0, 0.0
        total = self.precision + self.recall
        harmonic = np.divide(2 * self.precision * self.recall, total, out=np.zeros_like(total), where=total > 0)
        place = int(harmonic.argmax())
        return float(self.thresholds[place]), float(self.precision[place]), float(self.recall[place])


def precision_recall(proposals: Numbers, matched: Numbers, faces: Numbers | float) -> tuple[Numbers, Numbers]:
    """Precision and recall (..., T) from how many detections (`proposals`) and found faces (`matched`), both
    (..., T), there are down to each threshold, of `faces` (..., 1) in all. Where nothing was proposed the precision is
    0: MATLAB's maximum passes over the 0/0 there, numpy's would spread it."""
    precision = np.divide(matched, proposals, out=np.zeros(matched.shape), where=proposals > 0)
    recall = np.divide(matched, faces, out=np.zeros(matched.shape), where=np.asarray(faces) > 0)
    return precision, recall


def average_precision(precision: Numbers, recall: Numbers) -> Numbers:
    """The area (...) beneath curves (..., T) as PASCAL VOC has it since 2010: at each recall the best precision at that
    recall or a higher one."""
    envelope = np.maximum.accumulate(precision[..., ::-1], axis=-1)[..., ::-1]
    area: Numbers = (np.diff(recall, axis=-1, prepend=0.0) * envelope).sum(axis=-1)
    return area


def resampled(images: int, times: int, seed: int) -> NDArray[np.int64]:
    """How often each of `images` is drawn (times, images) when as many as there are are drawn with replacement."""
    chance = np.random.default_rng(seed)
    drawn = chance.integers(0, images, (times, images)) + images * np.arange(times)[:, None]
    return np.bincount(drawn.ravel(), minlength=times * images).reshape(times, images)


def interval(values: Numbers) -> tuple[float, float]:
    """The middle `CONFIDENCE` of resampled values (B,) (percentile bootstrap; Efron 1979)."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values[np.isfinite(values)], (tail, 1 - tail))
    return float(low), float(high)


def spread(
    proposals: NDArray[np.int64], matched: NDArray[np.int64], faces: NDArray[np.int64], drawn: NDArray[np.int64]
) -> Numbers:
    """The average precision (B,) of resampled sets. proposals and matched (N, T) count what each of N images adds at
    each threshold, `faces` (N,) its faces; `drawn` (B, N) says how often an image is in a set."""
    areas = []
    tables = [counts.astype(np.float32) for counts in (proposals, matched)]  # whole numbers below 2 ** 24 are exact
    for start in range(0, len(drawn), _AT_ONCE):
        weights = drawn[start : start + _AT_ONCE].astype(np.float32)
        down, found = (np.cumsum(weights @ table, axis=1, dtype=np.float64) for table in tables)
        areas.append(average_precision(*precision_recall(down, found, (weights @ faces)[:, None].astype(np.float64))))
    return np.concatenate(areas) if areas else np.zeros(0)
