"""Where in a COCO file each image and its annotations stand: a few bytes each, whatever the annotation holds."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from zoo.datasets.beside import UniqueKeys, key_of
from zoo.errors import InputError
from zoo_coco.elements import Element, elements

IMAGES = 1 << 22
"""Most images in one file."""

ANNOTATIONS = 1 << 25
"""Most annotations in one file, for which the index takes 1 GB."""

FACES = 1 << 16
"""Most annotations of one image."""

POINTS = 15
"""Numbers of five keypoints x y v."""

SAID = {"iscrowd": 1, "keypoints": 2, "score": 4, "attributes": 8, "segmentation": 16}
"""What an annotation may say beside its box, and the bit that notes it."""

ODD, LEFT_OUT = 32, 64
"""The bits that note keypoints of another number than five, and attributes that are no whole numbers."""

_TRIED = 8


@dataclass
class Index:
    """`spans` (M, 2) are the offset and length of each of M images in its file, or its number and -1 where nothing
    describes it. ``annotations[starts[i]:starts[i + 1]]`` (N, 2) are those of the annotations of image i, `said` (N,)
    what they say (`SAID`)."""

    spans: NDArray[np.int64]
    starts: NDArray[np.int64]
    annotations: NDArray[np.int64]
    said: NDArray[np.uint8]
    orphans: int
    keys: UniqueKeys
    names: list[str]
    categories: dict[int, str]

    def place(self, start: int, stop: int) -> dict[str, Any]:
        """What a reader needs to get at the images `start` to `stop`."""
        faces = [self.annotations[self.starts[i] : self.starts[i + 1]].tolist() for i in range(start, stop)]
        return {"images": self.spans[start:stop].tolist(), "annotations": faces, "keys": self.keys.of(start, stop)}

    def count(self, bit: int) -> int:
        """How many annotations say what `bit` notes."""
        return int(np.count_nonzero(self.said & bit))


class Builder:
    """Gathers an index from the elements of one file or two."""

    def __init__(self) -> None:
        self.categories: dict[int, str] = {}
        self._numbers: dict[int | str, int] = {}
        self._described = bytearray()
        self._images, self._spans = array("q"), array("q")
        self._of_image, self._of_category, self._annotations = array("q"), array("q"), array("q")
        self._said = bytearray()
        self._keys, self._names = UniqueKeys(), list[str]()

    def read(self, path: Path, images: Collection[str], annotations: Collection[str]) -> set[str]:
        """Take in the lists of `path` that are called as one of `images` or `annotations` (empty: the document is that
        list), and its categories; gives the names of all that is in the document."""
        found = set()
        with opened(path) as stream:
            for item in elements(stream, str(path)):
                if not item.listed:
                    found.add(item.name)
                elif item.name in images:
                    self._image(item, path)
                elif item.name in annotations:
                    self._annotation(item, path)
                elif item.name == "categories" and isinstance(item.value, dict):
                    self._category(item.value)
        return found

    def _number(self, value: Any, name: str, item: Element, path: Path) -> int:
        found = value.get(name) if isinstance(value, dict) else None
        if isinstance(found, bool) or not isinstance(found, int | str) or (isinstance(found, int) and not _fits(found)):
            raise InputError(f"{path}: at byte {item.offset:,}, {name} should be the number of an image.")
        number = self._numbers.setdefault(found, len(self._numbers))
        if number == len(self._described):
            self._described.append(0)
        return number

    def _image(self, item: Element, path: Path) -> None:
        number = self._number(item.value, "id", item, path)
        if self._described[number]:
            raise InputError(f"{path}: at byte {item.offset:,}, the id {item.value['id']} is that of an image before.")
        if len(self._images) == IMAGES:
            raise InputError(f"{path} has more than {IMAGES:,} images; divide it.")
        self._described[number] = 1
        name = item.value.get("file_name")
        self._name(utf8(name) if isinstance(name, str) else str(item.value["id"]))
        self._images.append(number)
        self._spans.extend((item.offset, item.length))

    def _name(self, name: str) -> None:
        self._keys.add(len(self._images), key_of(name))
        if len(self._names) < _TRIED:
            self._names.append(name)

    def _annotation(self, item: Element, path: Path) -> None:
        if len(self._of_image) == ANNOTATIONS:
            raise InputError(f"{path} has more than {ANNOTATIONS:,} annotations; divide it.")
        value = item.value
        self._of_image.append(self._number(value, "image_id", item, path))
        category = value.get("category_id")
        self._of_category.append(category if isinstance(category, int) and _fits(category) else -1)
        self._annotations.extend((item.offset, item.length))
        self._said.append(_said(value))

    def _category(self, value: dict[str, Any]) -> None:
        number, name = value.get("id"), value.get("name")
        if isinstance(number, int) and isinstance(name, str):
            self.categories[number] = utf8(name)

    def finish(self, path: Path, category: str, undescribed: bool) -> Index:
        """The index of the annotations of `category` (empty: of all). Where `undescribed`, what the annotations name
        are the images."""
        if undescribed:
            for found in self._numbers:
                number = len(self._images)
                self._name(utf8(str(found)))
                if isinstance(found, str):
                    self._keys.renamed.setdefault(number, key_of(utf8(found)))
                self._images.append(number)
                self._spans.extend((found if isinstance(found, int) else number, -1))
        position = np.full(len(self._numbers), -1)
        position[_whole(self._images)] = np.arange(len(self._images))
        image = position[_whole(self._of_image)]
        kept = (image >= 0) & self._of(category, path)
        order = np.flatnonzero(kept)[np.argsort(image[kept], kind="stable")]
        starts = np.searchsorted(image[order], np.arange(len(self._images) + 1))
        if len(order) and np.diff(starts).max() > FACES:
            raise InputError(f"{path} has more than {FACES:,} annotations for one image.")
        annotations = _whole(self._annotations).reshape(-1, 2)[order]
        said = np.frombuffer(bytes(self._said), np.uint8)[order]
        spans, orphans = _whole(self._spans).reshape(-1, 2), int((image < 0).sum())
        return Index(spans, starts, annotations, said, orphans, self._keys, self._names, self.categories)

    def _of(self, category: str, path: Path) -> NDArray[np.bool_]:
        """Which annotations are of `category`."""
        numbers = _whole(self._of_category)
        if not category:
            return np.ones(len(numbers), bool)
        wanted = [number for number, name in self.categories.items() if category in (name, str(number))]
        if not wanted:
            known = ", ".join(map(str, self.categories.values())) or "none"
            raise InputError(f"{path} has no category {category}; it has: {known[:200]}.")
        return np.isin(numbers, wanted)


def _said(value: dict[str, Any]) -> int:
    points = value.get("keypoints")
    bits = SAID["iscrowd"] * bool(value.get("iscrowd")) | SAID["score"] * (value.get("score") is not None)
    bits |= SAID["segmentation"] * bool(value.get("segmentation"))
    if isinstance(points, list) and points:
        bits |= SAID["keypoints"] if len(points) == POINTS else ODD
    attributes = value.get("attributes")
    if isinstance(attributes, dict):
        whole = [is_whole(one) for one in attributes.values()]
        bits |= SAID["attributes"] * any(whole) | LEFT_OUT * (not all(whole))
    return bits


def is_whole(value: Any) -> bool:
    """Whether a value is an attribute that an `Annotation` can hold: true, false or a whole number."""
    return isinstance(value, int) and _fits(value)


def _fits(number: int) -> bool:
    return -(1 << 63) <= number < 1 << 63


def _whole(numbers: array[int]) -> NDArray[np.int64]:
    return np.frombuffer(numbers.tobytes(), np.int64)


def utf8(text: str) -> str:
    """A text that was taken for Latin-1 as what it is in UTF-8."""
    try:
        return text.encode("latin-1").decode()
    except ValueError:
        return text


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file `path`. Raises `InputError` when it cannot be read."""
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
