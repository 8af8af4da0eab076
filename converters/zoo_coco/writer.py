"""Writing COCO: images and annotations in one pass, numbered in the order in which they come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.datasets.beside import copy_image, file_name, must_copy
from zoo.datasets.formats import About, Part, Writer
from zoo.datasets.sample import Annotation, Sample
from zoo.datasets.streams import Growing, part_path
from zoo_coco.annotations import render
from zoo_coco.options import CocoWriteOptions
from zoo_coco.sniff import NAMES

POINTS = ("left_eye", "right_eye", "nose", "left_mouth_corner", "right_mouth_corner")
"""The keypoints in their order, as the image shows them."""

_BATCH = 1 << 16
_IMAGES, _ANNOTATIONS = ".images", ".annotations"


class CocoWriter(Writer):
    """Writes one JSON document, an image or an annotation a line; with ``copy_images`` a folder with it and the images,
    in ``images``. Ids count from 1.

    The annotations grow in a file of their own and are joined to the images at the end. Raises `UsageError` where the
    source's images would get lost without the user having said so.
    """

    needs = frozenset({"boxes"})

    def __init__(self, work: Path, options: CocoWriteOptions | None = None, about: About | None = None) -> None:
        super().__init__(work, options or CocoWriteOptions(), about)
        self.copies = must_copy(self.options.copy_images, about, "coco")
        self._labels = Growing(self.out / NAMES[0] if self.copies else self.out)
        self._annotations = Growing(work / "annotations")
        self._images = self._faces = 0

    def part(self, number: int, first: int) -> Part:
        """Two text files; images go straight to their place."""
        return _CocoPart(self, [part_path(self.work, number, suffix) for suffix in (_IMAGES, _ANNOTATIONS)])

    def append(self, number: int, facts: Mapping[str, Any]) -> None:
        """Append the part's lines, with the ids that they get only now."""
        images, faces = (part_path(self.work, number, suffix) for suffix in (_IMAGES, _ANNOTATIONS))
        first = self._images
        if not first:
            self._labels.cut(0)
            self._labels.write(b'{"images": [')
        for batch in _batches(images):
            lines = enumerate(batch, self._images)
            self._labels.write(b"".join(b'%s\n{"id": %d, %s' % (b"," * (n > 0), n + 1, line) for n, line in lines))
            self._images += len(batch)
        for batch in _batches(faces):
            self._annotations.write(b"".join(_numbered(batch, self._faces, first)))
            self._faces += len(batch)
        images.unlink()
        faces.unlink()

    def finish(self) -> None:
        """Join images, annotations and the category to one document."""
        if not self._images:
            self._labels.cut(0)
            self._labels.write(b'{"images": [')
        self._labels.write(b'\n], "annotations": [')
        self._annotations.write(b"")
        self._annotations.close()
        with self._annotations.path.open("rb") as source:  # which stays, so that this can be done again
            while chunk := source.read(_BATCH):
                self._labels.write(chunk)
        category = {"id": 1, "name": self.options.category, "supercategory": "person", "keypoints": POINTS}
        self._labels.write(b'\n], "categories": [%s]}\n' % json.dumps(category, ensure_ascii=False).encode())
        self._labels.close()

    def state(self) -> dict[str, Any]:
        """How many images and annotations there are, and the sizes of their files."""
        sizes = [self._labels.size, self._annotations.size]
        return {"images": self._images, "annotations": self._faces, "sizes": sizes}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Cut both files back."""
        self._images, self._faces = state.get("images", 0), state.get("annotations", 0)
        for file, size in zip((self._labels, self._annotations), state.get("sizes", (0, 0)), strict=True):
            file.cut(size)


class _CocoPart(Part):
    """Lines without ids: images as the rest of an object, annotations with the image's number in the part before."""

    def __init__(self, writer: CocoWriter, paths: list[Path]) -> None:
        self._writer = writer
        self._images, self._faces = (path.open("wb") for path in paths)
        self._count = 0

    def write(self, sample: Sample) -> None:
        name = file_name(sample)
        faces = render(sample.faces or Annotation(), sample.key)
        size = sample.size or (sample.image.size if sample.image else None)
        image = {"file_name": name, **(dict(zip(("width", "height"), size, strict=True)) if size else {})}
        if self._writer.copies:
            copy_image(self._writer.out / "images", name, sample, self._writer.work)
        self._images.write(json.dumps(image, ensure_ascii=False).encode()[1:] + b"\n")
        self._faces.writelines(f"{self._count}\t{face}\n".encode() for face in faces)
        self._count += 1

    def close(self) -> dict[str, Any]:
        self._images.close()
        self._faces.close()
        return {}


def _batches(path: Path) -> Iterator[list[bytes]]:
    """The lines of a file without their ends, some at a time."""
    with path.open("rb") as stream:
        while lines := stream.readlines(_BATCH):
            yield [line[:-1] for line in lines]


def _numbered(lines: list[bytes], before: int, first: int) -> Iterator[bytes]:
    for number, line in enumerate(lines, before):
        image, _, face = line.partition(b"\t")
        comma = b"," if number else b""
        yield b'%s\n{"id": %d, "image_id": %d, %s' % (comma, number + 1, first + int(image) + 1, face)
