"""Landmarks in .pts files beside their images."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from zoo.datasets.cropping import crop
from zoo.datasets.folders import FileError, FolderReader, read_image, read_optional
from zoo.datasets.folderwriters import FolderWriter, stored
from zoo.datasets.formats import About
from zoo.datasets.sample import Annotation, Sample
from zoo.datasets.tables import one_face, table
from zoo.types import Floats
from zoo_landmarkfiles.options import PtsReadOptions, PtsWriteOptions

_FILE = re.compile(rb"\s*(?:version\s*:\s*[\d.]+\s+)?n_points\s*:\s*(\d{1,9})\s*\{(.*)\}\s*", re.DOTALL)


class PtsReader(FolderReader):
    """Reads images with their .pts: one face of any number of points each. An image without .pts, and a .pts without
    image, is broken."""

    beside = (".pts",)

    def __init__(self, path: Path, options: PtsReadOptions | None = None) -> None:
        super().__init__(path, options or PtsReadOptions())

    def about(self) -> About:
        """Counted by listing the folder."""
        facts = {"first pixel": self.options.origin}
        return About("landmarks", self.survey()[0], frozenset({"landmarks", "keys", "images"}), facts=facts)

    def load(self, key: str, path: str) -> Sample:
        """An image and its points."""
        where = f"{path.rpartition('.')[0]}.pts"
        data = read_optional(self.path / where)
        if data is None:
            raise FileError(f"{path} has no {where}.", where)
        points = parse(data, where) - np.float32(self.options.origin)
        return Sample(key, read_image(self.path / path), faces=Annotation(landmarks=points[None]))


def parse(data: bytes, where: str) -> Floats:
    """The points (K, 2) of a .pts file, as they stand there. Raises `FileError`."""
    found = _FILE.fullmatch(data)
    if found is None:
        raise FileError(f"{where} is not a version, n_points and points in braces.", where, 0)
    points = table(found[2], 2, where, found.start(2))
    if len(points) != int(found[1]):
        raise FileError(f"{where} has {len(points)} points and says {int(found[1])}.", where, found.start(1))
    return points.astype(np.float32)


class PtsWriter(FolderWriter):
    """Writes images, as they are unless they are cropped, with their points in the layout that menpo writes."""

    needs = frozenset({"images", "landmarks"})

    def __init__(self, work: Path, options: PtsWriteOptions | None = None, about: About | None = None) -> None:
        super().__init__(work, options or PtsWriteOptions(), about)

    def files(self, sample: Sample, number: int) -> list[tuple[str, bytes]]:
        """The image and its points. Raises `InputError` for other than one face with landmarks."""
        sample = crop(sample, self.options)
        points = one_face(sample)
        data, suffix = stored(sample.image, sample.key)
        name = self.name(sample, number)
        return [(f"{name}{suffix}", data), (f"{name}.pts", self._render(points))]

    def _render(self, points: Floats) -> bytes:
        digits, origin = self.options.decimals, self.options.origin
        rows = "".join(f"{x + origin:.{digits}f} {y + origin:.{digits}f}\n" for x, y in points.tolist())
        return f"version: 1\nn_points: {len(points)}\n{{\n{rows}}}\n".encode()
