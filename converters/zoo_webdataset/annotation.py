"""The ``.json`` member of a sample: what is said of an image, as JSON.

``{"key", "size": [w, h], "identity", "pair", "same", "boxes": [[x1, y1, x2, y2], ...], "keypoints": [[[x, y], ...]],
"flags", "landmarks", "ignored", "scores", "attributes": {name: [...]}}``, lists with one entry a face, in pixels; what
is not known is left out, a missing coordinate is null. A list of faces, as the zoo's own detectors write it
(``{"faces": [{"box", "score", "keypoints", "landmarks"}, ...]}``), is read, too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo.datasets.sample import PARTS, Annotation, Sample
from zoo.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST = 1 << 25
"""Longest document that is read, in bytes."""

SHAPES: dict[str, tuple[int, ...]] = {
    "boxes": (4,), "keypoints": (5, 2), "flags": (5,), "landmarks": (-1, 2), "ignored": (), "scores": (),
}  # fmt: skip
_OF_FACE = {"box": "boxes", "bbox": "boxes", "score": "scores"}
KNOWN = frozenset((*PARTS, "attributes", "faces", "key", "size", "identity", "pair", "same"))
"""The keys that are understood."""


class DocumentError(ValueError):
    """A document that cannot be understood; the text is a clause that says why."""


def read(data: bytes, sample: Sample) -> None:
    """Add what the document `data` says to `sample`; keys that are not understood go to ``extra["json"]``.

    Raises `DocumentError`.
    """
    if len(data) > LONGEST:
        raise DocumentError(f"its .json has {len(data)} bytes, more than the {LONGEST} that are read")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"its .json is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise DocumentError("its .json is no object with names and values")
    sample.key = _of_type(document, "key", str, sample.key)
    sample.identity = _of_type(document, "identity", int | str, sample.identity)
    sample.pair = _of_type(document, "pair", int, None)
    sample.same = _of_type(document, "same", bool, None)
    sample.size = _size(document)
    sample.faces = _faces(document)
    unknown = {name: value for name, value in document.items() if name not in KNOWN}
    if unknown:
        sample.extra["json"] = unknown


def identity_of(label: bytes) -> int | str:
    """The identity that a .cls member says: a number where it is one, else a name."""
    text = label.decode("utf-8", "surrogateescape").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text


def _of_type(document: Mapping[str, Any], name: str, kind: Any, default: Any) -> Any:
    value = document.get(name)
    if value is None:
        return default
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise DocumentError(f"its .json has {value!r} as {name}"[:200])
    return value


def _size(document: Mapping[str, Any]) -> tuple[int, int] | None:
    size = document.get("size")
    if size is None:
        return None
    if not isinstance(size, list) or len(size) != 2 or not all(type(side) is int and side >= 0 for side in size):
        raise DocumentError(f"its .json has {size!r} as size, not [width, height]"[:200])
    return size[0], size[1]


def _faces(document: Mapping[str, Any]) -> Annotation | None:
    columns = _columns(document["faces"]) if "faces" in document else document
    parts: dict[str, Any] = {name: columns[name] for name in PARTS if columns.get(name) is not None}
    attributes = columns.get("attributes")
    if not parts and not attributes and "faces" not in document:
        return None
    faces = Annotation()
    for name, values in parts.items():
        setattr(faces, name, _array(values, name))
    if attributes:
        if not isinstance(attributes, dict):
            raise DocumentError("its .json has attributes that have no names")
        faces.attributes = {str(name): _array(values, "attributes") for name, values in attributes.items()}
    arrays = [getattr(faces, name) for name in parts] + list((faces.attributes or {}).values())
    if len({len(array) for array in arrays}) > 1:
        raise DocumentError("its .json has lists for different numbers of faces")
    return faces


def _columns(faces: Any) -> dict[str, Any]:
    """A list of faces as lists of boxes, scores and so on; those that not every face has are left out."""
    if not isinstance(faces, list) or not all(isinstance(face, dict) for face in faces):
        raise DocumentError("its .json has faces that are no list of objects")
    if not faces:
        return {"boxes": []}
    columns = {_OF_FACE.get(name, name): [face.get(name) for face in faces] for name in faces[0]}
    return {
        name: values for name, values in columns.items() if name in PARTS and not any(value is None for value in values)
    }


def _array(values: Any, name: str) -> NDArray[Any]:
    import numpy as np

    shape = SHAPES.get(name, ())
    kind = {"ignored": np.bool_, "attributes": np.int64}.get(name, np.float32)
    try:
        with np.errstate(over="raise"):  # a number beyond a float32 is damage, no infinity
            array = np.asarray(values, np.float32 if kind is np.float32 else None)
        if not array.size:
            return np.zeros((len(array), *(max(0, side) for side in shape)), kind)
        if kind is not np.float32 and array.dtype.kind not in "bi":
            raise ValueError(f"{array.dtype} where whole numbers are wanted")
        if array.ndim != 1 + len(shape):
            raise ValueError(f"{array.ndim} levels of lists instead of {1 + len(shape)}")
        return array.reshape((len(array), *shape)).astype(kind)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise DocumentError(f"its .json has {name} that cannot be understood ({error})") from None


def write(sample: Sample, key: bool = False, identity: int | str | None = None) -> bytes:
    """The document of what is said of `sample`, empty when there is nothing to say; with its `key`, and with an
    `identity`, if these are wanted. Raises `InputError` for a coordinate that is infinite."""
    document: dict[str, Any] = {"key": sample.key} if key else {}
    if sample.size is not None:
        document["size"] = list(sample.size)
    if identity is not None:
        document["identity"] = identity
    if sample.pair is not None:
        document["pair"] = sample.pair
    if sample.same is not None:
        document["same"] = sample.same
    if sample.faces is not None:
        _add_faces(document, sample.faces, sample.key)
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode() if document else b""


def _add_faces(document: dict[str, Any], faces: Annotation, key: str) -> None:
    for name in PARTS:
        if (array := getattr(faces, name)) is not None:
            document[name] = _plain(array, key)
    if faces.attributes:
        document["attributes"] = {name: values.tolist() for name, values in faces.attributes.items()}
    if not any(name in document for name in (*PARTS, "attributes")):
        document["faces"] = []


def _plain(array: NDArray[Any], key: str) -> list[Any]:
    """The numbers of an array, with as few digits as give the same float32 back; None for what is missing."""
    import numpy as np

    if array.dtype.kind != "f":
        return array.tolist()  # type: ignore[no-any-return]
    wide = array.astype(np.float64)
    short = wide.round(4)
    exact = short.astype(array.dtype) == array
    if np.isinf(wide).any():
        raise InputError(f"{key} has an infinite coordinate, which JSON has no way to say.")
    values: list[Any] = np.where(exact, short, wide).tolist()
    return _nulled(values) if np.isnan(wide).any() else values


def _nulled(values: list[Any]) -> list[Any]:
    return [_nulled(value) if isinstance(value, list) else None if math.isnan(value) else value for value in values]
