"""The data pipelines of mm-style configurations as steps of `zoo.training.augment`.

What a step does, and what its absent fields mean, is from deepinsight/insightface, detection/scrfd, and
ShiqiYu/libfacedetection.train: ``mmdet/datasets/pipelines`` (``loading.py``, ``transforms.py``, ``formating.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from zoo.specs import Preprocess
from zoo.training.augment import Flip, Resize, SquareCrop, Step
from zoo.training.colours import Photometric
from zoo.training.recipe import Recipe
from zoo.training.upstream.sections import Section

INTERPOLATIONS = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic", "area": "area", "lanczos": "lanczos"}
"""The names that they have there, and in `zoo.training.augment`."""

PACKING = ("DefaultFormatBundle", "ImageToTensor", "ToTensor", "ToDataContainer", "Transpose", "Collect")
"""Steps that hand on what the steps before have made."""


@dataclass
class Pipeline:
    """What has been read of a pipeline: its `steps`, the `side` in pixels of the squares that it makes (0: none yet),
    the ``mean``, ``std`` and ``to_rgb`` of its normalisation, and whether boxes are `clipped` at the border.

    `recipe` is the method's own, whose crops are taken where the pipeline's cannot be.
    """

    recipe: Recipe
    steps: list[Step] = field(default_factory=list)
    side: int = 0
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    to_rgb: bool = False
    normalised: bool = False

    def add(self, step: Step, part: Section, before: bool = False) -> None:
        """Add the `step` that `part` describes, or refuse it where it comes too late: after the normalisation or, of
        what must come `before` it, after the resizing."""
        if self.normalised:
            part.refuse("type", "after Normalize, where colours and places stay as they are")
        elif before and self.side:
            part.refuse("type", "after Resize, which comes last of what changes sizes")
        else:
            self.steps.append(step)

    def preprocess(self, card: Preprocess) -> Preprocess:
        """`card` itself where it does the same arithmetic, else with this one's."""
        colour = "rgb" if self.to_rgb else "bgr"
        same = all(abs(card.scale / one - 1 / other) < 1e-9 for one, other in zip(card.std, self.std, strict=True))
        if same and (card.colour, card.mean) == (colour, self.mean):
            return card
        (m0, m1, m2), (s0, s1, s2) = self.mean, self.std
        return replace(card, colour=colour, mean=(m0, m1, m2), scale=1.0, std=(s0, s1, s2))


def read(parts: Sequence[Section], recipe: Recipe) -> Pipeline:
    """What the steps `parts` do. What is not done here is refused in their account; raises `UsageError` for a pipeline
    that makes no squares of one size."""
    found = Pipeline(recipe)
    for part in parts:
        name = part.take("type")
        if reader := READERS.get(name):
            reader(part, found)
        else:
            if name not in PACKING:
                part.refuse("type", "no such step is here")
            part.leave_all()
    if parts and not found.side:
        raise parts[0].account.wrong("its training pipeline makes no squares: it has no Resize")
    return found


def _load_image(part: Section, _: Pipeline) -> None:
    part.leave("to_float32", "file_client_args", "imdecode_backend")
    part.want("color_type", "color")


def _load_labels(part: Section, _: Pipeline) -> None:
    """What labels the set has is told by the set."""
    part.leave("with_keypoints", "with_label", "poly2mask", "denorm_bbox", "file_client_args")
    part.want("with_bbox", True)
    part.want("with_mask", False)
    part.want("with_seg", False)


def _crop(part: Section, found: Pipeline) -> None:
    own = next((step.scales for step in found.recipe.augmentation if isinstance(step, SquareCrop)), None)
    if "crop_ratio_range" in part:
        part.refuse("crop_ratio_range", "sizes are drawn from crop_choice here")
    part.leave("crop_ratio_range")
    scales = part.numbers("crop_choice", own if "crop_ratio_range" in part else None)
    if min(scales) <= 0:
        raise part.wrong("crop_choice", "a list of sizes above 0")
    found.add(SquareCrop(scales, clip=bool(part.take("bbox_clip_border", True))), part, before=True)


def _resize(part: Section, found: Pipeline) -> None:
    part.leave("multiscale_mode")  # of several sizes, which are refused below
    part.want("ratio_range", None)
    part.want("backend", "cv2")
    part.want("override", False)
    square = any(isinstance(step, SquareCrop) for step in found.steps)
    if part.take("keep_ratio", True) and not square:
        part.refuse("keep_ratio", "images are stretched to squares here")
    way = part.take("interpolation", "bilinear")
    if way not in INTERPOLATIONS:
        part.refuse("interpolation")
    side = _side(part) or found.recipe.side
    if part.take("bbox_clip_border", True):  # where the crop does not cut faces off, this does, at the same border
        found.steps = [replace(step, clip=True) if isinstance(step, SquareCrop) else step for step in found.steps]
    found.add(Resize(side, side, (INTERPOLATIONS.get(way, "linear"),)), part, before=True)
    found.side = found.side or side


def _side(part: Section) -> int:
    """The side of the squares that images are made, 0 where they are made anything else."""
    sizes = part.take("img_scale")
    (size,) = sizes if isinstance(sizes, list) and len(sizes) == 1 else (sizes,)
    square = isinstance(size, list | tuple) and len(size) == 2 and size[0] == size[1]
    if not square or not isinstance(size[0], int) or size[0] < 1:
        part.refuse("img_scale", "images are made squares of one size here")
        return 0
    return size[0]


def _flip(part: Section, found: Pipeline) -> None:
    part.want("direction", "horizontal")
    if isinstance(part.values.get("flip_ratio"), list | tuple):
        part.refuse("flip_ratio", "one probability is needed")
        return
    probability = part.number("flip_ratio", least=0)
    if probability > 1:
        raise part.wrong("flip_ratio", "a number from 0 to 1")
    found.add(Flip(probability), part)


def _colours(part: Section, found: Pipeline) -> None:
    part.want("gray_prob", 0.0)
    plain = Photometric()
    low, high = part.numbers("contrast_range", plain.contrast, 2)
    weak, strong = part.numbers("saturation_range", plain.saturation, 2)
    brightness = part.number("brightness_delta", plain.brightness, 0)
    hue = part.number("hue_delta", plain.hue, 0)
    found.add(Photometric(brightness, (low, high), (weak, strong), hue), part)


def _normalise(part: Section, found: Pipeline) -> None:
    found.mean, found.std = part.numbers("mean", length=3), part.numbers("std", length=3)
    if min(found.std) <= 0:
        raise part.wrong("std", "3 numbers above 0")
    found.to_rgb = bool(part.take("to_rgb", True))
    if found.normalised:
        part.refuse("type", "images are normalised once")
    found.normalised = True


def _pad(part: Section, found: Pipeline) -> None:
    """Squares of a size that fits already are left as they are."""
    part.leave("pad_val", "pad_to_square")
    divisor, size = part.take("size_divisor") or 1, part.take("size") or (found.side, found.side)
    if not found.side or not isinstance(divisor, int) or found.side % divisor or tuple(size) != (found.side,) * 2:
        part.refuse("type", "images are not padded here")


READERS: dict[str, Callable[[Section, Pipeline], None]] = {
    "LoadImageFromFile": _load_image,
    "LoadAnnotations": _load_labels,
    "RandomSquareCrop": _crop,
    "Resize": _resize,
    "RandomFlip": _flip,
    "PhotoMetricDistortion": _colours,
    "Normalize": _normalise,
    "Pad": _pad,
}
"""The steps that are known, by their ``type``."""
