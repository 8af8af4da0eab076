"""Patches of faces with their landmarks as raw doubles, .npts and .cpts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.datasets.cropping import crop
from zoo.datasets.folders import FileError, FolderReader, read_image, read_optional
from zoo.datasets.folderwriters import FolderWriter, stored
from zoo.datasets.formats import About
from zoo.datasets.sample import Annotation, Sample
from zoo.datasets.tables import noted, one_face
from zoo.errors import InputError
from zoo_folders.options import PatchWriteOptions

POINTS = 68
_BYTES = 2 * POINTS * 8
_FARTHEST = 1e3  # in sides of the patch
_TOLERANCE = 1e-3

Points = NDArray[np.float64]


class PatchReader(FolderReader):
    """Reads patches. ``.npts`` are 68 points x, y as little-endian doubles, in widths and heights of the patch from its
    top-left corner.

    ``.cpts`` have no information but where the patch was: with the original's centre, ((l + w) / 2, (t + h) / 2), they
    tell its place, kept as ``extra["crop"]``, [left, top, width, height] in pixels of the photograph.
    """

    beside = (".npts",)

    def about(self) -> About:
        """Counted by listing the folder."""
        return About("landmarks", self.survey()[0], frozenset({"landmarks", "keys", "images"}))

    def load(self, key: str, path: str) -> Sample:
        """A patch and its points in pixels. Raises `InputError` when they are missing, or the patch is no image."""
        stem = path.rpartition(".")[0]
        relative = self._points(f"{stem}.npts")
        if relative is None:
            raise FileError(f"{path} has no {stem}.npts.", path)
        image = read_image(self.path / path)
        if image.size is None or not all(image.size):
            raise FileError(f"{path} does not say its size.", path, 0)
        points = relative * image.size
        extra: dict[str, Any] = {}
        centred = self._points(f"{stem}.cpts")
        if centred is not None and (corner := _corner(points, centred, image.size)):
            extra["crop"] = [*corner, *image.size]
        return Sample(key, image, image.size, Annotation(landmarks=points[None].astype(np.float32)), extra=extra)

    def _points(self, path: str) -> Points | None:
        data = read_optional(self.path / path)
        if data is None:
            return None
        if len(data) != _BYTES:
            raise FileError(f"{path} has {len(data)} bytes, not the {_BYTES} of {POINTS} points.", path, len(data))
        points = np.frombuffer(data, "<f8").reshape(POINTS, 2)
        good = (np.abs(points) <= _FARTHEST).all(axis=1)
        if not good.all():
            raise FileError(f"{path} has points that are nowhere near its patch.", path, 16 * int(np.argmin(good)))
        return points


def _corner(points: Points, centred: Points, size: tuple[int, int]) -> list[int] | None:
    """Left and top of the patch in its photograph, from both kinds of points; None when the centre is another."""
    found = np.asarray(size) - 2 * (points - centred * size / 2)
    corner = np.rint(found.mean(axis=0))
    if np.abs(found - corner).max() > _TOLERANCE:
        return None
    return [int(value) for value in corner]


class PatchWriter(FolderWriter):
    """Writes patches as PNG, cut out or as they are, and of each the turned copy that is asked for."""

    needs = frozenset({"images", "landmarks"})

    def __init__(self, work: Path, options: PatchWriteOptions | None = None, about: About | None = None) -> None:
        super().__init__(work, options or PatchWriteOptions(), about)

    def files(self, sample: Sample, number: int) -> list[tuple[str, bytes]]:
        """The patches of a sample. Raises `InputError` for other than 68 landmarks."""
        name, turned = self.name(sample, number), self.options.crop != "none" and self.options.crop_rotation > 0
        files = []
        if self.options.upright or not turned:
            files += self._patch(name, crop(sample, replace(self.options, crop_rotation=0.0)))
        if turned:
            files += self._patch(f"{name}_r", crop(sample, self.options))
        return files

    def _patch(self, name: str, sample: Sample) -> list[tuple[str, bytes]]:
        points = one_face(sample, (POINTS,)).astype(np.float64)
        data, suffix = stored(sample.image, sample.key, ".png")
        size = sample.image.size if sample.image else None
        if size is None or not all(size):
            raise InputError(f"{sample.key} has an image that does not say its size.")
        files = [(f"{name}{suffix}", data), (f"{name}.npts", (points / size).astype("<f8").tobytes())]
        if self.options.centre != "none":
            place = noted(sample, "crop", 4) or [0.0, 0.0, *size]
            scale = np.array(place[2:]) / size
            centred = centred_points(points * scale, place, self.options.centre)
            files.append((f"{name}.cpts", centred.astype("<f8").tobytes()))
        return files


def centred_points(points: Points, place: Sequence[float], centre: str) -> Points:
    """Points in pixels of a patch, cut out at `place` (left, top, width, height of the photograph), in half widths and
    heights from a centre: ``middle`` is the patch's; ``original`` what the original program takes for it in the
    photograph, ((left + width) / 2, (top + height) / 2), so that only patches at 0, 0 have their points in -1..1."""
    corner, size = np.array(place[:2], np.float64), np.array(place[2:], np.float64)
    if centre == "middle":
        return (points - size / 2) / (size / 2)
    return (points + corner - (corner + size) / 2) / (size / 2)
