"""Writing insightface's ``.bin`` files, instruction by instruction, so that no set has to fit into memory."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.datasets.formats import About, Part, Writer
from zoo.datasets.sample import RAW, EncodedImage, Sample
from zoo.datasets.streams import Growing, part_path
from zoo.errors import InputError
from zoo_verification.options import BinOptions
from zoo_verification.pairing import PairPart, add, notes

_MOST = (1 << 31) - 1
_ARRAY = b"h\0h\1K\0\x85%b\x87R(K\1J%bK\1\x86h\2\x89%btb"
"""_reconstruct(ndarray, (0,), "b"), and its state (1, (N, 1), dtype, False, data)."""
_TYPE_STATE = b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"


class Emitter:
    """The instructions of one file: with `protocol` 2 all strings are those of Python 2."""

    def __init__(self, options: BinOptions) -> None:
        self._protocol, self._arrays = int(options.protocol), options.elements == "ndarray"

    def head(self) -> bytes:
        """What comes before the images."""
        start = b"\x80%c" % self._protocol
        if self._arrays:  # the names of NumPy 1, which NumPy 2 reads too, noted for the arrays to refer to
            number = b"cnumpy\ndtype\n%bK\0K\1\x87R(K\3%b" % (self._text(b"u1"), self._text(b"|")) + _TYPE_STATE
            names = (b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n", number)
            start += b"".join(b"%bq%c0" % (name, slot) for slot, name in enumerate(names))
        return start + b"]"

    def image(self, data: bytes) -> bytes:
        """One encoded image."""
        if not self._arrays:
            return self._bytes(data)
        return _ARRAY % (self._bytes(b"b"), struct.pack("<i", len(data)), self._bytes(data))

    def between(self) -> bytes:
        """What comes between images and answers."""
        return b"]"

    def answers(self, same: bytes) -> bytes:
        """Which pairs are one person: ``0`` and ``1`` as true and false."""
        return same.replace(b"1", b"\x88").replace(b"0", b"\x89")

    def end(self) -> bytes:
        """The pair of both lists, and STOP."""
        return b"\x86."

    def _text(self, text: bytes) -> bytes:
        return self._bytes(text) if self._protocol == 2 else b"X" + struct.pack("<I", len(text)) + text

    def _bytes(self, data: bytes) -> bytes:
        short, long = (b"U", b"T") if self._protocol == 2 else (b"C", b"B")
        return short + bytes([len(data)]) + data if len(data) < 256 else long + struct.pack("<I", len(data)) + data


class BinWriter(Writer):
    """Writes ``(images, same)``. The answers wait in a file of their own, a digit each, until all images are there."""

    def __init__(self, work: Path, options: Any = None, about: About | None = None) -> None:
        super().__init__(work, options or BinOptions(), about)
        self._emitter = Emitter(self.options)
        self._images, self._same = Growing(self.out), Growing(work / "same")
        self._account: Counter[str] = Counter()

    def part(self, number: int, first: int) -> Part:
        """A part with the instructions of its images."""
        return _BinPart(part_path(self.work, number), self._emitter, self.options)

    def append(self, number: int, facts: Mapping[str, Any]) -> None:
        """Append the images and the answers of a part."""
        self._begin()
        part = part_path(self.work, number)
        if facts["same"]:
            self._images.write(b"(")
            self._images.append(part)
            self._images.write(b"e")
            self._same.write(facts["same"].encode())
        else:
            part.unlink()
        add(self._account, facts)

    def finish(self) -> None:
        """Append the answers."""
        self._begin()
        self._images.write(self._emitter.between())
        if self._same.size:
            self._same.close()
            self._images.write(b"(")
            with self._same.path.open("rb") as stream:
                while digits := stream.read(1 << 16):
                    self._images.write(self._emitter.answers(digits))
            self._images.write(b"e")
        self._images.write(self._emitter.end())
        self._images.close()

    def state(self) -> dict[str, Any]:
        """The sizes of both files, and the account."""
        return {"images": self._images.size, "same": self._same.size, "account": dict(self._account)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Cut both files back."""
        self._images.cut(state.get("images", 0))
        self._same.cut(state.get("same", 0))
        self._account = Counter(state.get("account", {}))

    def notes(self) -> dict[str, Any]:
        """What became of the images."""
        return notes(self._account)

    def _begin(self) -> None:
        if not self._images.size:
            self._images.write(self._emitter.head())


class _BinPart(PairPart[tuple[bytes, bool]]):
    """The images of one unit as instructions."""

    def __init__(self, path: Path, emitter: Emitter, options: BinOptions) -> None:
        super().__init__()
        self._stream = path.open("wb")
        self._emitter, self._options = emitter, options
        self._same: list[str] = []

    def prepare(self, sample: Sample) -> tuple[bytes, bool]:
        """The encoded image, and whether it was resized."""
        if sample.image is None:
            raise InputError(f"{sample.key} has no image.")
        data, resized = self._resized(sample.image, sample.key)
        if len(data) > _MOST:
            raise InputError(f"The image of {sample.key} has {len(data):,} bytes, too many for a .bin file.")
        return data, resized

    def put(self, first: Sample, second: Sample, prepared: tuple[tuple[bytes, bool], tuple[bytes, bool]]) -> None:
        """Two images and their answer."""
        for data, resized in prepared:
            self._stream.write(self._emitter.image(data))
            self.account["resized"] += resized
        self._same.append("1" if second.same else "0")

    def close(self) -> dict[str, Any]:
        """The answers, and what became of the images."""
        self._stream.close()
        return {"same": "".join(self._same), "account": dict(self.account)}

    def _resized(self, image: EncodedImage, key: str) -> tuple[bytes, bool]:
        size = self._options.resize
        if image.format != RAW and (not size or image.size == (size, size)):
            return bytes(image.data), False
        from zoo import images
        from zoo_verification.resizing import square

        pixels = image.decode(key)
        resized = bool(size) and pixels.shape[:2] != (size, size)
        if resized:
            pixels = square(pixels, size)
        return images.encode(pixels, ".jpg", self._options.quality), resized
