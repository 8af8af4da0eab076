"""The faces of an image, as arrays.

Coordinates are pixels of the image as it is seen (after its EXIF orientation), continuous, x to the right and y down,
with the image's top-left corner at (0, 0). Boxes are x1, y1, x2, y2. Five-point keypoints are, as the image shows them
and not as the person would say: left eye, right eye, nose, left mouth corner, right mouth corner.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Image: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) uint8, channels in the order blue, green, red."""


@dataclass(frozen=True)
class Face:
    """One face. A field is None where the model that found it does not give it."""

    box: Floats
    score: float
    keypoints: Floats | None = None
    landmarks: Floats | None = None
    variances: Floats | None = None
    embedding: Floats | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, for JSON; what is None is left out."""
        fields = {name: getattr(self, name) for name in _FACE_FIELDS}
        return {name: _plain(np.asarray(value), name) for name, value in fields.items() if value is not None}


@dataclass(frozen=True)
class Faces:
    """The N faces of one image, as float32 arrays.

    boxes (N, 4) x1 y1 x2 y2 in pixels; scores (N,) in 0..1; keypoints (N, 5, 2) and landmarks (N, K, 2) in pixels;
    variances (N, K) in square pixels; embeddings (N, D). The ones that a model does not give are None.
    """

    boxes: Floats
    scores: Floats
    keypoints: Floats | None = None
    landmarks: Floats | None = None
    variances: Floats | None = None
    embeddings: Floats | None = None

    def __post_init__(self) -> None:
        for name, array in self.arrays().items():
            rows = np.ascontiguousarray(array, dtype=np.float32)
            if len(rows) != len(self.scores):
                raise ValueError(f"{name} has {len(rows)} rows for {len(self.scores)} scores")
            object.__setattr__(self, name, rows)

    @classmethod
    def empty(cls, keypoints: int = 0) -> Faces:
        """No faces; with `keypoints` > 0 the keypoint array is there, with no rows."""
        points = np.zeros((0, keypoints, 2), np.float32) if keypoints else None
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), points)

    @classmethod
    def concatenate(cls, parts: list[Faces]) -> Faces:
        """The faces of all `parts` (at least one), which must agree on which arrays they have."""
        if len(parts) == 1:
            return parts[0]
        names = parts[0].arrays()
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Faces:
        """The inverse of `to_dict`."""
        rows = document["faces"]
        if not rows:
            return cls.empty()
        columns = {name: [row[name] for row in rows] for name in _FACE_FIELDS if name in rows[0]}
        return cls(**{_PLURAL[name]: np.asarray(column, np.float32) for name, column in columns.items()})

    def to_dict(self) -> dict[str, Any]:
        """``{"faces": [{"box": [...], "score": ..., "keypoints": [[x, y], ...]}, ...]}``."""
        columns = {name: _plain(getattr(self, _PLURAL[name]), name) for name in self._names()}
        return {"faces": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}

    def to_supervision(self) -> Any:
        """A `supervision.Detections` of the same faces: boxes as ``xyxy``, scores as ``confidence``, the other arrays
        under their names in ``data``. Needs the package supervision."""
        import supervision

        data: dict[str, Any] = {k: array for k, array in self.arrays().items() if k not in ("boxes", "scores")}
        return supervision.Detections(xyxy=self.boxes, confidence=self.scores, data=data)

    @classmethod
    def from_supervision(cls, detections: Any) -> Faces:
        """The inverse of `to_supervision`; detections without confidence get the score 1."""
        scores = detections.confidence
        data = {name: detections.data[name] for name in list(_PLURAL.values())[2:] if name in detections.data}
        return cls(detections.xyxy, np.ones(len(detections), np.float32) if scores is None else scores, **data)

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: int) -> Face:
        one = {name: getattr(self, plural) for name, plural in _PLURAL.items()}
        row = {name: array[index] for name, array in one.items() if array is not None}
        return Face(**{**row, "score": float(row["score"])})

    def __iter__(self) -> Iterator[Face]:
        return (self[index] for index in range(len(self)))

    def select(self, rows: NDArray[Any] | slice) -> Faces:
        """The faces at `rows`: indices, a boolean mask or a slice, in that order."""
        return Faces(**{name: array[rows] for name, array in self.arrays().items()})

    def arrays(self) -> dict[str, Floats]:
        """The arrays that are there, by name."""
        return {_PLURAL[name]: getattr(self, _PLURAL[name]) for name in self._names()}

    def _names(self) -> list[str]:
        """The fields of one face that are there."""
        return [name for name, plural in _PLURAL.items() if getattr(self, plural) is not None]


_FACE_FIELDS = tuple(field.name for field in dataclasses.fields(Face))
_PLURAL = dict(zip(_FACE_FIELDS, (field.name for field in dataclasses.fields(Faces)), strict=True))


def _plain(values: NDArray[Any], name: str) -> Any:
    return values.astype(np.float64).round(6 if name == "score" else 4).tolist()
