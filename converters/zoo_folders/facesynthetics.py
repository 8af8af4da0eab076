"""The layout of Microsoft's FaceSynthetics, and of a landmark project that sorts its files into folders."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

import numpy as np

from zoo.datasets.cropping import crop
from zoo.datasets.folders import FileError, FolderReader, is_image, read_image, read_optional
from zoo.datasets.folderwriters import FolderWriter, stored
from zoo.datasets.formats import About
from zoo.datasets.sample import Annotation, EncodedImage, Sample
from zoo.datasets.tables import lines, noted, one_face, table
from zoo.errors import InputError, UsageError
from zoo_folders.options import FaceSyntheticsReadOptions, FaceSyntheticsWriteOptions

COUNTS = (68, 70)
"""Points that a file may have: those of iBUG, and two pupils."""

WINDOW = 256
"""Side of the window whose corner is stored, in pixels."""

_FRAME = 512
_NO_FACE = (128, 128)
IMAGES, POINTS, CORNERS, MASKS = "img", "ldmks", "bbox_leftcorner_coord", "seg"
"""The folders of the sorted layout; masks, of which the project that has this layout makes no use, get one more."""

MASK = "mask"
"""The key of `Sample.extra` for the segmentation mask, an `EncodedImage` of grey levels: 0 to 18, 255 for ignored."""

_LDMKS, _SEG, _CORNER = "_ldmks.txt", "_seg.png", "_bbox.txt"


class FaceSyntheticsReader(FolderReader):
    """Reads frames with their points, in one folder or in ``img`` and ``ldmks``, joined by name. Where files have them,
    ``extra["mask"]`` is the segmentation mask as it is, and ``extra["corner"]`` the top-left corner [x, y] of the
    256-pixel window."""

    beside = (_LDMKS,)
    further = (_SEG,)

    def __init__(self, path: Path, options: FaceSyntheticsReadOptions | None = None) -> None:
        super().__init__(path, options or FaceSyntheticsReadOptions())

    @cached_property
    def _sorted(self) -> bool:
        return (self.path / IMAGES).is_dir() and (self.path / POINTS).is_dir()

    def about(self) -> About:
        """Counted by listing the folder."""
        count, found = self.survey()
        layout = f"{IMAGES}, {POINTS}" if self._sorted else "flat"
        holds = {"landmarks", "keys", "images"} | ({"masks"} if _SEG in found and self.options.masks else set())
        return About("landmarks", count, frozenset(holds), facts={"layout": layout})

    def takes(self, path: str) -> bool:
        """Images that are no masks; in the sorted layout only those in its folder of images."""
        return is_image(path) and not path.endswith(_SEG) and (not self._sorted or path.startswith(f"{IMAGES}/"))

    def key_of(self, path: str) -> str:
        """The name without the folder of images."""
        return path.removeprefix(f"{IMAGES}/") if self._sorted else path

    def image_of(self, stem: str) -> str:
        """The image of the points at `stem`."""
        return super().image_of(f"{IMAGES}/{stem.removeprefix(f'{POINTS}/')}" if self._sorted else stem)

    def load(self, key: str, path: str) -> Sample:
        """A frame and its points. Raises `InputError` when they are missing or neither 68 nor 70."""
        stem = self.key_of(path.rpartition(".")[0])
        where = f"{POINTS}/{stem}{_LDMKS}" if self._sorted else f"{stem}{_LDMKS}"
        data = read_optional(self.path / where)
        if data is None:
            raise FileError(f"{path} has no {where}.", where)
        points = table(data, 2, where).astype(np.float32)
        if len(points) not in COUNTS:
            raise FileError(f"{where} has {len(points)} points, neither 68 nor 70.", where, 0)
        if self.options.points == "68":
            points = points[:68]
        image = read_image(self.path / path)
        extra = self._mask(stem) | self._corner(stem)
        return Sample(key, image, faces=Annotation(landmarks=points[None]), extra=extra)

    def _mask(self, stem: str) -> dict[str, EncodedImage]:
        places = (f"{MASKS}/{stem}{_SEG}", f"{IMAGES}/{stem}{_SEG}") if self._sorted else (f"{stem}{_SEG}",)
        found = (self.path / place for place in places if self.options.masks and os.path.lexists(self.path / place))
        mask = next(found, None)
        return {} if mask is None else {MASK: read_image(mask)}

    def _corner(self, stem: str) -> dict[str, list[float]]:
        where = f"{CORNERS}/{stem}{_CORNER}"
        data = read_optional(self.path / where)
        if data is None:
            return {}
        rows = table(data, 2, where)
        if len(rows) != 1:
            raise FileError(f"{where} has {len(rows)} lines where one corner belongs.", where, 0)
        return {"corner": rows[0].tolist()}


class FaceSyntheticsWriter(FolderWriter):
    """Writes PNG frames with their points and, where the source has them, masks and corners; images in other formats
    are encoded anew. Raises `UsageError` for faces that are to be cut out of frames with masks."""

    needs = frozenset({"images", "landmarks"})

    def __init__(
        self, work: Path, options: FaceSyntheticsWriteOptions | None = None, about: About | None = None
    ) -> None:
        super().__init__(work, options or FaceSyntheticsWriteOptions(), about)
        if about is not None and "masks" in about.holds and self.options.crop != "none":
            raise UsageError("Masks are not cut out with the faces: masks=false leaves them out, crop=none keeps them.")

    def files(self, sample: Sample, number: int) -> list[tuple[str, bytes]]:
        """The frame, its points, its mask, and the corner of its window. Raises `InputError` for other than one face of
        68 or 70 points."""
        sample = crop(sample, self.options)
        points = one_face(sample, COUNTS)
        data, suffix = stored(sample.image, sample.key, ".png")
        name = self.name(sample, number)
        sorted_in = (f"{folder}/" if self.options.layout == "folders" else "" for folder in (IMAGES, POINTS, MASKS))
        images, texts, masks = sorted_in
        files = [(f"{images}{name}{suffix}", data), (f"{texts}{name}{_LDMKS}", lines(points))]
        if isinstance(mask := sample.extra.get(MASK), EncodedImage):
            files.append((f"{masks}{name}{_SEG}", stored(mask, f"the mask of {sample.key}", ".png")[0]))
        corner = self._corner(sample)
        if corner is not None:
            files.append((f"{CORNERS}/{name}{_CORNER}", corner))
        return files

    def _corner(self, sample: Sample) -> bytes | None:
        if self.options.corners == "box":
            x, y = window_corner(sample)
            return f"{x} {y}".encode()
        corner = noted(sample, "corner", 2) if self.options.corners == "source" else None
        return None if corner is None else lines(np.array([corner], np.float32)).rstrip()


def window_corner(sample: Sample) -> tuple[int, int]:
    """The corner of the 256-pixel window around the first box, as Make_Bbox.py computes it: centred across on the box,
    whose top is the window's; boxes too far right or down begin at 255; 128 128 without a box.

    Raises `InputError` for a box that is missing.
    """
    boxes = sample.faces.boxes if sample.faces is not None else None
    if boxes is None or not len(boxes):
        return _NO_FACE
    if not np.isfinite(boxes[0]).all():
        raise InputError(f"{sample.key} has a box with missing coordinates.")
    x1, y1, x2, _ = (int(value) for value in boxes[0])
    x1 = 255 if x1 + WINDOW >= _FRAME else x1
    y1 = 255 if y1 + WINDOW >= _FRAME else y1
    return x1 - (WINDOW - (x2 - x1)) // 2, y1
