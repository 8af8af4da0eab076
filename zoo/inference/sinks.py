"""Where results go: one writer a kind of file, fed as the results come in. A file that collects the results of many
images appears when the run has ended well, and is a hidden temporary one until then."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from zoo import images
from zoo.errors import UsageError, ZooError
from zoo.files import atomic_write, replacing
from zoo.inference.outcome import Outcome
from zoo.inference.sources import Item
from zoo.inference.video import Clip, VideoFile
from zoo.names import Names, relative
from zoo.types import Faces

IMAGES, NPZ = "images", "npz"
_POINTS = [f"k{axis}{number}" for number in range(5) for axis in "xy"]
CSV_COLUMNS = ("image", "x1", "y1", "x2", "y2", "score", *_POINTS, "frame")


class Sink(Protocol):
    """Something that takes outcomes in the order of the inputs."""

    def write(self, outcome: Outcome) -> None:
        """Take the next one."""

    def close(self) -> tuple[Path, ...]:
        """Complete what is open; says what has been written."""


class Targets:
    """Decides, in the order of the inputs, under which path each annotated image is stored, so that the same run gives
    the same names with any number of workers."""

    def __init__(self, out: Path) -> None:
        self._folder, self._names = out / IMAGES, Names()

    def path(self, item: Item) -> Path | None:
        """The place of an image below the folder of results; None for a frame, which goes into a video. An image of a
        format that cannot be written is stored as PNG."""
        if item.clip is not None:
            return None
        name = relative(item.name)
        suffix = "" if Path(name).suffix.lower() in images.WRITABLE else ".png"
        return self._folder / self._names.unique(name + suffix)


class Pictures:
    """The annotated images, which the workers write, and the annotated videos, written here frame by frame."""

    def __init__(self, out: Path, files: contextlib.ExitStack) -> None:
        self._folder, self._names, self._written = out / IMAGES, Names(), False
        self._clip: Clip | None = None
        self._video = files.enter_context(contextlib.ExitStack())
        self._file: VideoFile | None = None

    def write(self, outcome: Outcome) -> None:
        """Append a frame to its video; a frame of another video ends the one before."""
        self._written = self._written or outcome.faces is not None
        clip = outcome.item.clip
        if clip is not self._clip:
            self._end_video()
            self._clip = clip
        if clip is not None and outcome.picture is not None:
            if self._file is None:
                path = self._folder / self._names.unique(relative(clip.name))
                self._file = self._video.enter_context(VideoFile(path, clip.rate))
            self._file.write(outcome.picture)

    def close(self) -> tuple[Path, ...]:
        """End the last video."""
        self._end_video()
        return (self._folder,) if self._written else ()

    def _end_video(self) -> None:
        self._video.close()
        self._file = None


class _Streamed:
    """A text file that grows while the run goes on and appears when it is closed."""

    def __init__(self, path: Path, files: contextlib.ExitStack) -> None:
        self.path = path
        self._stack = files.enter_context(contextlib.ExitStack())
        temporary = self._stack.enter_context(replacing(path))
        self.stream: IO[str] = self._stack.enter_context(temporary.open("w", encoding="utf-8", newline=""))

    def close(self) -> tuple[Path, ...]:
        """Give the file its name."""
        self._stack.close()
        return (self.path,)


class JsonLines(_Streamed):
    """``faces.jsonl``: one record a line, skipped inputs included."""

    def __init__(self, out: Path, files: contextlib.ExitStack) -> None:
        super().__init__(out / "faces.jsonl", files)

    def write(self, outcome: Outcome) -> None:
        """Add a line."""
        self.stream.write(json.dumps(outcome.record, ensure_ascii=False) + "\n")


class Csv(_Streamed):
    """``faces.csv``: one row a face, with `CSV_COLUMNS`; what a model does not give is left empty.

    Where the first face has K landmarks, ``lx0 ly0 ...`` and, with variances, ``lv0 ...`` follow. Embeddings are not
    written: a table of hundreds of columns is what `Npz` is for.
    """

    def __init__(self, out: Path, files: contextlib.ExitStack) -> None:
        super().__init__(out / "faces.csv", files)
        self._rows = csv.writer(self.stream)
        self._landmarks, self._variances, self._begun = 0, 0, False

    def write(self, outcome: Outcome) -> None:
        """Add a row for each face."""
        frame = "" if outcome.item.frame is None else outcome.item.frame
        for face in outcome.record.get("faces", ()):
            self._begin(len(face.get("landmarks", ())), len(face.get("variances", ())))
            points = [value for point in face.get("keypoints", ()) for value in point]
            landmarks = [value for point in face.get("landmarks", ()) for value in point]
            variances = _filled(face.get("variances", ()), self._variances)
            more = [*_filled(landmarks, 2 * self._landmarks), *variances]
            points = _filled(points, len(_POINTS))
            self._rows.writerow([outcome.item.name, *face["box"], face["score"], *points, frame, *more])

    def close(self) -> tuple[Path, ...]:
        """Give the file its name."""
        self._begin(0, 0)
        return super().close()

    def _begin(self, landmarks: int, variances: int) -> None:
        if not self._begun:
            self._landmarks, self._variances, self._begun = landmarks, variances, True
            points = [f"l{axis}{number}" for number in range(landmarks) for axis in "xy"]
            self._rows.writerow([*CSV_COLUMNS, *points, *(f"lv{number}" for number in range(variances))])


def _filled(values: Sequence[float], count: int) -> list[Any]:
    """The first `count` of `values`, or as many empty cells."""
    return list(values[:count]) if len(values) >= count else [""] * count


class Wider:
    """``wider/EVENT/NAME.txt`` as the evaluation of WIDER FACE reads it: the name, the number of faces, and for each
    face ``x y width height score``. The event is the name of the folder that the image lies in, or of the video."""

    def __init__(self, out: Path, files: contextlib.ExitStack) -> None:
        del files
        self._folder, self._names, self._written = out / "wider", Names(), False

    def write(self, outcome: Outcome) -> None:
        """Write the file of one image."""
        if outcome.faces is None:
            return
        event, stem = _event(outcome.item)
        boxes = (f"{x1:.3f} {y1:.3f} {x2 - x1:.3f} {y2 - y1:.3f}" for x1, y1, x2, y2 in outcome.faces.boxes.tolist())
        rows = [f"{box} {score:.6f}" for box, score in zip(boxes, outcome.faces.scores.tolist(), strict=True)]
        path = self._folder / self._names.unique(f"{event}/{stem}.txt")
        atomic_write(path, "\n".join([stem, str(len(rows)), *rows]) + "\n")
        self._written = True

    def close(self) -> tuple[Path, ...]:
        """Each file is complete already."""
        return (self._folder,) if self._written else ()


def _event(item: Item) -> tuple[str, str]:
    name = relative(item.name)
    folder, _, base = name.rpartition("/")
    if item.frame is not None:
        return name, f"{item.frame:06d}"
    return folder.rpartition("/")[2] or relative(item.folder), base.rpartition(".")[0] or base


class Coco:
    """``coco.json``, the detections as the COCO tools load them (boxes x, y, width, height), and ``coco_images.json``,
    the images that their ids mean, counted from 1 in the order of the inputs."""

    def __init__(self, out: Path, files: contextlib.ExitStack) -> None:
        self._detections = _JsonArray(out / "coco.json", files)
        self._images = _JsonArray(out / "coco_images.json", files)
        self._count = 0

    def write(self, outcome: Outcome) -> None:
        """Add the image and its faces."""
        if outcome.faces is None:
            return
        self._count += 1
        frame = {} if outcome.item.frame is None else {"frame": outcome.item.frame}
        size = {"width": outcome.width, "height": outcome.height}
        self._images.add({"id": self._count, "file_name": outcome.item.name, **size, **frame})
        for face in outcome.record["faces"]:
            x1, y1, x2, y2 = face["box"]
            box = [x1, y1, round(x2 - x1, 4), round(y2 - y1, 4)]
            self._detections.add({"image_id": self._count, "category_id": 1, "bbox": box, "score": face["score"]})

    def close(self) -> tuple[Path, ...]:
        """End both arrays."""
        return (*self._detections.close(), *self._images.close())


class _JsonArray(_Streamed):
    """A JSON array, one element a line."""

    def __init__(self, path: Path, files: contextlib.ExitStack) -> None:
        super().__init__(path, files)
        self._before = "[\n"

    def add(self, element: dict[str, Any]) -> None:
        """Append an element."""
        self.stream.write(self._before + json.dumps(element, ensure_ascii=False))
        self._before = ",\n"

    def close(self) -> tuple[Path, ...]:
        """End the array."""
        self.stream.write("\n]\n" if self._before == ",\n" else "[]\n")
        return super().close()


class Npz:
    """``npz/NAME.npz`` for each image, ``npz/VIDEO/FRAME.npz`` for each frame: the arrays of its `Faces` that are
    there, float32, under their names. The same faces give the same bytes."""

    def __init__(self, out: Path, files: contextlib.ExitStack) -> None:
        del files
        self._folder, self._names, self._written = out / NPZ, Names(), False

    def write(self, outcome: Outcome) -> None:
        """Write the file of one image."""
        if outcome.faces is None:
            return
        name, frame = relative(outcome.item.name), outcome.item.frame
        folder, _, base = name.rpartition("/")
        stem = f"{name}/{frame:06d}" if frame is not None else f"{folder}/{base.rpartition('.')[0] or base}".lstrip("/")
        atomic_write(self._folder / self._names.unique(f"{stem}.npz"), _packed(outcome.faces))
        self._written = True

    def close(self) -> tuple[Path, ...]:
        """Each file is complete already."""
        return (self._folder,) if self._written else ()


def _packed(faces: Faces) -> bytes:
    """The arrays as `numpy.savez_compressed` has them, but for the date of writing, which would differ each time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in faces.arrays().items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # the first day of 1980
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return packed.getvalue()


