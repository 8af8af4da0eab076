"""Recognising sets of ``.rec`` files by their first and last rows."""

from __future__ import annotations

from pathlib import Path

from zoo.errors import InputError
from zoo_recordio.files import Files, find
from zoo_recordio.labels import SIZE, range_of, unpack_header
from zoo_recordio.records import MARK, Peek, RecordError, Records

_TAIL = 512
_UNLABELLED = 0.2
"""So sure it is that RecordIO without labels is im2rec's: not enough to take it for that, enough to say what it is."""


def insightface(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a set of insightface's, from 0 to 1, and why."""
    files, _, why = _rec(path)
    if files is None:
        return 0.0, why
    marks = [file.name for file in (files.property, files.meta) if file.is_file()]
    if _has_ranges(files):
        return 0.97, f"{files.rec.name} is RecordIO with insightface's header and identity records"
    if marks:
        return 0.95, f"{files.rec.name} is RecordIO, with {' and '.join(marks)} beside it"
    return 0.5, f"{files.rec.name} is RecordIO, but has neither insightface's header nor the file property"


def im2rec(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is a set that im2rec has written, from 0 to 1, and why."""
    files, sure, why = _rec(path)
    if files is None:
        return sure, why
    if files.property.is_file() or files.meta.is_file() or _has_ranges(files):
        return 0.4, f"{files.rec.name} is RecordIO, but has what insightface's sets have"
    return 0.9, f"{files.rec.name} is RecordIO with a label header before each image, and nothing of insightface's"


def _rec(path: Path) -> tuple[Files | None, float, str]:
    """The files of a set whose first record looks right; or None, how sure it is all the same, and why."""
    try:
        if not path.is_dir() and path.suffix.lower() != ".rec":
            with path.open("rb") as stream:
                if stream.read(4) != MARK:
                    return None, 0.0, "does not begin with RecordIO's magic number"
        files = find(path)
        with Records(files.rec) as records:
            first = records.peek(0)
    except (InputError, OSError) as error:
        return None, 0.0, f"is no RecordIO set: {str(error).rstrip('.')}"
    if first.length < SIZE or not _is_label(first):
        return None, _UNLABELLED, f"{files.rec.name} is RecordIO, but its first record has no label header"
    return files, 1.0, ""


def _is_label(record: Peek) -> bool:
    """Whether the first bytes are a label header: a vector of labels must fit the record."""
    flag: int = unpack_header(record.head)[0]
    return SIZE + 4 * flag <= record.length


def _has_ranges(files: Files) -> bool:
    """Whether there is a header or an identity record: record 0 is one, or the last record in the index."""
    try:
        rows = _some_rows(files.idx) if files.idx.is_file() else [(0, 0)]
        offsets = {offset for key, offset in rows if key == 0} | {offset for _, offset in rows[-1:]}
        with Records(files.rec) as records:
            seen = [records.peek(offset) for offset in offsets]
    except (OSError, ValueError, RecordError):
        return False
    return any(range_of(record.length, record.head) for record in seen)


def _some_rows(idx: Path) -> list[tuple[int, int]]:
    """The first and the last rows of an index. Raises `ValueError` when they are no rows."""
    with idx.open("rb") as stream:
        head = stream.read(_TAIL)
        stream.seek(max(0, stream.seek(0, 2) - _TAIL))
        tail = stream.read(_TAIL)
    lines = [*head.split(b"\n")[:1], *tail.split(b"\n")[1:]]
    pairs = [line.split() for line in lines if line.strip()]
    return [(int(key), int(offset)) for key, offset in pairs]
