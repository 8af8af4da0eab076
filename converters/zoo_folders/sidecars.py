"""Images with NAME_bbox.txt and NAME_ldmks.txt beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.datasets import decimals
from zoo.datasets.cropping import crop
from zoo.datasets.folders import FileError, FolderReader, is_image, read_image, read_optional
from zoo.datasets.folderwriters import FolderWriter, stored
from zoo.datasets.formats import About
from zoo.datasets.sample import Annotation, Sample
from zoo.datasets.tables import lines, table
from zoo.errors import InputError
from zoo.types import Floats
from zoo_folders.options import SidecarWriteOptions

POINTS = 68
BOXES, LANDMARKS, MASKS = "_bbox.txt", "_ldmks.txt", "_seg.png"


class SidecarReader(FolderReader):
    """Reads images with their boxes and landmarks. An image with neither file has no annotation."""

    beside = (BOXES, LANDMARKS)
    further = (MASKS,)

    def about(self) -> About:
        """Counted by listing the folder."""
        count, found = self.survey()
        named = {BOXES: "boxes", LANDMARKS: "landmarks", MASKS: "masks"}
        holds = {"keys", "images"} | {named[ending] for ending in found}
        return About("landmarks" if "landmarks" in holds else "detection", count, frozenset(holds))

    def takes(self, path: str) -> bool:
        """Every image but the masks of FaceSynthetics, which are left alone."""
        return is_image(path) and not path.endswith(MASKS)

    def load(self, key: str, path: str) -> Sample:
        """An image and its faces: a box a line, and 68 lines of landmarks a face."""
        stem = path.rpartition(".")[0]
        boxes, points = self._table(f"{stem}{BOXES}", 4), self._table(f"{stem}{LANDMARKS}", 2)
        image = read_image(self.path / path)
        if boxes is None and points is None:
            return Sample(key, image)
        landmarks = None
        if points is not None:
            faces = len(points) // POINTS if boxes is None else len(boxes)
            if len(points) != faces * POINTS:
                raise FileError(
                    f"{stem}{LANDMARKS} has {len(points)} points, not {POINTS} for each of {faces or 'the'} faces; the"
                    " format facesynthetics reads 70.",
                    f"{stem}{LANDMARKS}",
                    0,
                )
            landmarks = points.reshape(faces, POINTS, 2)
        return Sample(key, image, faces=Annotation(boxes, landmarks=landmarks))

    def _table(self, path: str, columns: int) -> Floats | None:
        data = read_optional(self.path / path)
        return None if data is None else table(data, columns, path).astype(np.float32)


class SidecarWriter(FolderWriter):
    """Writes images, as they are unless they are cropped, with their boxes and landmarks."""

    needs = frozenset({"images"})

    def __init__(self, work: Path, options: SidecarWriteOptions | None = None, about: About | None = None) -> None:
        super().__init__(work, options or SidecarWriteOptions(), about)

    def files(self, sample: Sample, number: int) -> list[tuple[str, bytes]]:
        """The image, and a text file for what its annotation has. Raises `InputError` for other than 68 landmarks."""
        sample = crop(sample, self.options)
        data, suffix = stored(sample.image, sample.key)
        name, faces = self.name(sample, number), sample.faces or Annotation()
        files = [(f"{name}{suffix}", data)]
        if faces.boxes is not None:
            boxes = np.trunc(faces.boxes) if self.options.whole_boxes else faces.boxes
            files.append((f"{name}{BOXES}", lines(_finite(boxes, sample.key))))
        if faces.landmarks is not None:
            if faces.landmarks.shape[1] != POINTS:
                raise InputError(f"{sample.key} has {faces.landmarks.shape[1]} landmarks; this format holds {POINTS}.")
            files.append((f"{name}{LANDMARKS}", _points(_finite(faces.landmarks, sample.key))))
        return files


def _finite(array: Floats, key: str) -> Floats:
    if not (np.abs(array) <= decimals.FARTHEST).all():
        raise InputError(f"{key} has boxes or landmarks that are missing or out of reach.")
    return array


def _points(landmarks: Floats) -> bytes:
    """Six decimals, as the original program writes them."""
    return "".join(f"{x:f} {y:f}\n" for x, y in landmarks.reshape(-1, 2).tolist()).encode()
