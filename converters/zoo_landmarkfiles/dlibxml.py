"""Reading dlib's XML. The file is parsed once to find where each image begins and which parts there are; units are then
parsed from there, after the file's own beginning."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets.beside import FILE, FOLDER, ImageFolder, UniqueKeys, key_of
from zoo.datasets.decimals import corners
from zoo.datasets.formats import OTHER, UNIT, About, Reader, Unit
from zoo.datasets.sample import Annotation, Broken, Sample
from zoo.errors import InputError
from zoo_landmarkfiles.imglab import MOST_NAMES, Box, Entry, Parser, UnfinishedError
from zoo_landmarkfiles.options import DlibReadOptions

XML = "dataset.xml"
"""What the file is called in a folder with images."""

FURTHER = "dlib"
"""The key of `Sample.extra` for a dictionary a face of label, pose and what else only dlib says of it."""

_CHUNK = 1 << 16
_LONGEST_HEAD = 1 << 20
_MOST_POINTS = 1 << 22
_TRIED = 8


@dataclass
class Summary:
    """What parsing the file once has shown: for each sample the offset of its image, names of the parts, keys that are
    taken, which attributes of boxes there are that only dlib has, counts for people, names to look for the folder of
    images with, and whether the file breaks off."""

    offsets: array[int] = field(default_factory=lambda: array("q"))
    parts: set[str] = field(default_factory=set)
    keys: UniqueKeys = field(default_factory=UniqueKeys)
    further: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    names: list[str] = field(default_factory=list)
    broken_off: bool = False

    @cached_property
    def names_of_parts(self) -> list[str]:
        """In the order of dlib's trainer, which is as texts: 00, 01, ..."""
        return sorted(self.parts)

    @property
    def samples(self) -> int:
        """How many there are, broken ones included."""
        return len(self.offsets) + self.broken_off

    def add(self, entry: Entry, each_face: bool) -> None:
        """Count an image. Raises `InputError` for too many names of parts."""
        number, key = len(self.offsets), key_of(entry.name)
        faces = len(entry.boxes) if each_face and not entry.problem else 1
        self.offsets.extend([entry.offset] * faces)
        self.counts.update({"images": 1, "broken images": bool(entry.problem)})
        if entry.problem:
            return
        for face in range(faces):
            self.keys.add(number + face, f"{key}-{face}" if each_face else key)
        self.names = self.names if len(self.names) == _TRIED else [*self.names, entry.name]
        ignored = sum(box.ignored for box in entry.boxes)
        self.counts.update({"faces": len(entry.boxes), "ignored faces": ignored})
        self.counts["images without faces"] += not entry.boxes
        self.counts["faces with a score"] += sum(not math.isnan(box.score) for box in entry.boxes)
        self.further.update(*(box.further for box in entry.boxes))
        self.parts.update(*(box.parts for box in entry.boxes))
        if len(self.parts) > MOST_NAMES:
            raise InputError(f"There are more than {MOST_NAMES} different names of parts.")

    def skip(self, start: int) -> tuple[int, int]:
        """Where to begin reading for the sample `start`, and how many samples of that image come before it."""
        if not self.offsets:
            return 0, 0
        first = last = min(start, len(self.offsets) - 1)
        while first and self.offsets[first - 1] == self.offsets[last]:
            first -= 1
        return self.offsets[last], start - first


