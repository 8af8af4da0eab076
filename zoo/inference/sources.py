"""From what a user typed to a stream of images.

Nothing is listed twice in memory: folders are walked in the order of their names while the images are worked on.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zoo import images, receipts
from zoo.errors import InputError, UsageError, suggestion
from zoo.inference import stdin, video
from zoo.names import Names, relative
from zoo.types import Image

RECEIPT = f"infer{receipts.SUFFIX}"
"""A folder below an input folder is left out when it holds this: annotated copies are no new images."""


@dataclass(frozen=True)
class Item:
    """One image to work on, or one frame of a `clip`.

    `name` is relative, with forward slashes: records carry it and results are stored under it. `where` is the place as
    the user knows it. `load` gives the pixels or raises `InputError`. `folder` is the name of the folder it lies in.
    """

    name: str
    where: str
    load: Callable[[], Image]
    folder: str = ""
    clip: video.Clip | None = None
    frame: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Source:
    """One input as typed: its items, and how many they will be where that is known. `live` for a camera, which ends
    when the user says so; `has_frames` where items may be frames of a video, which hold their pixels."""

    items: Callable[[], Iterator[Item]]
    total: int | None = None
    live: bool = False
    has_frames: bool = False


@dataclass(frozen=True)
class Plan:
    """All inputs of a run, in the order they were typed."""

    sources: tuple[Source, ...]

    @property
    def total(self) -> int | None:
        """How many items there will be; None when one of the sources does not know."""
        totals = [source.total for source in self.sources]
        return sum(total for total in totals if total is not None) if None not in totals else None

    @property
    def live(self) -> bool:
        """Whether the run ends when the user says so."""
        return any(source.live for source in self.sources)

    @property
    def has_frames(self) -> bool:
        """Whether items may be frames of a video, which hold their pixels."""
        return any(source.has_frames for source in self.sources)

    def items(self) -> Iterator[Item]:
        """The items of all sources, each made when it is asked for."""
        for source in self.sources:
            yield from source.items()


@dataclass(frozen=True)
class _Planner:
    """What all inputs of a run share. `avoid` are folders that walks leave out, because results are written there."""

    several: bool
    recursive: bool
    every: int
    avoid: frozenset[str]
    names: Names
    stdin: BinaryIO | None = None

    def source(self, text: str) -> Source:
        """The source that `text` means. Raises `UsageError` or `InputError` when it means none."""
        prefix, _, rest = text.partition(":")
        if text == "-":
            return Source(lambda: stdin_items(self.stdin or stdin.stream(), self.every), has_frames=True)
        if rest and prefix in _SCHEMES:
            return _SCHEMES[prefix](self, rest)
        if prefix.lower() in ("http", "https", "ftp", "rtsp") and rest.startswith("//"):
            raise UsageError(f"{text} is an address: download it first and give the file.")
        path = Path(text).expanduser()
        if path.is_dir():
            return self._folder(path)
        if path.exists():
            return self._file(path, self.names.unique(path.name))
        if glob.has_magic(text):
            return self._pattern(str(path))
        raise _missing(path)

    def _file(self, path: Path, name: str) -> Source:
        if path.suffix.lower() in video.SUFFIXES:
            total = _frame_count(path, self.every)
            return Source(lambda: video_items(path, name, str(path), self.every), total, has_frames=True)
        return Source(lambda: iter([_image(path, name)]), 1)

    def _folder(self, folder: Path) -> Source:
        label = self._label(folder)
        if (total := sum(1 for _ in self._walk(folder))) == 0:
            deeper = "" if self.recursive else " (its sub-folders were not looked at)"
            videos = "; give videos by name or as a pattern" if any(map(_is_video, folder.iterdir())) else ""
            raise InputError(f"{folder} holds no images{deeper}{videos}.")
        return Source(
            lambda: (_image(path, label + path.relative_to(folder).as_posix()) for path in self._walk(folder)), total
        )

    def _walk(self, folder: Path, is_root: bool = True) -> Iterator[Path]:
        """The images below a folder in the order of their names, without the results of earlier runs. A folder that
        cannot be read stands for itself, and is reported when it is loaded."""
        try:
            with os.scandir(folder) as entries:
                found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        except OSError:
            yield folder
            return
        if not is_root and (RECEIPT, False) in found:
            return
        for name, is_folder in found:
            path = folder / name
            if name.startswith("."):
                continue
            if is_folder:
                if self.recursive and os.path.realpath(path) not in self.avoid:
                    yield from self._walk(path, is_root=False)
            elif path.suffix.lower() in images.SUFFIXES and path.is_file():
                yield path

    def _pattern(self, pattern: str) -> Source:
        root = _fixed_part(pattern)
        label = self._label(root)

        def items() -> Iterator[Item]:
            for path in self._matches(pattern):
                name = label + (path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name)
                yield from (video_items(path, name, str(path), self.every) if _is_video(path) else [_image(path, name)])

        total, videos = 0, False
        for path in self._matches(pattern):
            total, videos = total + 1, videos or _is_video(path)
        if not total:
            raise InputError(f"{pattern} matches no images and no videos.")
        return Source(items, None if videos else total, has_frames=videos)

    def _matches(self, pattern: str) -> Iterator[Path]:
        for text in sorted(glob.iglob(pattern, recursive=True)):  # noqa: PTH207 - pathlib's globs show hidden files
            path = Path(text)
            usable = (path.suffix.lower() in images.SUFFIXES or _is_video(path)) and path.is_file()
            if usable and not (self.avoid and self.avoid.intersection(map(os.path.realpath, path.parents))):
                yield path

    def _label(self, folder: Path) -> str:
        """What precedes the names from a folder: nothing when it is the only input, else its own name."""
        return f"{self.names.unique(folder.resolve().name or 'root')}/" if self.several else ""

    def _sample(self, name: str) -> Source:
        from zoo.plugins import catalogue
        from zoo.weights import WeightStore

        sample = catalogue().samples[name]
        path = WeightStore().path(sample.file, owner=f"sample:{name}", licences=sample.licence)
        stored = self.names.unique(name + Path(sample.file.name).suffix)
        where = f"sample:{name}"
        return Source(lambda: iter([Item(stored, where, lambda: images.read(path, where), "samples")]), 1)

    def _camera(self, number: str) -> Source:
        if not number.isdecimal():
            raise UsageError(f"A camera is given by its number, for example camera:0, not camera:{number}.")
        name = self.names.unique(f"camera{number}.mp4")
        where = f"camera:{number}"
        return Source(lambda: video_items(int(number), name, where, self.every), live=True, has_frames=True)


_SCHEMES: dict[str, Callable[[_Planner, str], Source]] = {"camera": _Planner._camera, "sample": _Planner._sample}


def plan(
    inputs: tuple[str, ...],
    *,
    recursive: bool = True,
    every: int = 1,
    avoid: tuple[Path, ...] = (),
    stdin: BinaryIO | None = None,
) -> Plan:
    """Look at the inputs as typed: image and video files, folders, quoted patterns, ``camera:N``, ``sample:ID``, ``-``.

    A folder gives the images below it (`recursive`), without hidden files. Of videos every `every`-th frame is taken.
    `avoid` names folders to leave out. Raises `UsageError` for an input that does not exist, `InputError` for a folder
    or pattern without images; a file that turns out not to be an image says so when it is loaded.
    """
    if not inputs:
        raise UsageError("Give an image, a folder, a pattern, a video, camera:0, sample:ID or - (standard input).")
    excluded = frozenset(os.path.realpath(folder) for folder in avoid)
    planner = _Planner(len(inputs) > 1, recursive, every, excluded, Names(), stdin)
    return Plan(tuple(planner.source(text) for text in inputs))


def video_items(source: Path | int, name: str, where: str, every: int) -> Iterator[Item]:
    """The frames of a video or camera. What is wrong with it comes as a last item whose `load` says so."""
    clip = video.Clip(name, 0.0)
    folder = "" if isinstance(source, int) else source.absolute().parent.name
    try:
        capture = video.Capture(source, where)
    except InputError as error:
        yield Item(name, where, _raising(error), folder, clip)
        return
    try:
        clip = video.Clip(name, capture.rate / every)
        for frame in capture.frames(every):
            place = f"{where} frame {frame.number}"
            yield Item(name, place, _giving(frame.image), folder, clip, frame.number, frame.seconds)
    except InputError as error:
        yield Item(name, where, _raising(error), folder, clip)
    finally:
        capture.close()


def stdin_items(stream: BinaryIO, every: int) -> Iterator[Item]:
    """One image from its bytes, or the images and videos whose paths are listed, one a line or NUL between them."""
    head = stdin.first(stream)
    if images.header(head):
        data = head + stream.read()
        yield Item("stdin" + _suffix(data), "standard input", lambda: images.decode(data, "standard input"))
        return
    for text in stdin.lines(head, stream):
        path = Path(text)
        name = relative(text)
        yield from (video_items(path, name, text, every) if _is_video(path) else [_image(path, name)])


def _image(path: Path, name: str) -> Item:
    return Item(name, str(path), lambda: images.read(path), path.absolute().parent.name)


def _raising(error: InputError) -> Callable[[], Image]:
    def load() -> Image:
        raise error

    return load


def _giving(image: Image) -> Callable[[], Image]:
    return lambda: image


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in video.SUFFIXES


def _frame_count(path: Path, every: int) -> int | None:
    """How many frames a video announces; 1 where it cannot be opened, for the report of that."""
    try:
        capture = video.Capture(path, str(path))
    except InputError:
        return 1
    capture.close()
    return -(-capture.announced // every) or None


def _suffix(data: bytes) -> str:
    found = images.header(data)
    names = {"JPEG": ".jpg", "TIFF": ".tif", "PNM": ".ppm"}
    return names.get(found.format, f".{found.format.lower()}") if found else ""


def _fixed_part(pattern: str) -> Path:
    """The folder that a pattern starts from: its parts before the first one with a wildcard."""
    fixed: list[str] = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed)


def _missing(path: Path) -> UsageError:
    known: list[str] = []
    if path.parent.is_dir():
        known = [entry.name for entry in path.parent.iterdir()]
    return UsageError(f"There is no file or folder {path}.{suggestion(path.name, known)}")
