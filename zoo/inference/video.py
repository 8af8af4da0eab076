"""Frames of video files and cameras, and videos with faces drawn into them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read by OpenCV when the first video is opened: be quiet

import cv2
import numpy as np

from zoo.errors import InputError, ZooError
from zoo.files import replacing
from zoo.types import Image

SUFFIXES = frozenset((".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ts", ".webm", ".wmv"))
"""Lower-case file suffixes that are taken for videos."""

_CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
_USUAL_RATE = 25.0


@dataclass(frozen=True)
class Clip:
    """A video or camera: the relative name of its results, and its frames per second (of those that are used)."""

    name: str
    rate: float


@dataclass(frozen=True)
class Frame:
    """A frame as it is seen (turned as the file's rotation says): its number from 0 and its time in seconds."""

    image: Image
    number: int
    seconds: float


class Capture:
    """An open video file (`source` a path) or camera (`source` its number)."""

    def __init__(self, source: Path | int, where: str) -> None:
        self.where, self.is_camera = where, isinstance(source, int)
        self._capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
        if not self._capture.isOpened():
            problem = "cannot be opened" if self.is_camera else "is not a video that can be read, or its end is missing"
            raise InputError(f"{where} {problem}.")
        rate = self._get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate <= 1000 else _USUAL_RATE
        self.announced = 0 if self.is_camera else max(0, round(self._get(cv2.CAP_PROP_FRAME_COUNT)))

    def _get(self, what: int) -> float:
        value = self._capture.get(what)
        return value if np.isfinite(value) else 0.0

    def frames(self, every: int = 1) -> Iterator[Frame]:
        """Every `every`-th frame, from the first. Raises `InputError` at the end of a video file that stops clearly
        before the end that it announces; the frames up to there have been given by then."""
        number = 0
        end = 0.0
        while self._capture.grab():
            seconds = self._get(cv2.CAP_PROP_POS_MSEC) / 1000
            seconds = seconds if seconds > 0 or not number else number / self.rate
            end = max(end, seconds + 1 / self.rate)
            if number % every == 0:
                good, image = self._capture.retrieve()
                if not good:
                    break
                yield Frame(np.ascontiguousarray(image, np.uint8), number, seconds)
            number += 1
        if self._is_cut_short(max(end, number / self.rate)):
            raise InputError(f"{self.where} breaks off after frame {number} of {self.announced}.")

    def _is_cut_short(self, end: float) -> bool:
        """Whether a file that was read to `end` seconds is shorter than it announces.

        Lengths and counts in containers are often off by a frame or two, and sound may last longer than the picture. So
        two frames, and a tenth of a short video, half a second of a longer one or a fiftieth of a long one are allowed.
        """
        length = self.announced / self.rate
        return not self.is_camera and length - end > max(2.5 / self.rate, min(0.5, length / 10), length / 50)

    def close(self) -> None:
        """Give the file or the camera back."""
        self._capture.release()


class VideoFile:
    """A video being written with the frames it is given, all of the first one's size; it is at `path` once closed.

    Containers that OpenCV cannot write become ``.mp4``. A codec needs even sizes: OpenCV drops the last column or row
    of an odd one. Use it as a context manager; when the block raises, nothing is left.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self.path = path if path.suffix.lower() in _CODECS else path.with_name(path.name + ".mp4")
        self.rate = rate
        self._stack = contextlib.ExitStack()
        self._writer: Any = None

    def __enter__(self) -> VideoFile:
        self._temporary = self._stack.enter_context(replacing(self.path))
        return self

    def __exit__(self, *error: Any) -> None:
        if self._writer is not None:
            self._writer.release()
        self._stack.__exit__(*error)

    def write(self, image: Image) -> None:
        """Append a frame, (H, W, 3) uint8 BGR."""
        height, width = image.shape[:2]
        if self._writer is None:
            self._size = (width, height)
            codec = cv2.VideoWriter.fourcc(*_CODECS[self.path.suffix.lower()])
            self._writer = cv2.VideoWriter(str(self._temporary), codec, self.rate, self._size)
            if not self._writer.isOpened():
                raise ZooError(
                    f"Cannot write the video {self.path}: OpenCV has no encoder for {width} x {height} pixels."
                )
        self._writer.write(image if (width, height) == self._size else cv2.resize(image, self._size))
