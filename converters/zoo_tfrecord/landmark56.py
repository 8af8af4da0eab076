"""The format ``tfrecord-landmark56``: what the TF-slim landmark network of 56 x 56 pixels is trained on.

An Example has ``image``, 56 x 56 x 3 bytes of pixels in BGR order, and ``points``, 136 floats x0, y0, x1, y1, ... as
fractions of the crop's width and height. The original writes the image as 9,408 strings of one byte, because it ran on
Python 2, where a string is a sequence of strings; its reader wants them so. Source: gwanglee/face_landmarks,
data/data_landmark.py; files written by TensorFlow for the layout.
"""

from __future__ import annotations

import contextlib
from typing import Any

import cv2
import numpy as np

from zoo.datasets.sample import RAW, Annotation, EncodedImage, Sample
from zoo.datasets.tables import one_face
from zoo.errors import InputError
from zoo.types import Floats, Image
from zoo_tfrecord import wire
from zoo_tfrecord.options import Landmark56Options
from zoo_tfrecord.reader import RecordReader
from zoo_tfrecord.wire import WireError
from zoo_tfrecord.writer import RecordWriter

SIDE = 56
POINTS = 68
_PIXELS = SIDE * SIDE * 3


class Landmark56Reader(RecordReader):
    """Reads the format: raw pixels, and landmarks in pixels of the 56 x 56 image."""

    def decode(self, payload: bytes, number: int) -> Sample:
        """The sample of an Example. ``extra["points"]`` are the fractions as they are, because pixels do not give them
        back to the last bit. Raises `WireError`."""
        found = wire.features(payload)
        if b"image" not in found or b"points" not in found:
            raise WireError("it has no image and points")
        image, points = wire.joined_strings(payload, found[b"image"]), wire.floats(payload, found[b"points"])
        channels, odd = divmod(len(image), SIDE * SIDE)
        if odd or channels not in (1, 3):
            raise WireError(f"its image has {len(image)} bytes, not {_PIXELS} ({SIDE} x {SIDE} x 3)")
        if len(points) != 2 * POINTS:
            raise WireError(f"it has {len(points)} coordinates, not {2 * POINTS}")
        return Sample(
            key=str(number),
            image=EncodedImage(image, RAW, (SIDE, SIDE, channels)),
            size=(SIDE, SIDE),
            faces=Annotation(landmarks=_pixels(points)),
            extra={"points": points},
        )

    def describe(self, payloads: list[bytes]) -> tuple[str, frozenset[str], dict[str, Any]]:
        """Always landmarks; the fact is how the image is stored."""
        facts = {}
        for payload in payloads[:1]:
            with contextlib.suppress(WireError, KeyError):
                first = wire.first_string(payload, wire.features(payload)[b"image"])
                facts["an image is"] = "strings of one byte" if len(first) == 1 else f"a string of {len(first)} bytes"
        return "landmarks", frozenset(("images", "landmarks")), facts


class Landmark56Writer(RecordWriter):
    """Writes the format: cuts the face out where the options say so, resizes as cv2 does (bilinear)."""

    needs = frozenset(("images", "landmarks"))
    options: Landmark56Options

    def default_options(self) -> Landmark56Options:
        """The whole image as it is."""
        return Landmark56Options()

    def encode(self, sample: Sample) -> bytes:
        """The Example of a sample of one face. Raises `InputError` when it has no image, or not 68 landmarks."""
        from zoo.datasets.cropping import crop

        sample = crop(sample, self.options)
        landmarks = one_face(sample, (POINTS,))
        if sample.image is None:
            raise InputError(f"{sample.key} has no image, which {SIDE}-pixel faces are made of.")
        image = sample.image.decode(sample.key)
        data = _resized(image).tobytes()
        pixels = wire.single_bytes_feature if self.options.strings == "many" else wire.bytes_feature
        points = wire.floats_feature(b"points", _fractions(sample, landmarks, image))
        return wire.example([pixels(b"image", data), points])


def _resized(image: Image) -> Image:
    if image.shape[:2] == (SIDE, SIDE):
        return image
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)


def _pixels(points: Floats) -> Floats:
    """Fractions as landmarks (1, 68, 2) in pixels."""
    return points.reshape(1, POINTS, 2) * np.float32(SIDE)


def _fractions(sample: Sample, landmarks: Floats, image: Image) -> Floats:
    """Landmarks as fractions of the image: those that they were made of, where these are at hand and still fit."""
    given = sample.extra.get("points")
    if given is not None and image.shape[:2] == (SIDE, SIDE) and np.array_equal(_pixels(given)[0], landmarks):
        return np.asarray(given, np.float32)
    height, width = image.shape[:2]
    return (landmarks.astype(np.float64) / (width, height)).astype(np.float32)