class DlibReader(Reader):
    """Reads the XML of dlib's imglab: boxes, which of them are to be ignored, and parts as landmarks in the order of
    their names, NaN where a face lacks one. `path` may be a folder with a ``dataset.xml``.

    Boxes are left, top, left + width, top + height; parts are the numbers that stand there. The images may be away.
    With ``each_face`` an image of several faces becomes as many samples, and one without faces none. What else dlib
    says of boxes is ``extra["dlib"]``, a dictionary of texts a face.
    """

    def __init__(self, path: Path, options: DlibReadOptions | None = None) -> None:
        super().__init__(path, options or DlibReadOptions())
        self.labels = path / XML if path.is_dir() else path

    def about(self) -> About:
        """Counted by parsing the file once."""
        summary, folder = self._summary, self._folder
        holds = {"boxes", "keys"} | ({"landmarks"} if summary.parts else set())
        holds |= {"ignored"} if summary.counts["ignored faces"] else set()
        holds |= {"scores"} if summary.counts["faces with a score"] else set()
        holds |= {OTHER} if summary.further else set()
        facts: dict[str, Any] = {name: count for name, count in summary.counts.items() if count}
        if summary.parts:
            facts["parts"] = len(summary.parts)
        if summary.further:
            facts["only dlib has"] = sorted(summary.further)
        if summary.keys.renamed:
            facts["names given twice"] = len(summary.keys.renamed)
        if folder.root is not None:
            holds.add("images")
            facts[FOLDER] = str(folder.root)
        kind = "landmarks" if summary.parts else "detection"
        return About(kind, summary.samples, frozenset(holds), facts=facts)

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """A unit's place is where its first image begins, and what else only the whole file tells: how long its
        beginning is, the names of parts, whether any face is ignored, and keys."""
        for start in range(0, self._summary.samples, size):
            yield self._unit(start, min(start + size, self._summary.samples))

    def _unit(self, start: int, stop: int) -> Unit:
        summary = self._summary
        offset, skip = summary.skip(start)
        place = {
            "head": summary.offsets[0] if summary.offsets else 0,
            "parts": summary.names_of_parts,
            "ignored": summary.counts["ignored faces"] > 0,
            "offset": offset,
            "skip": skip,
            "keys": summary.keys.of(start, stop),
            "cut": summary.broken_off and stop == summary.samples,
        }
        return Unit(start, stop, place)

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        """The images of a unit. Where the file breaks off, a broken one is the last."""
        place = unit.place
        count = unit.stop - unit.start
        faces = islice(self._faces(place["head"], place["offset"]), place["skip"], place["skip"] + count)
        number = unit.start - 1
        for number, (entry, face) in enumerate(faces, unit.start):
            if isinstance(entry, UnfinishedError):
                yield Broken(str(number), str(entry), str(self.labels), entry.offset)
                continue
            try:
                yield self._sample(entry, face, place, place["keys"].get(str(number), ""))
            except InputError as error:
                yield Broken(entry.name or str(number), str(error), str(self.labels), entry.offset)
        if place["cut"] and number < unit.stop - 1:  # wrong nesting before this unit shows at the file's end alone
            size = self.labels.stat().st_size
            yield Broken(str(unit.stop - 1), "The XML is not well-formed to its end.", str(self.labels), size)

    def sample(self, index: int) -> Sample:
        """The sample number `index`. Raises `InputError` when it is broken, `IndexError` when there is none."""
        self.require_number(index, self._summary.samples)
        return self.good(next(iter(self.read(self._unit(index, index + 1)))))

    def _sample(self, entry: Entry, face: int, place: dict[str, Any], key: str) -> Sample:
        if entry.problem:
            raise InputError(f"{self.labels.name}: {entry.problem}.")
        boxes, own = entry.boxes, key_of(entry.name)
        if face >= 0:
            boxes, own = boxes[face : face + 1], f"{own}-{face}"
        if len(boxes) * len(place["parts"]) > _MOST_POINTS:
            raise InputError(f"{entry.name} has {len(boxes)} faces with parts, more than are read.")
        faces = annotation(boxes, place["parts"], place["ignored"])
        extra: dict[str, Any] = {FILE: entry.name}
        if any(box.further for box in boxes):
            extra[FURTHER] = [box.further for box in boxes]
        return Sample(key or own, self._folder.read(entry.name), entry.size, faces, extra=extra)

    def _faces(self, head: int, offset: int) -> Iterator[tuple[Entry | UnfinishedError, int]]:
        """The images, each with -1, or with each of its faces' numbers."""
        for entry in self._entries(head, offset):
            if isinstance(entry, UnfinishedError) or entry.problem or not self.options.each_face:
                yield entry, -1
            else:
                yield from ((entry, face) for face in range(len(entry.boxes)))

    def _entries(self, head: int, offset: int) -> Iterator[Entry | UnfinishedError]:
        """The images from the one that begins at `offset` on, parsed after the first `head` bytes of the file."""
        parser = Parser(str(self.labels), offset - head)
        try:
            with self.labels.open("rb") as stream:
                if head > _LONGEST_HEAD:
                    raise InputError(f"{self.labels} has more than {_LONGEST_HEAD >> 20} MiB before its first image.")
                parser.feed(stream.read(head))
                stream.seek(offset)
                while data := stream.read(_CHUNK):
                    yield from parser.feed(data)
                yield from parser.feed(b"", last=True)
        except UnfinishedError as error:
            yield from error.done
            yield error
        except OSError as error:
            raise InputError(f"{self.labels} cannot be read: {error.strerror or error}.") from None

    @cached_property
    def _summary(self) -> Summary:
        summary = Summary()
        for entry in self._entries(0, 0):
            if isinstance(entry, UnfinishedError):
                summary.broken_off = True
            else:
                summary.add(entry, self.options.each_face)
        return summary

    @cached_property
    def _folder(self) -> ImageFolder:
        names = self._summary.names if not self.options.images else ()
        return ImageFolder.find(self.labels, names, self.options.images)


def annotation(boxes: list[Box], names: list[str], ignored: bool) -> Annotation:
    """The faces of one image, with the parts `names` as landmarks where there are any in the set."""
    scores = [box.score for box in boxes]
    extents = np.array([box.extent for box in boxes], np.float64).reshape(-1, 4)
    nowhere = (np.nan, np.nan)
    points = np.array([[box.parts.get(name, nowhere) for name in names] for box in boxes], np.float32)
    return Annotation(
        boxes=corners(extents),
        landmarks=points.reshape(len(boxes), len(names), 2) if names else None,
        ignored=np.array([box.ignored for box in boxes], np.bool_) if ignored else None,
        scores=np.array(scores, np.float32) if not all(map(math.isnan, scores)) else None,
    )
