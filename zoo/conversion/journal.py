"""The journal of a conversion: what has been done so far, so that a run that was killed goes on where it was."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from zoo.errors import UsageError
from zoo.files import atomic_write

NAME = "journal.jsonl"


@dataclass
class Tally:
    """The account so far: units taken into the output, and what became of their samples; `notes` of the writer once
    the output is complete and has only to be given its name."""

    units: int = 0
    first: int = 0
    read: int = 0
    done: int = 0
    skipped: int = 0
    quarantined: int = 0
    digest: str = ""
    state: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] | None = None


class Journal:
    """A file of JSON lines in the working folder: what is converted, then the `Tally` after each unit."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self._path, self._header = path, json.loads(json.dumps(header))
        self._stream: IO[str] | None = None

    def begin(self) -> None:
        """Start a new journal."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self._path.open("w", encoding="utf-8")
        self._line(self._header)

    def resume(self) -> Tally | None:
        """The last tally of an earlier run of the same conversion, None when there is no usable journal.

        Raises `UsageError` when the journal is of another conversion.
        """
        lines = self._lines()
        if not lines:
            return None
        if lines[0] != self._header:
            raise UsageError(
                f"What was begun in {self._path.parent} was another conversion (source, formats or options differ);"
                " run without --resume to start anew."
            )
        kept = [self._header, *lines[1:][-1:]]
        atomic_write(self._path, "".join(f"{json.dumps(line)}\n" for line in kept))
        self._stream = self._path.open("a", encoding="utf-8")
        return Tally(**lines[-1]) if len(lines) > 1 else Tally()

    def note(self, tally: Tally) -> None:
        """Record the tally; what the writer appended must have reached the operating system."""
        self._line(asdict(tally))

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()

    def _line(self, document: dict[str, Any]) -> None:
        assert self._stream is not None
        self._stream.write(json.dumps(document) + "\n")
        self._stream.flush()

    def _lines(self) -> list[dict[str, Any]]:
        """The lines of the file up to one that a kill, or a machine that lost its power, left in pieces."""
        lines: list[dict[str, Any]] = []
        for line in self._path.read_bytes().split(b"\n")[:-1] if self._path.is_file() else ():
            try:
                lines.append(json.loads(line))
            except ValueError:
                break
        return lines
