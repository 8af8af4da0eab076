"""What a format of data sets implements: a reader, a writer, or both.

A format is named by a `zoo.specs.FormatSpec`, whose `reader` and `writer` are classes derived from these. Both are made
anew in every worker process from a path and an options dataclass, so they hold no open state that matters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from zoo.datasets.sample import Broken, Sample
from zoo.datasets.streams import Growing
from zoo.errors import InputError

UNIT = 1024
"""Samples that are read and written together, by one worker. Fixed, so that no output depends on the workers."""

KINDS = ("detection", "landmarks", "identities", "verification")
OTHER = "other"
"""The annotation that has no place in a `Sample` but its ``extra``: only the format itself can hold it."""

FOLDER = "images in"
"""The fact of an `About` that says in which folder the images lie that a label file names."""

ANNOTATIONS = {
    "identity": "who it is",
    "pairs": "pairs and whether both show one person",
    "boxes": "boxes",
    "keypoints": "five keypoints",
    "flags": "the flags of keypoints",
    "landmarks": "landmarks",
    "ignored": "which faces are to be ignored",
    "scores": "scores",
    "attributes": "attributes such as blur and pose",
    "masks": "segmentation masks",
    OTHER: "annotation that no other format has",
    "keys": "names of the images",
    "images": "the images themselves",
}
"""What a data set may hold, and how a person is told that it would be lost."""

_TELLING = {"pairs": "verification", "identity": "identities", "landmarks": "landmarks"}


def kind_of(holds: Collection[str]) -> str:
    """The one of `KINDS` that a set is which holds this, for formats that hold any."""
    return next((kind for name, kind in _TELLING.items() if name in holds), "detection")


@dataclass(frozen=True)
class Unit:
    """A stretch of a data set that one worker reads: samples `start` to `stop` (exclusive; `stop` -1 where only reading
    tells), and `place`, whatever the reader needs to get there (a byte offset, a list of names): JSON-able."""

    start: int
    stop: int
    place: Any = None


@dataclass(frozen=True)
class About:
    """What a reader knows without reading all: the `kind`, the number of samples (None: only reading tells), which of
    `ANNOTATIONS` are there, the names of the identities in the order of their numbers (`classes`, empty where they are
    numbers already), and `facts` for people (class counts, variants, oddities found)."""

    kind: str
    count: int | None
    holds: frozenset[str]
    classes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


class Reader(ABC):
    """Reads one data set. Made as ``Reader(path, options)``; raises `zoo.errors.InputError` with a sentence, and where
    there is one the byte offset, for a set that cannot be read at all."""

    def __init__(self, path: Path, options: Any = None) -> None:
        self.path, self.options = path, options

    @abstractmethod
    def about(self) -> About:
        """What is known cheaply."""

    @abstractmethod
    def units(self, size: int = UNIT) -> Iterator[Unit]:
        """The set cut into stretches of `size` samples, in order, without reading the samples where that is possible.
        A stream that cannot be entered in the middle is one unit."""

    @abstractmethod
    def read(self, unit: Unit) -> Iterator[Sample | Broken]:
        """The samples of a unit, in order. A sample that cannot be read comes as `Broken` and the rest goes on, unless
        nothing after it can be found, which ends the unit after the `Broken`."""

    def __iter__(self) -> Iterator[Sample | Broken]:
        for unit in self.units():
            yield from self.read(unit)

    def sample(self, index: int) -> Sample:
        """The sample number `index`, for formats that allow random access. Raises `TypeError` for those that do not."""
        raise TypeError(f"{type(self).__name__} reads in order only")

    def require_number(self, index: int, count: int) -> None:
        """Raise `IndexError` unless there is a sample number `index` among `count`."""
        if not 0 <= index < count:
            raise IndexError(f"{self.path} has {count:,} samples, and none of the number {index}.")

    def good(self, found: Sample | Broken) -> Sample:
        """`found` where it could be read. Raises `InputError` where it could not."""
        if isinstance(found, Broken):
            raise InputError(f"{self.path}: {found.sentence}")
        return found


class Part(ABC):
    """What a worker writes for one unit: a file of its own at `path`, and facts for the writer's `finish`."""

    @abstractmethod
    def write(self, sample: Sample) -> None:
        """Append a sample. Raises `zoo.errors.InputError` when this sample cannot be written in this format; the part
        is then as it was before."""

    def withdraw(self) -> list[Broken]:
        """Called once before `close`: samples that `write` took and that cannot be written after all, because others
        that they belong to did not come, as the other half of a pair. They count as bad ones."""
        return []

    @abstractmethod
    def close(self) -> dict[str, Any]:
        """Complete the part's files; JSON-able facts about it (sizes and offsets of records, identities seen)."""


class Writer(ABC):
    """Writes one data set: the file or folder ``work/out``, which becomes the target when everything has gone well.

    The engine calls, per unit and in any process, ``part = writer.part(number, first)``, ``part.write(sample)`` ...,
    ``part.close()``; and, in the main process and in the order of the units, ``writer.append(number, facts)``; at the
    end ``writer.finish()``. Parts keep their files in ``work/parts`` or, where each sample is a file of its own, write
    into ``work/out`` directly; writing a part again gives the same files. `append` and `finish` depend on nothing but
    the facts and the parts' files.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    """What of `ANNOTATIONS` a set must hold to be written in this format."""

    def __init__(self, work: Path, options: Any = None, about: About | None = None) -> None:
        """`about` describes the source. Making a writer creates no file."""
        self.work, self.options, self.about = work, options, about
        self.out = work / "out"

    @property
    def unit(self) -> int:
        """How many samples make a unit: the shard's size for a writer of shards."""
        return UNIT

    @abstractmethod
    def part(self, number: int, first: int) -> Part:
        """Begin the part of unit `number`, whose first sample is the source's number `first`."""

    @abstractmethod
    def append(self, number: int, facts: Mapping[str, Any]) -> None:
        """Take a finished part into the set: concatenate its file, note its facts. Called once a unit, in order."""

    @abstractmethod
    def finish(self) -> None:
        """Write what comes last: indices, headers, lists."""

    def close(self) -> None:
        """Close what is open, when the work ends before `finish`."""
        for value in vars(self).values():
            for file in value.values() if isinstance(value, dict) else (value,):
                if isinstance(file, Growing):
                    file.close()

    def notes(self) -> dict[str, Any]:
        """What people should know of how the samples were written, printed and kept in the receipt; asked for after
        `finish`."""
        return {}

    def hashes(self) -> dict[Path, str]:
        """SHA-256 by path of the files of the output that were hashed as they grew, so that the receipt need not read
        them again; asked for after `finish`."""
        files = [file for file in vars(self).values() if isinstance(file, Growing)]
        return {file.path: file.sha256 for file in files if file.path.is_relative_to(self.out) and file.sha256}

    def state(self) -> dict[str, Any]:
        """What `append` has gathered so far, JSON-able and small, for a run that is continued after a kill; with the
        sizes of the files that it appends to."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - most writers gather nothing
        """Continue from a `state`: cut files back to the sizes that they had then."""
