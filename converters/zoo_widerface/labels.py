"""What the readers of label files have in common: an index of the images, units, and random access."""

from __future__ import annotations

import contextlib
import itertools
from abc import abstractmethod
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from zoo.datasets.beside import FILE, FOLDER, ImageFolder, UniqueKeys, key_of
from zoo.datasets.formats import UNIT, About, Reader, Unit
from zoo.datasets.sample import Annotation, Broken, Sample
from zoo.errors import InputError
from zoo_widerface.lines import Block, Lines
from zoo_widerface.options import LabelReadOptions

_TRIED = 8
_ALWAYS = ("images", "faces", "degenerate boxes")


@dataclass(frozen=True)
class Entry:
    """What a label file says of one image: its name as it stands there, (width, height) where stated, the faces."""

    name: str
    size: tuple[int, int] | None
    faces: Annotation


@dataclass
class Summary:
    """What walking the annotation once has shown: where each image begins (`offsets`), which keys are
    taken, what is there, and counts for people."""

    offsets: array[int] = field(default_factory=lambda: array("q"))
    keys: UniqueKeys = field(default_factory=UniqueKeys)
    holds: set[str] = field(default_factory=lambda: {"boxes", "keys"})
    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(_ALWAYS, 0)))

    def broken(self, offset: int) -> None:
        """Count an image that cannot be read."""
        self.offsets.append(offset)
        self.counts.update({"images": 1, "broken images": 1})

    def add(self, offset: int, name: str, faces: Annotation) -> None:
        """Count an image."""
        self.keys.add(len(self.offsets), key_of(name))
        self.offsets.append(offset)
        self._count(faces)

    def _count(self, faces: Annotation) -> None:
        self.counts.update(images=1, faces=len(faces))
        self.counts["images without faces"] += not len(faces)
        if faces.boxes is not None:
            self.counts["degenerate boxes"] += int((faces.boxes[:, 2:] <= faces.boxes[:, :2]).any(axis=1).sum())
        if faces.ignored is not None and faces.ignored.any():
            self.counts["ignored faces"] += int(faces.ignored.sum())
            self.holds.add("ignored")
        if faces.keypoints is not None:
            self.counts["faces with keypoints"] += int(np.isfinite(faces.keypoints).any(axis=(1, 2)).sum())
        for part in ("keypoints", "flags", "scores", "attributes"):
            if getattr(faces, part) is not None:
                self.holds.add(part)


class LabelReader(Reader):
    """Reads a label file of one block an image. Names of images are relative to a folder of images, which may be away:
    then the samples come without image.

    A sample's key is the image's name without its suffix, and the name itself is kept in ``extra["file"]``. `path` may
    be the folder that a writer with ``copy_images`` made. Raises `InputError` when the file cannot be opened.
    """

    file_name: ClassVar[str]
    """What the label file is called in such a folder."""

    def __init__(self, path: Path, options: LabelReadOptions | None = None) -> None:
        super().__init__(path, options or LabelReadOptions())
        self.labels = path / self.file_name if path.is_dir() else path

    @abstractmethod
    def blocks(self, lines: Lines) -> Iterator[Block]:
        """Cut the file's lines into blocks."""

    @abstractmethod
    def parse(self, block: Block) -> Entry:
        """Understand a block. Raises `InputError`."""

    def about(self) -> About:
        """Counted by reading the whole file once; images are not looked at."""
        summary, folder = self._summary, self._folder
        facts: dict[str, Any] = {name: count for name, count in summary.counts.items() if count or name in _ALWAYS}
        if summary.keys.renamed:
            facts["names given twice"] = len(summary.keys.renamed)
        holds = set(summary.holds)
        if folder.root is not None:
            facts[FOLDER] = str(folder.root)
            holds.add("images")
        return About("detection", len(summary.offsets), frozenset(holds), facts=facts)

    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """A unit's place is the byte offset of its first image, and the keys in it that are not as the names say."""
        offsets = self._summary.offsets
        for start in range(0, len(offsets), size):
            stop = min(start + size, len(offsets))
            yield Unit(start, stop, {"offset": offsets[start], "keys": self._summary.keys.of(start, stop)})

    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        """The images of a unit."""
        with self._blocks(unit.place["offset"]) as blocks:
            for number, block in enumerate(itertools.islice(blocks, unit.stop - unit.start), unit.start):
                yield self._sample(block, number, unit.place["keys"].get(str(number), ""))

    def sample(self, index: int) -> Sample:
        """The image number `index`. Raises `InputError` when it is broken, `IndexError` when there is none."""
        summary = self._summary
        self.require_number(index, len(summary.offsets))
        place = {"offset": summary.offsets[index], "keys": summary.keys.of(index, index + 1)}
        return self.good(next(self.read(Unit(index, index + 1, place))))

    def _sample(self, block: Block, number: int, key: str) -> Sample | Broken:
        name = ""
        try:
            entry = self._entry(block)
            name = entry.name
            image = self._folder.read(name)
        except InputError as error:
            return Broken(name or str(number), str(error).rstrip("."), str(self.labels), block.offset)
        return Sample(key or key_of(name), image, entry.size, entry.faces, extra={FILE: name})

    def _entry(self, block: Block) -> Entry:
        if block.problem:
            raise InputError(block.problem)
        return self.parse(block)

    @contextlib.contextmanager
    def _blocks(self, offset: int = 0) -> Iterator[Iterator[Block]]:
        try:
            with self.labels.open("rb") as stream:
                stream.seek(offset)
                yield self.blocks(Lines(stream))
        except OSError as error:
            raise InputError(f"{self.labels} cannot be read: {error.strerror or error}.") from None

    @cached_property
    def _summary(self) -> Summary:
        summary = Summary()
        with self._blocks() as blocks:
            for block in blocks:
                try:
                    entry = self._entry(block)
                except InputError:
                    summary.broken(block.offset)
                else:
                    summary.add(block.offset, entry.name, entry.faces)
        return summary

    @cached_property
    def _folder(self) -> ImageFolder:
        return ImageFolder.find(self.labels, self._first_names(), self.options.images)

    def _first_names(self) -> Iterator[str]:
        with self._blocks() as blocks:
            for block in itertools.islice(blocks, _TRIED):
                with contextlib.suppress(InputError):
                    yield self._entry(block).name
