"""The hashes of files that nobody publishes one for: taken from the file that the user has brought."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import WeightsError
from zoo.files import atomic_write
from zoo.specs import WeightFile, from_json, to_json
from zoo.weights.cache import plain_name


@dataclass(frozen=True)
class Record:
    """`model` uses for its file `file` what has this hash and `size` in bytes; `added` is the time in UTC."""

    model: str
    file: str
    sha256: str
    size: int
    added: str
    schema: int = 1


class Records:
    """Records in `folder`, a file for each, so that processes that record at once do not lose each other's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, model: str, file: str) -> Record | None:
        """The record of the model's file; None when there is none. Raises `WeightsError` when it is unreadable."""
        path = self._path(model, file)
        return _read(path) if path.is_file() else None

    def put(self, model: str, file: WeightFile) -> Record:
        """Record the hash and size that `file` states, in place of what was recorded before."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        record = Record(model, file.name, file.sha256, file.size, now)
        atomic_write(self._path(model, file.name), json.dumps(to_json(record), indent=1))
        return record

    def pin(self, model: str, file: WeightFile) -> WeightFile | None:
        """`file` with the hash that its card states, else the recorded one; None when there is neither."""
        if file.sha256:
            return file
        record = self.get(model, file.name) if model else None
        return dataclasses.replace(file, sha256=record.sha256, size=record.size) if record else None

    def __iter__(self) -> Iterator[Record]:
        for path in sorted(self.folder.glob("*/*.json")):
            if not path.name.startswith("."):
                yield _read(path)

    def _path(self, model: str, file: str) -> Path:
        return self.folder / plain_name(model) / f"{plain_name(file)}.json"


def _read(path: Path) -> Record:
    try:
        return from_json(Record, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise WeightsError(f"The record {path} cannot be read ({error}); remove it and add the file again.") from error
