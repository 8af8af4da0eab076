"""Writing insightface's training sets."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo.datasets.formats import About
from zoo.datasets.sample import EncodedImage, Sample
from zoo.datasets.streams import Growing
from zoo.errors import InputError
from zoo_recordio import meta
from zoo_recordio.labels import EXACT, SIZE, pack_header, unpack_header
from zoo_recordio.options import InsightfaceOptions
from zoo_recordio.records import Records
from zoo_recordio.writing import RecordWriter

_RANGED = ("recbuilder", "insightface")
_RUN = struct.Struct("<II")


class InsightfaceWriter(RecordWriter):
    """Writes a folder with ``train.rec``, ``train.idx``, ``property`` and ``train.lst``.

    The layouts with a header number their images from 1 and end with a record for each identity that says which images
    are its own, so that these must follow one another; the other layouts number their images from 0.
    """

    def __init__(self, work: Path, options: Any = None, about: About | None = None) -> None:
        options = options or InsightfaceOptions()
        super().__init__(work, options, about, "train")
        self._ranged = options.layout in _RANGED
        self.base = 1 if self._ranged else 0
        self._runs = Growing(work / "runs")
        self._run: list[int] = []
        self._seen = bytearray()
        self._classes = 0

    def number(self, sample: Sample, names: Mapping[str, int]) -> int:
        """See `RecordWriter`. Raises `InputError` for a label that cannot be the number of a class."""
        number = super().number(sample, names)
        if number is None or not 0 <= number <= EXACT:
            shown = sample.extra.get("label") if number is None else number
            raise InputError(
                f"The label {shown!r} is no number of an identity, which is whole and from 0 to {EXACT:,}; the format"
                " im2rec takes any label."
            )
        return number

    def append(self, number: int, facts: Mapping[str, Any]) -> None:
        """See `RecordWriter`. Raises `InputError` when there are too many images."""
        super().append(number, facts)
        self._require_exact(self.count)

    def take_runs(self, runs: list[list[Any]]) -> None:
        """See `RecordWriter`. Raises `InputError` when an identity comes back."""
        for identity, length in runs:
            self._classes = max(self._classes, identity + 1)
            if self._run and self._run[0] == identity:
                self._run[1] += length
            else:
                self._end_run()
                self._begin_run(identity, length)

    def _require_exact(self, number: int) -> None:
        """Raise `InputError` when a key has become too large for a header or identity record."""
        if self._ranged and number > EXACT:
            raise InputError(
                f"This layout cannot count more than {EXACT:,} images and identities exactly, because its header is in"
                " float32; choose layout=sequential or package."
            )

    def _begin_run(self, identity: int, length: int) -> None:
        if self._ranged and not self._mark(identity):
            raise InputError(
                f"The images are not grouped by identity: {identity} comes back after others, but the identity records"
                " of this layout name the first and the last image of each; choose layout=sequential or package, or"
                " convert from a source that is in order."
            )
        self._run = [identity, length]

    def _mark(self, identity: int) -> bool:
        """Note that an identity has come, a bit for each; False when it had come before."""
        byte, bit = identity >> 3, 1 << (identity & 7)
        if byte >= len(self._seen):
            self._seen.extend(bytes(byte + 1 - len(self._seen)))
        new = not self._seen[byte] & bit
        self._seen[byte] |= bit
        return new

    def _end_run(self) -> None:
        if self._run:
            self._runs.write(_RUN.pack(*self._run))

    def finish(self) -> None:
        """See `Writer`. Raises `InputError` when there is no image, or the first one does not show its size."""
        self._end_run()
        self._run = []
        self._runs.close()
        self._require_exact(self.count + 1 + self._identities)
        if self.options.layout == "insightface":
            self._add_header(id2=0)
        if self._ranged:
            self._add_identities()
        if self.options.layout == "recbuilder":
            self._add_header(id2=1)
        super().finish()
        if self.options.layout == "package":
            meta.write(self.out / "train.meta", self._read_runs(), self.count)
        width, height = self._size()
        further = f"{self.count}\n" if self.options.layout == "package" else ""
        text = f"{self._classes},{height},{width}\n{further}"
        (self.out / "property").write_bytes(text.encode())

    def _add_header(self, id2: int) -> None:
        """Record 0: the key of the first identity record, and the one after the last. RecBuilder gives it the id2 1."""
        first = self.count + 1
        self.add(0, pack_header([first, first + self._identities], 0, id2))

    def _add_identities(self) -> None:
        """A record for each identity: the key of its first image, and the one after its last."""
        image = 1
        for key, (_, length) in enumerate(self._read_runs(), self.count + 1):
            self.add(key, pack_header([image, image + length], key))
            image += length

    @property
    def _identities(self) -> int:
        return self._runs.size // _RUN.size

    def _read_runs(self) -> Iterator[tuple[int, int]]:
        """Identity and number of images, for each stretch of images of one identity."""
        if self._runs.path.exists():
            with self._runs.path.open("rb") as stream:
                while data := stream.read(_RUN.size):
                    yield _RUN.unpack(data)

    def _size(self) -> tuple[int, int]:
        """Width and height of the first image, which all should have."""
        with Records(self.rec.path) as records:
            payload = records.payload(0)
        image = payload[SIZE + 4 * unpack_header(payload)[0] :]
        size = EncodedImage(image).size
        if size is None:
            raise InputError("The first image is of no known format, so that the file property cannot state its size.")
        return size

    def close(self) -> None:
        """See `RecordWriter`."""
        super().close()
        self._runs.close()

    def state(self) -> dict[str, Any]:
        """See `Writer`."""
        return {**super().state(), "runs": self._runs.size, "run": self._run, "classes": self._classes}

    def restore(self, state: Mapping[str, Any]) -> None:
        """See `Writer`."""
        super().restore(state)
        self._runs.cut(state.get("runs", 0))
        self._run, self._classes = list(state.get("run", [])), state.get("classes", 0)
        self._seen.clear()
        for identity in [*(identity for identity, _ in self._read_runs()), *self._run[:1]] if self._ranged else ():
            self._mark(identity)
