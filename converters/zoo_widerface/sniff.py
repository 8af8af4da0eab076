"""Telling WIDER FACE's formats by their first lines."""

from __future__ import annotations

import io
import itertools
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from zoo.errors import InputError
from zoo_widerface.lines import SUFFIXED, Block, Lines, counted, decoded, headed, numbers

Sniffed = tuple[float, str]
_HEAD = 1 << 16
_TRIED = 4
_MAT = b"MATLAB 5.0 MAT-file"
_LISTS = (b"_label_list", b"event_list", b"face_bbx_list", b"file_list", b"gt_list")


def wider_txt(path: Path) -> Sniffed:
    """How sure it is that `path` is WIDER FACE's text labels, from 0 to 1, and why."""
    return _first(path, "wider_face_bbx_gt.txt", counted, _wider_row)


def labelv2(path: Path) -> Sniffed:
    """How sure it is that `path` is a labelv2.txt, from 0 to 1, and why."""
    return _first(path, "labelv2.txt", headed, _labelv2_row)


def retinaface_txt(path: Path) -> Sniffed:
    """How sure it is that `path` is a label.txt of RetinaFace, from 0 to 1, and why."""
    return _first(path, "label.txt", headed, _retinaface_row)


def wider_mat(path: Path) -> Sniffed:
    """How sure it is that `path` is one of WIDER FACE's MATLAB files, from 0 to 1, and why."""
    head = _read(path)
    named = "wider" in path.name.lower()
    if head.startswith(b"MATLAB 7.3"):
        return (0.6 if named else 0.3), "is a MATLAB file of version 7.3" + (" and is named wider" if named else "")
    if not head.startswith(_MAT):
        return 0.0, "does not begin as a MATLAB file of version 5 does"
    try:
        first = head[128:] if head[128] != 15 else zlib.decompressobj().decompress(head[136:], 512)
    except (IndexError, zlib.error):
        return 0.1, "begins as a MATLAB file of version 5 does, but is damaged"
    if any(name in first[:512] for name in _LISTS):
        return 0.95, "is a MATLAB file of version 5 whose first variable is a list of WIDER FACE's"
    return (0.5 if named else 0.3), "is a MATLAB file of version 5"


def wider_predictions(path: Path) -> Sniffed:
    """How sure it is that `path` is a folder of detections, from 0 to 1, and why."""
    if not path.is_dir():
        return 0.0, "is no folder"
    found = itertools.chain(path.glob("*.txt"), path.glob("*/*.txt"), path.glob("*/*/*.txt"))
    asked = [_predictions(path, name) for name in itertools.islice(found, _TRIED)]  # one may be damaged
    return max(asked, default=(0.0, "has no text files, nor have the folders in it"))


def _predictions(path: Path, name: Path) -> Sniffed:
    block = next(counted(Lines(io.BytesIO(_read(name)))), None)
    if block is None or block.problem or not _is_name(block.head):
        return 0.0, f"{name.name} is not a name, a count and rows"
    if not block.rows:
        return 0.6, f"{name.name} has a name and the count 0"
    if len(block.rows[0].split()) != 5:
        return 0.0, f"{name.name} does not have rows of five numbers"
    inner = name.parent != path
    return (0.95 if inner else 0.8), f"{name.name} has a name, a count and rows x y w h score" + (
        ", in a folder of its event" if inner else ""
    )


def _first(path: Path, name: str, blocks: Callable[[Lines], Iterator[Block]], judge: Callable[[Block], str]) -> Sniffed:
    """Look at the first image of a label file, or of the one called `name` in a folder."""
    if path.is_dir() and not (path / name).is_file():
        return 0.0, f"is a folder without {name}"
    head = _read(path / name if path.is_dir() else path)
    block = next(blocks(Lines(io.BytesIO(head))), None)
    if block is None:
        return 0.0, "has no lines"
    try:
        if block.problem and len(head) < _HEAD:
            return 0.0, f"its first image does not fit: {block.problem}"
        found = judge(block)
    except InputError as error:
        return 0.0, f"its first image does not fit: {str(error).rstrip('.')}"
    return (0.9 if block.rows else 0.6), f"its first image is {found}"


def _wider_row(block: Block) -> str:
    if not _is_name(block.head) or not (block.rows or SUFFIXED.search(block.head)):
        raise InputError("it does not begin with the name of an image")
    _require(block, (4, 10))
    return "a name, a count" + (f", and rows of {len(block.rows[0].split())} numbers" if block.rows else ", which is 0")


def _labelv2_row(block: Block) -> str:
    from zoo_widerface.labelv2 import LENGTHS, split_header

    if not block.head.startswith(b"#"):
        raise InputError("no line with # and a name")
    split_header(block.head)
    _require(block, LENGTHS)
    return "a line # name width height" + (f", and rows of {len(block.rows[0].split())} numbers" if block.rows else "")


def _retinaface_row(block: Block) -> str:
    from zoo_widerface.retinaface import LENGTHS

    if not block.head.startswith(b"#") or not _is_name(block.head[1:].strip()):
        raise InputError("no line with # and the name of an image")
    _require(block, LENGTHS)
    return "a line # name" + (f", and rows of {len(block.rows[0].split())} numbers" if block.rows else "")


def _require(block: Block, lengths: tuple[int, ...]) -> None:
    for number, row in enumerate(block.rows[:4], 1):
        if len(numbers(row, number)) not in lengths:
            raise InputError(f"row {number} has {len(row.split())} numbers")


def _is_name(head: bytes) -> bool:
    """Whether a line is printable text that is no number, and ends like the name of an image or has no spaces."""
    name = decoded(head)
    last = name.split()[-1]
    return name.isprintable() and (len(name.split()) == 1 or "." in last) and not last.replace(".", "").isdigit()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD)
    except OSError:
        return b""
