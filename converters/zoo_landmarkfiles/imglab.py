"""The elements of dlib's XML, as they are parsed: image, box, part."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from xml.parsers import expat

from zoo.datasets.decimals import in_reach
from zoo.datasets.folders import FileError

MOST_FACES = 100_000
MOST_NAMES = 1024
_DEEPEST = 64
_LONGEST = 1 << 22
_LONGEST_LABEL = 1 << 10
_NO = ("0", "false")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_SIZE = re.compile(r"\d{1,9}")

LABEL = "label"
FURTHER = ("difficult", "truncated", "occluded", "angle", "age", "gender", "pose")
"""Attributes of a box that only dlib has, in the order in which imglab writes them (``ignore`` after the third)."""

SCORE = "detection_score"
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{1,200}")

Attributes = dict[str, str]


@dataclass
class Box:
    """One face: left, top, width, height, whether it is to be ignored, its score (NaN where it has none), x, y by the
    parts' names, and its label and what else of `FURTHER` it has, as they stand there."""

    extent: list[float]
    ignored: bool
    score: float = math.nan
    parts: dict[str, tuple[float, float]] = field(default_factory=dict)
    further: dict[str, str] = field(default_factory=dict)


@dataclass
class Entry:
    """One image: where its element begins, its name and size, its faces, and what is wrong with it."""

    offset: int
    name: str = ""
    size: tuple[int, int] | None = None
    boxes: list[Box] = field(default_factory=list)
    problem: str = ""


class Parser:
    """Parses a file piece by piece. A document type, with which entities could be declared, is refused.

    `shift` is added to the parser's offsets where not the whole file is given to it.
    """

    def __init__(self, where: str, shift: int = 0) -> None:
        self._where, self._shift = where, shift
        self._fed = self._depth = 0
        self._image: Entry | None = None
        self._label: str | None = None
        self._done: list[Entry] = []
        self._expat = parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.StartDoctypeDeclHandler, parser.CharacterDataHandler = self._doctype, self._characters
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def feed(self, data: bytes, last: bool = False) -> list[Entry]:
        """The images that end in `data`. Raises `FileError` when it is no XML, or has a document type."""
        self._done = []
        self._fed += len(data)
        try:
            self._expat.Parse(data, last)
        except expat.ExpatError as error:
            place = max(0, self._expat.ErrorByteIndex) + self._shift
            raise self._unfinished(f"is not well-formed XML: {expat.ErrorString(error.code)}", place) from None
        except (LookupError, ValueError):
            raise self._unfinished("declares an encoding that cannot be read", self._shift) from None
        except _Refused as refused:
            raise self._unfinished(str(refused), self._offset) from None
        if self._fed - self._expat.CurrentByteIndex > _LONGEST:
            raise self._unfinished("has an element that does not end", self._offset)
        return self._done

    def _unfinished(self, why: str, offset: int) -> UnfinishedError:
        return UnfinishedError(f"{self._where} {why}.", self._where, offset, self._done)

    @property
    def _offset(self) -> int:
        return max(0, self._expat.CurrentByteIndex) + self._shift

    def _doctype(self, *_: object) -> None:
        raise _Refused("declares a document type, which may hide entities; remove the DOCTYPE")

    def _start(self, name: str, attributes: Attributes) -> None:
        self._depth += 1
        if self._depth > _DEEPEST or (self._depth == 1 and name != "dataset"):
            raise _Refused("is nested too deeply" if self._depth > 1 else f"has the root {name[:20]}, not dataset")
        if name == "image":
            self._image = Entry(self._offset)
        if self._image is None or self._image.problem:
            return
        try:
            if name == "image":
                self._begin_image(self._image, attributes)
            elif name == "box":
                self._begin_box(self._image, attributes)
            elif name == "part" and self._image.boxes:
                x, y = (_number(attributes, key) for key in ("x", "y"))
                self._image.boxes[-1].parts[attributes["name"]] = (x, y)
            elif name == LABEL and self._image.boxes:
                self._label = ""
        except KeyError as missing:
            self._image.problem = f"a {name} at byte {self._offset} has no {missing.args[0]}"
        except ValueError as error:
            self._image.problem = f"a {name} at byte {self._offset} has {error}"

    def _begin_image(self, image: Entry, attributes: Attributes) -> None:
        image.name = attributes["file"]
        sides = [attributes.get(name, "") for name in ("width", "height")]
        if all(_SIZE.fullmatch(side) for side in sides):
            image.size = (int(sides[0]), int(sides[1]))

    def _begin_box(self, image: Entry, attributes: Attributes) -> None:
        if len(image.boxes) >= MOST_FACES:
            raise ValueError(f"more than {MOST_FACES} before it")
        extent = [_number(attributes, name) for name in ("left", "top", "width", "height")]
        box = Box(extent, attributes.get("ignore", "0") not in _NO)
        if SCORE in attributes:
            box.score = _number(attributes, SCORE)
        for name in FURTHER:
            self._note(box, name, attributes.get(name, "0"))
        image.boxes.append(box)

    def _note(self, box: Box, name: str, value: str) -> None:
        """Keep what says something: the attributes' defaults are 0, false and unknown."""
        value = value.strip()
        if value not in (*_NO, "", "unknown"):
            if not _TEXT.fullmatch(value):
                raise ValueError(f"{value[:20]!r} as its {name}")
            box.further[name] = value

    def _characters(self, text: str) -> None:
        if self._label is not None:
            self._label = (self._label + text)[:_LONGEST_LABEL]

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name == LABEL and self._label is not None and self._image is not None:
            try:
                self._note(self._image.boxes[-1], LABEL, self._label)
            except ValueError as error:
                self._image.problem = f"a box before byte {self._offset} has {error}"
            self._label = None
        if name == "image" and self._image is not None:
            self._done.append(self._image)
            self._image = None


class _Refused(Exception):  # noqa: N818 - leaves the parser's callback only
    pass


class UnfinishedError(FileError):
    """The file cannot be parsed any further: as `FileError`, and the images `done` that ended since the last call."""

    def __init__(self, why: str, where: str, offset: int, done: list[Entry]) -> None:
        super().__init__(why, where, offset)
        self.done = done


def _number(attributes: Attributes, name: str) -> float:
    text = attributes[name].strip()
    if not _NUMBER.fullmatch(text) or not in_reach([float(text)]):
        raise ValueError(f"{text[:20]!r} as its {name}")
    return float(text)
