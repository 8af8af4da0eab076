"""Writing sets as MXNet's im2rec does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.datasets.formats import About
from zoo.datasets.sample import Sample
from zoo.datasets.shards import checked_name
from zoo_recordio.options import Im2recOptions
from zoo_recordio.writing import RecordWriter, given_key


class Im2recWriter(RecordWriter):
    """Writes a folder with ``NAME.rec``, ``NAME.idx`` and ``NAME.lst``. Images that were read from records keep their
    keys; others are counted from 0."""

    def __init__(self, work: Path, options: Any = None, about: About | None = None) -> None:
        options = options or Im2recOptions()
        super().__init__(work, options, about, checked_name(options.name))

    def key(self, sample: Sample) -> int | None:
        """See `RecordWriter`."""
        return given_key(sample)
