"""How far a converted model may be from its original, by the precision that its numbers are kept in.

In float32 a conversion is to change nothing: what is allowed is a few times what different orders of summation make.
Lower precisions lose something by their nature. Raw tensors say little then: where boxes in int8 are 1.4 % of a face's
size off, an output differs by 0.75 of its largest value somewhere in the background. So it is the faces that are
judged, and the limit of raw tensors is there for files that are broken.

int8 without a layer in float was measured to misplace points by 0.7 to 5.5 % of the face's size, and 1 to 1.5 % once
the most sensitive layers stay in float; embeddings have a cosine of 0.987 to 0.995.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Limits:
    """What a precision may lose.

    `raw`: largest difference of an output, relative to the output's largest value (at least 1). `score`: largest
    difference of a face's score. `pixels`: largest difference of a box's edge or of a point; beyond that, on average
    over the faces, the `fraction` of the face's size (see `zoo.models.decoded`). `faces`: the faces that may be missing
    or too many, as a share of those of the original. `cosine`: the smallest of two embeddings of a face.
    """

    raw: float
    score: float
    pixels: float
    fraction: float
    faces: float
    cosine: float

    def to_dict(self) -> dict[str, float]:
        """Plain data, for the receipt."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Limits:
        """The inverse of `to_dict`."""
        return cls(**{name: float(value) for name, value in document.items()})


LIMITS = {
    "float32": Limits(raw=1e-4, score=1e-3, pixels=0.1, fraction=0.0, faces=0.0, cosine=0.9999),
    "float16": Limits(raw=1e-2, score=1e-2, pixels=0.1, fraction=5e-3, faces=0.0, cosine=0.999),
    "decimal3": Limits(raw=5e-2, score=2e-2, pixels=0.1, fraction=1e-2, faces=0.0, cosine=0.999),
    "weights8": Limits(raw=1.0, score=0.2, pixels=0.1, fraction=0.03, faces=0.1, cosine=0.98),
    "int8": Limits(raw=1.0, score=0.2, pixels=0.1, fraction=0.03, faces=0.1, cosine=0.98),
}
"""By precision."""
