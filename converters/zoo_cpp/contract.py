"""A card's input contract as C++ constants: what source/image.inc, fit.inc, bicubic.inc and crop.inc read."""

from __future__ import annotations

from zoo.alignment import SIZE, template
from zoo.errors import ModelError
from zoo.inference.preprocess import parse_sizes
from zoo.networks.native import constant
from zoo.specs import ModelCard

CROPS = ("none", "square", "window", "clipped", "box", "aligned")
"""The kinds of crops, ``none`` for networks that see the whole image."""


def constants(card: ModelCard, fixed: tuple[int, int] | None = None) -> str:
    """C++ lines that say how an image becomes the input of `card`'s network. `fixed` is the only (width, height) that
    the network takes, if there is one: the zoo's detectors letterbox images into it.

    Raises `ModelError` for a contract that no C++ can be made of.
    """
    contract = card.preprocess
    size = parse_sizes(contract.size)[0]
    width, height = fixed or (size.width, size.height)
    kind = contract.crop.kind or "none"
    if kind not in CROPS or not all(contract.std) or contract.multiple < 1 or contract.colour not in ("bgr", "rgb"):
        raise ModelError(f"The card {card.id!r} has an input contract that cannot be carried out in C++.")
    if kind != "none" and not (width and height):
        raise ModelError(f"The card {card.id!r} cuts out faces, but does not say of what size.")
    lines = [
        constant("kInputWidth", width),
        constant("kInputHeight", height),
        constant("kPadMultiple", 1 if fixed or kind != "none" else contract.multiple),
        constant("kRgb", contract.colour == "rgb"),
        constant("kMean", _floats(contract.mean)),
        constant("kScale", float(contract.scale)),
        constant("kStd", _floats(contract.std)),
        constant("kPad", float(contract.pad)),
        f"enum class Crop {{ {', '.join(CROPS)} }};",
        f"constexpr Crop kCrop = Crop::{kind};",
        constant("kCropScale", float(contract.crop.scale)),
        constant("kBicubic", contract.crop.resample == "bicubic"),
        _template(kind, width),
    ]
    return "\n".join(lines) + "\n"


def _floats(values: tuple[float, ...]) -> list[float]:
    return [float(value) for value in values]


def _template(kind: str, width: int) -> str:
    points = template(width if kind == "aligned" else SIZE)
    return constant("kTemplate", [[float(value) for value in point] for point in points])
