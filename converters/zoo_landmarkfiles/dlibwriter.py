"""Writing dlib's XML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.datasets.beside import copy_image, file_name, must_copy
from zoo.datasets.decimals import FARTHEST, fewest, text
from zoo.datasets.formats import About, Part, Writer
from zoo.datasets.sample import Annotation, Sample
from zoo.datasets.streams import Growing, part_path
from zoo.errors import InputError
from zoo.types import Floats
from zoo_landmarkfiles import imglab
from zoo_landmarkfiles.dlibxml import FURTHER, XML
from zoo_landmarkfiles.imglab import LABEL, SCORE
from zoo_landmarkfiles.options import DlibWriteOptions

_HEAD = b"""<?xml version='1.0' encoding='ISO-8859-1'?>
<?xml-stylesheet type='text/xsl' href='image_metadata_stylesheet.xsl'?>
<dataset>
<name>Faces</name>
<comment></comment>
<images>
"""
_TAIL = b"</images>\n</dataset>\n"
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;"})


class DlibWriter(Writer):
    """Writes one XML file as imglab does, or with ``copy_images`` a folder with it and the images, in ``images``.

    Coordinates are rounded to ``decimals``, half to even. Raises `UsageError` where the source's images would get lost
    without the user having said so.
    """

    def __init__(self, work: Path, options: DlibWriteOptions | None = None, about: About | None = None) -> None:
        super().__init__(work, options or DlibWriteOptions(), about)
        self.copies = must_copy(self.options.copy_images, about, "dlib-xml")
        self._xml = Growing(self.out / XML if self.copies else self.out)

    def part(self, number: int, first: int) -> Part:
        """A file of image elements; images go straight to their place."""
        return _XmlPart(self, part_path(self.work, number, ".xml"))

    def append(self, number: int, facts: Mapping[str, Any]) -> None:
        """Append the part's elements."""
        if not self._xml.size:
            self._xml.write(_HEAD)
        self._xml.append(part_path(self.work, number, ".xml"))

    def finish(self) -> None:
        """Close the elements."""
        if not self._xml.size:
            self._xml.write(_HEAD)
        self._xml.write(_TAIL)
        self._xml.close()

    def state(self) -> dict[str, Any]:
        """The size of the file."""
        return {"size": self._xml.size}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Cut the file back."""
        self._xml.cut(state.get("size", 0))

    def render(self, name: str, sample: Sample) -> bytes:
        """The image element of a sample whose image is called `name`. Raises `InputError`."""
        size = sample.size or (sample.image.size if sample.image else None)
        sides = f" width='{size[0]}' height='{size[1]}'" if size and all(size) else ""
        faces = self._faces(sample)
        boxes = _edges(faces, self.options.decimals)
        further = _further(sample, len(faces))
        scores = np.full(len(faces), np.nan) if faces.scores is None else fewest(faces.scores)
        rows = [f"  <image file='{name.translate(_ESCAPES)}'{sides}>\n"]
        for row in range(len(faces)):
            ignored = faces.ignored is not None and bool(faces.ignored[row])
            points = np.zeros((0, 2), np.float32) if faces.landmarks is None else faces.landmarks[row]
            more = dict(further[row])
            if not np.isnan(scores[row]):
                more[SCORE] = text(float(scores[row]))
            rows.append(_box(boxes[row], ignored, points, more, self.options.decimals))
        return "".join([*rows, "  </image>\n"]).encode("ascii", "xmlcharrefreplace")

    def _faces(self, sample: Sample) -> Annotation:
        """The faces with boxes. Raises `InputError` where they have none, or coordinates are out of reach."""
        faces = sample.faces if sample.faces is not None else Annotation()
        if self.options.boxes == "landmarks" and faces.landmarks is not None and faces.boxes is None:
            boxes = np.array([_around(face) for face in faces.landmarks], np.float32).reshape(-1, 4)
            faces = replace(faces, boxes=boxes)
        if len(faces) and (faces.boxes is None or not (np.abs(faces.boxes) <= FARTHEST).all()):
            raise InputError(f"The faces of {sample.key} have no boxes; boxes=landmarks puts them around landmarks.")
        for what, numbers in (("landmarks", faces.landmarks), ("scores", faces.scores)):
            if numbers is not None and (np.abs(numbers) > FARTHEST).any():
                raise InputError(f"The {what} of {sample.key} are not within {FARTHEST:,.0f}.")
        return faces


def _around(points: Floats) -> Floats:
    """The box around points, NaN where there are none."""
    seen = points[np.isfinite(points).all(axis=1)]
    return np.concatenate([seen.min(0), seen.max(0)]) if len(seen) else np.full(4, np.nan, np.float32)


class _XmlPart(Part):
    def __init__(self, writer: DlibWriter, path: Path) -> None:
        self._writer, self._stream = writer, path.open("wb")

    def write(self, sample: Sample) -> None:
        name = file_name(sample)
        element = self._writer.render(name, sample)
        if self._writer.copies:
            copy_image(self._writer.out / "images", name, sample, self._writer.work)
        self._stream.write(element)

    def close(self) -> dict[str, Any]:
        self._stream.close()
        return {}


def _edges(faces: Annotation, digits: int) -> NDArray[np.float64]:
    """Left, top, width and height (N, 4) of the rounded boxes."""
    if faces.boxes is None:
        return np.zeros((0, 4))
    edges: NDArray[np.float64] = faces.boxes.astype(np.float64).round(digits)
    edges[:, 2:] = (edges[:, 2:] - edges[:, :2]).round(digits)
    return edges


def _further(sample: Sample, count: int) -> list[dict[str, str]]:
    """What the reader noted of each of `count` faces that only dlib has; nothing where it is not of that kind."""
    found = sample.extra.get(FURTHER)
    if not isinstance(found, list) or len(found) != count or not all(isinstance(one, dict) for one in found):
        return [{}] * count
    return [{name: str(one[name]) for name in (*imglab.FURTHER, LABEL) if name in one} for one in found]


def _box(extent: NDArray[np.float64], ignored: bool, points: Floats, more: dict[str, str], digits: int) -> str:
    left, top, width, height = (_text(value, digits) for value in extent.tolist())
    said = {"top": top, "left": left, "width": width, "height": height}
    said |= {name: more[name] for name in imglab.FURTHER[:3] if name in more} | ({"ignore": "1"} if ignored else {})
    said |= {name: more[name] for name in (*imglab.FURTHER[3:], SCORE) if name in more}
    start = "    <box" + "".join(f" {name}='{value.translate(_ESCAPES)}'" for name, value in said.items())
    places = max(2, len(str(len(points) - 1)))
    parts = [
        f"      <part name='{number:0{places}d}' x='{_text(x, digits)}' y='{_text(y, digits)}'/>\n"
        for number, (x, y) in enumerate(points.astype(np.float64).tolist())
        if np.isfinite(x) and np.isfinite(y)
    ]
    if LABEL in more:
        parts.insert(0, f"      <label>{more[LABEL].translate(_ESCAPES)}</label>\n")
    return "".join([f"{start}>\n", *parts, "    </box>\n"]) if parts else f"{start}/>\n"


def _text(value: float, digits: int) -> str:
    """A number of at most so many decimals, without a sign for zero."""
    rounded = round(value, digits) + 0.0
    return str(int(rounded)) if rounded.is_integer() else repr(rounded)
