"""What every data-set format is read into and written from: one annotated image.

The classes have slots and no checks of their own, because millions of them pass through a conversion.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from zoo.types import Floats, Image

RAW = "raw"
"""The `EncodedImage.format` of pixels that are not encoded: (H, W, 3) uint8 BGR, row by row."""


@dataclass(slots=True)
class EncodedImage:
    """An image as its file holds it: `data` in `format` (``jpeg``, ``png``, ... or `RAW` with `shape` (H, W, C)).

    Nothing is decoded until `decode` is called, so that a conversion can pass the bytes through.
    """

    data: bytes
    format: str = ""
    shape: tuple[int, int, int] | None = None

    def decode(self, where: str = "image") -> Image:
        """The pixels, (H, W, 3) uint8 BGR. Raises `InputError` when the bytes are no image."""
        import numpy as np

        from zoo import images  # imports OpenCV, which a conversion that passes bytes through does without

        if self.format == RAW and self.shape:
            return images.as_image(np.frombuffer(self.data, np.uint8).reshape(self.shape))
        return images.decode(bytes(self.data), where)

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) in pixels as the header says, before any EXIF orientation; None for an unknown format."""
        if self.shape:
            return self.shape[1], self.shape[0]
        from zoo import images

        header = images.header(self.data[:65536]) or images.header(self.data)
        return (header.width, header.height) if header else None

    @property
    def suffix(self) -> str:
        """The suffix of a file with these bytes, ``.jpg`` for example; ``.bin`` for an unknown format."""
        return _SUFFIXES.get(self.format or sniff(self.data), ".bin")


_MAGIC = {b"\xff\xd8\xff": "jpeg", b"\x89PNG": "png", b"GIF8": "gif", b"BM": "bmp", b"II*\0": "tiff", b"MM\0*": "tiff"}
_PNM = {b"P1": "pbm", b"P2": "pgm", b"P3": "ppm", b"P4": "pbm", b"P5": "pgm", b"P6": "ppm"}
_SUFFIXES = {
    "jpeg": ".jpg", "png": ".png", "gif": ".gif", "bmp": ".bmp", "tiff": ".tif", "webp": ".webp", "pbm": ".pbm",
    "pgm": ".pgm", "ppm": ".ppm",
}  # fmt: skip


def sniff(data: bytes) -> str:
    """The image format that the first bytes are of, empty when it is none that is known: the formats that
    `zoo.images.decode` takes, those of PNM by their kind."""
    for magic, name in _MAGIC.items():
        if data[: len(magic)] == magic:
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return _PNM.get(bytes(data[:2]), "") if data[2:3].isspace() else ""


@dataclass(slots=True)
class Annotation:
    """The N annotated faces of one image, in pixels of the image as `EncodedImage.decode` gives it.

    boxes (N, 4) float32 x1 y1 x2 y2; keypoints (N, 5, 2), NaN where one is missing; flags (N, 5), the number that the
    source gives with each keypoint (its meaning is the format's); landmarks (N, K, 2); ignored (N,) bool: not to be
    counted; scores (N,): quality or confidence; attributes: whole numbers (N,) by name, as WIDER FACE has them. What a
    format does not give is None.
    """

    boxes: Floats | None = None
    keypoints: Floats | None = None
    flags: Floats | None = None
    landmarks: Floats | None = None
    ignored: NDArray[np.bool_] | None = None
    scores: Floats | None = None
    attributes: dict[str, NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        for name in PARTS:
            if (array := getattr(self, name)) is not None:
                return len(array)
        return 0


PARTS = ("boxes", "keypoints", "flags", "landmarks", "ignored", "scores")
"""The arrays of an `Annotation`."""


@dataclass(slots=True)
class Sample:
    """One image of a data set.

    `key` is unique within the set: a relative path with forward slashes and without a suffix where the format has one,
    else a number. `size` is (width, height) in pixels where the annotation states it. `identity` is who it is: a number
    or a folder's name. `pair` counts the pairs of a verification set from 0 (two samples follow one another), `same`
    says whether both show one person. `extra` holds what only its own format understands, and may be dropped.
    """

    key: str
    image: EncodedImage | None = None
    size: tuple[int, int] | None = None
    faces: Annotation | None = None
    identity: int | str | None = None
    pair: int | None = None
    same: bool | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Broken:
    """A sample that could not be read: its `key` or number, the sentence `why`, the byte `offset` in the file `where`
    (-1 where there is none), and the bytes themselves as far as they could be told apart."""

    key: str
    why: str
    where: str = ""
    offset: int = -1
    data: bytes = b""

    @property
    def sentence(self) -> str:
        """What is wrong with it: its key, the byte offset where there is one, and why."""
        place = f" at byte {self.offset:,}" if self.offset >= 0 else ""
        file = f" ({self.where}{place})" if self.where else place
        return f"the sample {self.key}{file} cannot be read: {self.why.rstrip('.')}."
