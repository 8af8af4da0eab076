"""Numbers for identities that are names, where the source does not list them: in the order in which they come.

The writer of a part knows only the names in its part, and numbers these from 0 on; when the part is taken into the set,
its numbers become those of the set.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path

from zoo.datasets.streams import Growing
from zoo.errors import InputError
from zoo_recordio.labels import EXACT
from zoo_recordio.lists import Order, relabelled

_FLAG_AT = 8  # in a record, after its own head; then the label, and behind the header (24 bytes) a vector of labels
_LABEL_AT, _VECTOR_AT = 12, 32


class Numbering:
    """The numbers of all names. They wait in the file `path`, too, so that a run that was killed can go on."""

    def __init__(self, path: Path) -> None:
        self._file = Growing(path)
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def size(self) -> int:
        """The size of the file in bytes."""
        return self._file.size

    def take(self, names: Sequence[str]) -> list[int]:
        """The numbers of `names`, new ones for those that come for the first time. Raises `InputError` when there are
        more than labels can count."""
        for name in names:
            if name not in self._numbers:
                self._numbers[name] = len(self._numbers)
                self._file.write(json.dumps(name).encode() + b"\n")
        if len(self._numbers) > EXACT:
            raise InputError(f"There are more than {EXACT:,} identities, up to which labels (float32) are exact.")
        return [self._numbers[name] for name in names]

    def cut(self, size: int) -> None:
        """Go back to the names that the first `size` bytes of the file hold."""
        self._file.cut(size)
        lines = self._file.path.read_bytes().splitlines()
        self._numbers = {json.loads(line): number for number, line in enumerate(lines)}

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def relabel(part: Path, sizes: Sequence[int], labels: Iterable[int]) -> None:
    """Give the records in `part`, of these `sizes`, these labels; of a vector the first number is the label."""
    with part.open("r+b") as stream:
        for offset, label in zip(accumulate(sizes, initial=0), labels, strict=False):
            stream.seek(offset + _FLAG_AT)
            is_vector = any(stream.read(4))
            stream.seek(offset + (_VECTOR_AT if is_vector else _LABEL_AT))
            stream.write(struct.pack("<f", label))


def relabel_lines(path: Path, order: Order, labels: Iterable[int]) -> None:
    """Give the lines of a part's list these labels."""
    lines = path.read_bytes().split(b"\n")[:-1]
    path.write_bytes(b"".join(relabelled(line, order, label) for line, label in zip(lines, labels, strict=True)))
