"""Telling COCO's JSON by its beginning and its end."""

from __future__ import annotations

from pathlib import Path

NAMES = ("annotations.json", "_annotations.coco.json")
"""What the label file is called in a folder with images; the first is what the zoo writes."""

_PIECE = 1 << 16
_LISTS = (b'"images"', b'"annotations"', b'"categories"')
_BLANK = b"\xef\xbb\xbf \t\r\n"


def sniff(path: Path) -> tuple[float, str]:
    """How sure it is that `path` is COCO's JSON, or a folder with it, from 0 to 1, and why."""
    if path.is_dir():
        found = next((path / name for name in NAMES if (path / name).is_file()), None)
        if found is None:
            return 0.0, f"is a folder without {NAMES[0]}"
        confidence, reason = sniff(found)
        return confidence, f"has {found.name}, which {reason}"
    try:
        head, tail = _ends(path)
    except OSError as error:
        return 0.0, f"cannot be read: {error.strerror or error}"
    start = head.lstrip(_BLANK)
    if start.startswith(b"{"):
        return _object(head + tail)
    if start.startswith(b"[") and start[1:].lstrip(_BLANK).startswith(b"{"):
        return _list(start)
    return 0.0, "begins neither with a JSON object nor with a list of objects"


def _object(text: bytes) -> tuple[float, str]:
    names = [name.decode() for name in _LISTS if name in text]
    if b'"images"' in text and len(names) > 1:
        return 0.95, f"is a JSON object with {' and '.join(names)}"
    if names:
        return 0.5, f"begins as a JSON object with {names[0]}"
    return 0.0, "begins as a JSON object without images and annotations"


def _list(start: bytes) -> tuple[float, str]:
    first = start.partition(b"}")[0]
    if b'"image_id"' in first and b'"bbox"' in first:
        return 0.9, "is a list of detections with image_id and bbox"
    if b'"file_name"' in first:
        return 0.2, "is a list of images; the detections are in another file"
    return 0.0, "is a list of something else than detections"


def _ends(path: Path) -> tuple[bytes, bytes]:
    with path.open("rb") as stream:
        head = stream.read(_PIECE)
        size = stream.seek(0, 2)
        stream.seek(max(len(head), size - _PIECE))
        return head, stream.read(_PIECE)
