"""Reading COCO: ground truth, and lists of detections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from zoo.datasets.beside import FILE, FOLDER, ImageFolder, key_of
from zoo.datasets.formats import OTHER, UNIT, About, Reader, Unit
from zoo.datasets.sample import Broken, Sample
from zoo.errors import InputError
from zoo_coco.annotations import annotate
from zoo_coco.elements import element
from zoo_coco.index import LEFT_OUT, ODD, SAID, Builder, Index, opened
from zoo_coco.options import CocoReadOptions
from zoo_coco.sniff import NAMES


class CocoReader(Reader):
    """Reads COCO's JSON: an object with ``images`` and ``annotations``, or a list of detections with the images in a
    file beside it (``coco.json`` and ``coco_images.json``). All annotations are faces, or those of one category.

    The file is walked once for an index of a few bytes per annotation, and then read at the places that are wanted. A
    sample's key is ``file_name`` without its suffix, and the name itself is kept in ``extra["file"]``. Raises
    `InputError` with the byte offset for what is not such JSON.
    """

    def __init__(self, path: Path, options: CocoReadOptions | None = None) -> None:
        super().__init__(path, options or CocoReadOptions())
        inner = (path / name for name in NAMES if (path / name).is_file()) if path.is_dir() else iter(())
        self.labels = next(inner, path)

    def about(self) -> About:
        """Counted over all annotations; images are not looked at."""
        index, holds = self._index, {"boxes", "keys"}
        facts: dict[str, Any] = {"images": len(index.spans), "faces": len(index.annotations)}
        for name, held, fact in _COUNTED:
            if found := index.count(SAID[name]):
                holds.update(held)
                facts[fact] = found
        for bit, fact in _LEFT_OUT:
            if found := index.count(bit):
                holds.add(OTHER)
                facts[fact] = found
        if index.orphans:
            facts["annotations without an image, which are left out"] = index.orphans
        if index.keys.renamed:
            facts["names given twice"] = len(index.keys.renamed)
        if index.categories:
            facts["categories"] = list(index.categories.values())[:_SHOWN]
        if self._folder.root is not None:
            holds.add("images")
            facts[FOLDER] = str(self._folder.root)
        return About("detection", len(index.spans), frozenset(holds), facts=facts)

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """A unit's place is where its images and their annotations stand in the file."""
        count = len(self._index.spans)
        for start in range(0, count, size):
            stop = min(start + size, count)
            yield Unit(start, stop, self._index.place(start, stop))

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        """The images of a unit."""
        place = unit.place
        with ExitStack() as files:
            labels = files.enter_context(opened(self.labels))
            images = files.enter_context(opened(self._image_list)) if self._image_list else labels
            spans = zip(place["images"], place["annotations"], strict=True)
            for number, (span, faces) in enumerate(spans, unit.start):
                key = place["keys"].get(str(number), "")
                try:
                    yield self._sample(images, labels, span, faces, key)
                except InputError as error:
                    yield Broken(key or str(number), str(error).rstrip("."), str(self.labels), max(span[0], 0))

    def sample(self, index: int) -> Sample:
        """The image number `index`. Raises `InputError` when it is broken, `IndexError` when there is none."""
        self.require_number(index, len(self._index.spans))
        return self.good(next(self.read(Unit(index, index + 1, self._index.place(index, index + 1)))))

    def _sample(self, images: BinaryIO, labels: BinaryIO, span: list[int], faces: list[list[int]], key: str) -> Sample:
        image = {"id": span[0]} if span[1] < 0 else _at(images, span)
        if not isinstance(image, dict):
            raise InputError("the image is no JSON object")
        given = image.get("file_name")
        name = given if isinstance(given, str) and given else str(image.get("id"))
        faces_found = annotate([_at(labels, face) for face in faces])
        extra = {FILE: name} if name == given else {}
        return Sample(key or key_of(name), self._folder.read(name), _size(image), faces_found, extra=extra)

    @cached_property
    def _image_list(self) -> Path | None:
        """The file with the images that a list of detections is of; None for a document that has its own."""
        with opened(self.labels) as stream:
            if not stream.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
                return None
        given = Path(self.options.image_list) if self.options.image_list else None
        beside = self.labels.with_name(f"{self.labels.stem}_images.json")
        return given or (beside if beside.is_file() else None)

    @cached_property
    def _index(self) -> Index:
        builder, listed = Builder(), self._image_list
        if listed is not None and not {"", "images"} & builder.read(listed, ("", "images"), ()):
            raise InputError(f"{listed} has no images that the detections in {self.labels} could be of.")
        found = builder.read(self.labels, ("images",), ("annotations", ""))
        if not {"", "images"} & found:
            raise InputError(
                f"{self.labels} is not COCO's JSON: it has no list of images, and is no list of detections."
            )
        return builder.finish(self.labels, self.options.category, "" in found and listed is None)

    @cached_property
    def _folder(self) -> ImageFolder:
        return ImageFolder.find(self.labels, self._index.names, self.options.images)


_SHOWN = 20
_COUNTED = (
    ("iscrowd", ("ignored",), "ignored faces"),
    ("keypoints", ("keypoints", "flags"), "faces with keypoints"),
    ("score", ("scores",), "faces with a score"),
    ("attributes", ("attributes",), "faces with attributes"),
    ("segmentation", ("masks",), "faces with a segmentation, which is left out"),
)
_LEFT_OUT = (
    (ODD, "faces with other keypoints than five, which are left out"),
    (LEFT_OUT, "faces with attributes that are no whole numbers, which are left out"),
)


def _at(stream: BinaryIO, span: list[int]) -> Any:
    stream.seek(span[0])
    return element(stream.read(span[1]))


def _size(image: dict[str, Any]) -> tuple[int, int] | None:
    width, height = image.get("width"), image.get("height")
    if not isinstance(width, int) or not isinstance(height, int) or width < 1 or height < 1:
        return None
    return width, height
