"""Which features of an Example say what of a sample.

What the field has a name for has that name (``image/encoded``, ``image/format``, ``image/filename``, ``image/height``,
``image/width``, ``image/class/label``, ``image/class/text``). Faces are ``faces/...`` in pixels, all of an image in one
list, because the field's ``image/object/bbox/...`` are fractions, which do not give the same pixels back. Those are
read where ``faces/boxes`` is not there, and written on demand.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from zoo.datasets.sample import RAW, Annotation, EncodedImage, Sample, sniff
from zoo.errors import InputError
from zoo_tfrecord import wire
from zoo_tfrecord.wire import Feature, WireError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IMAGES = (b"image/encoded", b"image")
LABELS = (b"image/class/label", b"label", b"image/source_id")
"""Names of an identity's number, the first that is there counts. The last is that of arcface-tf2's files."""

_NAMES = (b"image/filename",)
_FRACTIONS = tuple(b"image/object/bbox/" + side for side in (b"xmin", b"ymin", b"xmax", b"ymax"))
_SHAPES: dict[str, tuple[int, ...]] = {
    "boxes": (4,), "flags": (5,), "keypoints": (5, 2), "landmarks": (-1, 2), "scores": (),
}  # fmt: skip
_FORMATS = {b"jpeg": "jpeg", b"JPEG": "jpeg", b"jpg": "jpeg", b"JPG": "jpeg", b"png": "png", b"PNG": "png"}
_ATTRIBUTES = b"faces/attributes/"
_HOLDS = {
    "boxes": (b"faces/boxes", _FRACTIONS[0]),
    "identity": (*LABELS, b"image/class/text"),
    "images": IMAGES,
    "keys": _NAMES,
    "pairs": (b"pair/number",),
    **{name: (f"faces/{name}".encode(),) for name in ("flags", "ignored", "keypoints", "landmarks", "scores")},
}


def holds(names: Mapping[bytes, Feature]) -> set[str]:
    """What of `zoo.datasets.formats.ANNOTATIONS` an Example with these features has."""
    found = {name for name, keys in _HOLDS.items() if any(key in names for key in keys)}
    return found | ({"attributes"} if any(key.startswith(_ATTRIBUTES) for key in names) else set())


def read_sample(data: bytes, number: int) -> Sample:
    """The sample that the Example `data` describes; its key is `number` where it has none. Raises `WireError`."""
    found = wire.features(data)
    encoded = found.get(IMAGES[0]) or found.get(IMAGES[1])
    name = found.get(b"image/filename")
    sample = Sample(key=wire.first_string(data, name).decode("utf-8", "surrogateescape") if name else str(number))
    if encoded is not None:
        sample.image = EncodedImage(wire.first_string(data, encoded), _format(data, found))
    if b"image/height" in found:
        _read_size(data, found, sample)
    sample.identity = _identity(data, found)
    if b"pair/number" in found:
        sample.pair = _number(data, found, b"pair/number")
        same = _number(data, found, b"pair/same")
        sample.same = None if same is None else bool(same)
    if b"faces/count" in found or _FRACTIONS[0] in found:
        sample.faces = _faces(data, found, sample)
    if sample.image is None and sample.faces is None and sample.identity is None:
        raise WireError("it has neither an image nor a label nor faces under a name that is known")
    return sample


def _format(data: bytes, found: Mapping[bytes, Feature]) -> str:
    feature = found.get(b"image/format")
    if feature is None:
        return ""
    name = wire.first_string(data, feature)
    return _FORMATS.get(name) or name.decode("ascii", "replace").lower()


def _identity(data: bytes, found: Mapping[bytes, Feature]) -> int | str | None:
    """The name where there is one, else the number."""
    text = found.get(b"image/class/text")
    if text is not None:
        return wire.first_string(data, text).decode("utf-8", "surrogateescape")
    for name in LABELS:
        feature = found.get(name)
        if feature is not None and feature[0] == wire.INTS:
            return _number(data, found, name)
    return None


def _number(data: bytes, found: Mapping[bytes, Feature], name: bytes) -> int | None:
    feature = found.get(name)
    return None if feature is None else wire.first_integer(data, feature)


def _read_size(data: bytes, found: Mapping[bytes, Feature], sample: Sample) -> None:
    width, height = _number(data, found, b"image/width"), _number(data, found, b"image/height")
    if width is None or height is None:
        return
    sample.size = (width, height)
    if sample.image is not None and sample.image.format == RAW:
        shape = (height, width, _number(data, found, b"image/channels") or 3)
        if min(shape) < 1 or shape[0] * shape[1] * shape[2] != len(sample.image.data):
            raise WireError(f"its image has {len(sample.image.data)} bytes, which are not {shape} pixels")
        sample.image.shape = shape


def _faces(data: bytes, found: Mapping[bytes, Feature], sample: Sample) -> Annotation:
    import numpy as np

    if b"faces/count" not in found:
        return Annotation(boxes=_boxes_of_fractions(data, found, sample))
    count = _number(data, found, b"faces/count") or 0
    if not 0 <= count <= wire.MOST_NUMBERS:
        raise WireError(f"it says that it has {count} faces")
    arrays: dict[str, Any] = {}
    for name, shape in _SHAPES.items():
        feature = found.get(f"faces/{name}".encode())
        if feature is not None:
            arrays[name] = _shaped(wire.floats(data, feature), (count, *shape), name)
    if b"faces/ignored" in found:
        values = np.array(wire.integers(data, found[b"faces/ignored"]), np.int64)
        arrays["ignored"] = _shaped(values != 0, (count,), "ignored")
    attributes = {
        name[len(_ATTRIBUTES) :].decode("utf-8", "surrogateescape"): _shaped(
            np.array(wire.integers(data, feature), np.int64), (count,), "attributes"
        )
        for name, feature in found.items()
        if name.startswith(_ATTRIBUTES)
    }
    return Annotation(**arrays, attributes=attributes or None)


def _shaped(values: NDArray[Any], shape: tuple[int, ...], name: str) -> NDArray[Any]:
    """`values` in `shape`, whose first number is that of faces and of which one other may be -1."""
    if not shape[0]:
        shape = tuple(max(0, side) for side in shape)
    try:
        return values.reshape(shape)
    except ValueError:
        raise WireError(f"it has {shape[0]} faces, which {values.size} numbers of {name} do not fit") from None


def _boxes_of_fractions(data: bytes, found: Mapping[bytes, Feature], sample: Sample) -> NDArray[np.float32]:
    import numpy as np

    size = sample.size or (sample.image.size if sample.image else None)
    sides = [wire.floats(data, found[name]) for name in _FRACTIONS if name in found]
    if len(sides) != 4 or len({len(side) for side in sides}) != 1:
        raise WireError("its boxes do not have four sides each")
    if size is None:
        raise WireError("its boxes are fractions of an image whose size is not known")
    return np.stack(sides, axis=1) * np.array([*size, *size], np.float32)


def write_sample(sample: Sample, fractions: bool = False, classes: tuple[str, ...] = ()) -> bytes:
    """A serialised Example that describes `sample`; the inverse of `read_sample`.

    `fractions` adds ``image/object/bbox/...``; `classes` are the names of identities by number. Raises `InputError`
    for what an Example cannot say.
    """
    try:
        return wire.example(_entries(sample, fractions, classes))
    except UnicodeEncodeError:
        raise InputError(f"The name {sample.key!r} or what is said of it is no text that UTF-8 can hold.") from None
    except struct.error:
        raise InputError(f"{sample.key} has a number of more than 64 bits, which an Example cannot hold.") from None


def _entries(sample: Sample, fractions: bool, classes: tuple[str, ...]) -> list[bytes]:
    """The entries of the map, sorted by name."""
    image, size = sample.image, sample.size
    entries: list[bytes] = []
    if sample.faces is not None:
        entries += _face_entries(sample.faces)
    if image is not None and image.shape is not None:
        size = image.shape[1], image.shape[0]
        entries.append(_small(b"image/channels", image.shape[2]))
    if sample.identity is not None:
        entries += _identity_entries(sample.identity, classes)
    if image is not None:
        entries += wire.string_feature(b"image/encoded", image.data)
    entries += wire.string_feature(b"image/filename", _encoded(sample.key))
    if image is not None and (name := image.format or sniff(image.data)):
        entries.append(_text(b"image/format", name))
    if size is not None:
        entries.append(_small(b"image/height", size[1]))
    if fractions:
        entries += _fraction_entries(sample, size)
    if size is not None:
        entries.append(_small(b"image/width", size[0]))
    if sample.pair is not None or sample.same is not None:
        entries += _pair_entries(sample)
    return entries


def _pair_entries(sample: Sample) -> Iterator[bytes]:
    if sample.pair is not None:
        yield wire.integers_feature(b"pair/number", [sample.pair])
    if sample.same is not None:
        yield _small(b"pair/same", int(sample.same))


def _identity_entries(identity: int | str, classes: tuple[str, ...]) -> list[bytes]:
    if isinstance(identity, str):
        return [_text(b"image/class/text", identity)]
    label = _small(b"image/class/label", identity)
    return [label, _text(b"image/class/text", classes[identity])] if 0 <= identity < len(classes) else [label]


def _face_entries(faces: Annotation) -> Iterator[bytes]:
    attributes = {name.encode("utf-8", "surrogateescape"): values for name, values in (faces.attributes or {}).items()}
    for name in sorted(attributes):
        yield wire.integers_feature(_ATTRIBUTES + name, attributes[name].tolist())
    if faces.boxes is not None:
        yield wire.floats_feature(b"faces/boxes", faces.boxes)
    yield _small(b"faces/count", max([len(faces), *map(len, attributes.values())]))
    if faces.flags is not None:
        yield wire.floats_feature(b"faces/flags", faces.flags)
    if faces.ignored is not None:
        yield wire.integers_feature(b"faces/ignored", faces.ignored.astype(int).tolist())
    for part in ("keypoints", "landmarks", "scores"):
        if (array := getattr(faces, part)) is not None:
            yield wire.floats_feature(f"faces/{part}".encode(), array)


def _fraction_entries(sample: Sample, size: tuple[int, int] | None) -> Iterator[bytes]:
    """Boxes as fractions, sorted by name: xmax, xmin, ymax, ymin."""
    if sample.faces is None or sample.faces.boxes is None:
        return
    size = size or (sample.image.size if sample.image else None)
    if size is None:
        raise InputError(f"{sample.key} has boxes but no known size of which they could be fractions.")
    for side, column in ((b"xmax", 2), (b"xmin", 0), (b"ymax", 3), (b"ymin", 1)):
        ends = sample.faces.boxes[:, column]
        yield wire.floats_feature(b"image/object/bbox/" + side, ends / ends.dtype.type(size[column % 2]))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@lru_cache(4096)
def _small(name: bytes, value: int) -> bytes:
    """A feature of one number; most numbers come again."""
    return wire.integers_feature(name, [value])


@lru_cache(4096)
def _text(name: bytes, value: str) -> bytes:
    return wire.bytes_feature(name, _encoded(value))
