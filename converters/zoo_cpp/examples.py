"""example.cpp: the shortest program that uses a generated model."""

from __future__ import annotations

from string import Template

from zoo_cpp.interface import Interface, input_size
from zoo_cpp.sources import text

_WHATS = {
    "detector": "Finds the faces in a raw image, rows of blue, green and red bytes: score, left, top, right, bottom.",
    "landmarks": "Finds the points of a face in a raw image, rows of blue, green and red bytes: x and y of each.",
    "encoder": "Prints the embedding of a face in a raw image: rows of blue, green and red bytes.",
    "raw": "Prints how many numbers each output of the network has.",
}


def example(made: Interface) -> str:
    """example.cpp, which is called with the width, height and path of an image, where a face lies, and the path of the
    weights where these are in a file."""
    aligned = made.card.preprocess.crop.kind == "aligned"
    more = _face(made.kind, aligned)
    count = 4 + len(more) + made.binary
    words = made.words | {
        "what": _WHATS[made.kind],
        "usage": " ".join(["WIDTH HEIGHT FILE", *more, *["WEIGHTS"] * made.binary]),
        "count": str(count),
        "read": f", weights = contents(words[{count - 1}])" if made.binary else "",
        "given": " weights.data(), weights.size()," if made.binary else "",
        "size": _size(made),
        "numbers": str(len(more)),
        "handed": "nullptr, face" if aligned else "face, nullptr",
    }
    return Template(text("example")).substitute(words | {"use": Template(text(f"use_{made.kind}")).substitute(words)})


def _face(kind: str, aligned: bool) -> list[str]:
    if kind not in ("landmarks", "encoder"):
        return []
    return (
        [f"{axis}{point}" for point in range(1, 6) for axis in "XY"] if aligned else ["LEFT", "TOP", "RIGHT", "BOTTOM"]
    )


def _size(made: Interface) -> str:
    """The largest input that the model is made for: what the network takes, else the image's own size."""
    width, height = input_size(made)
    if made.kind == "raw":
        return f"{made.golden.width}, {made.golden.height}"
    if height:
        return f"{width}, {height}"
    return f"{width}, {width}" if width else "width, height"
