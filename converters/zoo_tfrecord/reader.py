"""Reading TFRecord sets: the units of their files, and the format ``tfrecord``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from zoo.datasets.formats import About, kind_of
from zoo.datasets.sample import Broken, Sample
from zoo.datasets.sequential import SequentialReader
from zoo_tfrecord import files, records, schema, wire
from zoo_tfrecord.options import ReadOptions
from zoo_tfrecord.wire import WireError

LOOKED_AT = 64
"""Records from which it is told what a set holds."""


class RecordReader(SequentialReader):
    """Reads the records of one file, or of the files of a folder by name. What one means is `decode`'s business."""

    def __init__(self, path: Path, options: ReadOptions | None = None) -> None:
        found = files.files(path)
        compressed = [files.compression(file) != "none" for file in found]
        super().__init__(path, options or ReadOptions(), found, compressed)

    @abstractmethod
    def decode(self, payload: bytes, number: int) -> Sample:
        """The sample number `number`. Raises `WireError`."""

    @abstractmethod
    def describe(self, payloads: list[bytes]) -> tuple[str, frozenset[str], dict[str, Any]]:
        """The kind of a set that begins with `payloads`, what it holds, and facts about it."""

    def about(self) -> About:
        """What the first records say; how many there are in sets of at most a gigabyte that are not compressed."""
        with files.window(self.files[0]) as window:
            found = islice(records.payloads(window, "", self.options.verify), LOOKED_AT)
            first = [payload for _, payload in found if isinstance(payload, bytes)]
        kind, holds, facts = self.describe(first)
        facts = {"files": len(self.files), "compression": files.compression(self.files[0]), **facts}
        return About(kind, self.count(), holds, facts=facts)

    def offsets(self, file: Path) -> Iterator[int]:
        """Where each record is."""
        with files.window(file) as window:
            yield from records.offsets(window)

    def samples(self, file: Path, offset: int, number: int) -> Iterator[Sample | Broken]:
        """The samples of a file from a record on."""
        decode = self.decode
        with files.window(file, offset) as window:
            for place, payload in records.payloads(window, file.name, self.options.verify):
                if isinstance(payload, Broken):
                    payload.key = str(number)
                    yield payload
                else:
                    try:
                        yield decode(payload, number)
                    except WireError as error:
                        why = f"the record is no Example that can be used: {error}"
                        yield Broken(str(number), why, file.name, place, payload)
                number += 1


class ExampleReader(RecordReader):
    """Reads the format ``tfrecord``; `zoo_tfrecord.schema` says which features are understood."""

    def decode(self, payload: bytes, number: int) -> Sample:
        """The sample that an Example describes. Raises `WireError`."""
        return schema.read_sample(payload, number)

    def describe(self, payloads: list[bytes]) -> tuple[str, frozenset[str], dict[str, Any]]:
        """Tells the kind from the annotation that is there; facts are the names of the features."""
        names: dict[bytes, wire.Feature] = {}
        for payload in payloads:
            try:
                names |= wire.features(payload)
            except WireError:
                continue
        holds = schema.holds(names)
        told = {name.decode("utf-8", "replace"): wire.KINDS[names[name][0]] for name in sorted(names)}
        return kind_of(holds), frozenset(holds), {"features": told}
