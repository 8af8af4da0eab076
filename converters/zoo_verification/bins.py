"""Reading insightface's ``.bin`` files: a pickle of ``(images, same)``.

The images of pair i are the elements 2 i and 2 i + 1, each an encoded file as bytes, as a string of Python 2, or as a
NumPy array of uint8, (N, 1) or flat. `same` has one bool a pair.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from zoo import safepickle
from zoo.datasets.formats import UNIT, About, Reader, Unit
from zoo.datasets.sample import Broken, EncodedImage, Sample, sniff
from zoo.datasets.windows import mapped
from zoo.errors import InputError

_KINDS = {"bytes": "bytes", "memoryview": "bytes", "ndarray": "NumPy arrays"}


class BinReader(Reader):
    """Reads one ``.bin`` file, which is mapped, not copied: an image's bytes are taken when it is read."""

    def about(self) -> About:
        """The number of images, and in the facts that of the pairs."""
        images, same = self._contents
        kinds = sorted({_KINDS.get(type(image).__name__, "others") for image in images})
        facts = {
            "pairs": len(same),
            "of one person": sum(same),
            "elements": " and ".join(kinds),
            "protocol": self._data[1] if self._data[0] == 0x80 else "0 or 1",
        }
        return About("verification", len(images), frozenset(("pairs", "images")), facts=facts)

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """Stretches of an even number of images."""
        size, count = whole_pairs(size), len(self._contents[0])
        for start in range(0, count, size):
            yield Unit(start, min(start + size, count))

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        """The images of the unit's pairs. When one of a pair is none, both are broken."""
        for first in range(unit.start, unit.stop, 2):
            yield from together([self._image(first), self._image(first + 1)])

    def sample(self, index: int) -> Sample:
        """The image number `index`."""
        self.require_number(index, len(self._contents[0]))
        return self.good(self._image(index))

    def _image(self, index: int) -> Sample | Broken:
        images, same = self._contents
        element = images[index]
        data = _encoded(element)
        if data is None:
            return Broken(f"{index:06d}", "it is neither bytes nor an array of uint8.", str(self.path))
        form = sniff(data)
        if not form:
            why = "it begins like no image." if data else "it is empty."
            return Broken(f"{index:06d}", why, str(self.path), self._offset(element) if data else -1, data)
        return Sample(f"{index:06d}", EncodedImage(data, form), pair=index // 2, same=same[index // 2])

    def _offset(self, element: Any) -> int:
        """Where in the file the element's bytes lie, -1 when they were decoded or copied."""
        import numpy as np

        arrays = (
            item if isinstance(item, np.ndarray) else np.frombuffer(item, np.uint8) for item in (self._data, element)
        )
        start, place = (int(array.__array_interface__["data"][0]) for array in arrays)
        return place - start if 0 <= place - start < len(self._data) else -1

    @cached_property
    def _data(self) -> mmap.mmap:
        return mapped(self.path)

    @cached_property
    def _contents(self) -> tuple[list[Any], list[bool]]:
        """The elements and what is said of each pair."""
        value = safepickle.load(self._data, str(self.path), views=True)
        if not isinstance(value, tuple | list) or len(value) != 2 or not isinstance(value[0], tuple | list):
            raise InputError(f"{self.path} is a pickle, but not one of a list of images and a list of pairs.")
        images, same = value
        if not isinstance(same, tuple | list):
            same = same.tolist() if hasattr(same, "tolist") and same.ndim == 1 else [None]
        if not all(isinstance(answer, int) and answer in (0, 1) for answer in same):
            raise InputError(f"{self.path} has something else than true and false in its list of pairs.")
        if len(images) != 2 * len(same):
            raise InputError(f"{self.path} has {len(images)} images for {len(same)} pairs, where two belong to each.")
        return list(images), [bool(answer) for answer in same]


def together(pair: list[Sample | Broken]) -> list[Sample | Broken]:
    """Both images of a pair as they are when both are good; otherwise none of them is."""
    broken = [item.key for item in pair if isinstance(item, Broken)]
    why = f"the other image of its pair, {broken[0]}, is not there or broken." if broken else ""
    return [Broken(item.key, why) if broken and isinstance(item, Sample) else item for item in pair]


def whole_pairs(size: int) -> int:
    """`size` as the next even number: so many samples make a unit that cuts no pair."""
    return max(2, size + size % 2)


def _encoded(element: Any) -> bytes | None:
    """The bytes of an element, None for one of no known kind."""
    if isinstance(element, bytes | memoryview):
        return bytes(element)
    import numpy as np

    if isinstance(element, np.ndarray) and element.dtype == np.uint8:
        return element.tobytes()
    return None