SINKS: dict[str, Callable[[Path, contextlib.ExitStack], Sink]] = {
    IMAGES: Pictures,
    "jsonl": JsonLines,
    "csv": Csv,
    "wider": Wider,
    "coco": Coco,
    NPZ: Npz,
}


@contextlib.contextmanager
def opened(out: Path | None, kinds: Collection[str]) -> Iterator[list[Sink]]:
    """The sinks of `kinds` below the folder `out`, none where it is None.

    Raises `ZooError` at once when the folder cannot be written. When the block raises, files that were not closed are
    removed, and so are the folders that were made and stayed empty.
    """
    if out is None:
        yield []
        return
    made = _make(out)
    try:
        with contextlib.ExitStack() as files:
            yield [SINKS[kind](out, files) for kind in dict.fromkeys(kinds)]
    except BaseException:
        for folder in (out / IMAGES, out / "wider", out / NPZ, *made):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _make(out: Path) -> list[Path]:
    """Make the folder, try to write there, and say which folders are new, the deepest first."""
    missing = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ZooError(
            f"Cannot make the folder {out} for results: {error.strerror or error}; choose another."
        ) from None
    try:
        tempfile.TemporaryFile(dir=out).close()
    except OSError:
        raise ZooError(f"Cannot write results into {out}: choose a folder that you may write to.") from None
    return missing


def refuse_overwriting(out: Path, inputs: Collection[str]) -> None:
    """Raise `UsageError` when an input lies where annotated images would be stored."""
    target = (out / IMAGES).resolve()
    for text in inputs:
        path = Path(text).expanduser()
        if text != "-" and path.exists() and path.resolve().is_relative_to(target):
            raise UsageError(f"The results would overwrite the input {text}; choose another folder for them.")
