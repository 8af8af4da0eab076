"""Images that lie beside a label file, which names them: where they are, how they are read, and how they are copied.

Names in label files are what strangers wrote. None of them reaches a file outside the folder of images.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from zoo.datasets.folders import SUFFIXES, read_image
from zoo.datasets.folderwriters import stored
from zoo.datasets.formats import FOLDER as FOLDER
from zoo.datasets.formats import About
from zoo.datasets.sample import RAW, EncodedImage, Sample
from zoo.errors import InputError, UsageError
from zoo.files import atomic_write
from zoo.names import relative

FILE = "file"
"""The key of `Sample.extra` under which the readers of label files keep an image's name as it stands there."""

NONE = "none"
"""The value of a reader's option ``images`` with which no image is read."""

_USUAL = (".jpg", ".jpeg", ".png")
_SPLITS = ("train", "val", "test")
_CLIMBS = re.compile(r"(^|[\\/])\.\.([\\/]|$)|^[\\/]|^[A-Za-z]:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def key_of(name: str) -> str:
    """The key of a sample whose image is called `name`: forward slashes, and no suffix that is one of an image."""
    name = name.replace("\\", "/").removeprefix("./")
    stem, dot, suffix = name.rpartition(".")
    named = bool(stem) and not stem.endswith("/") and f".{suffix.lower()}" in SUFFIXES
    return stem if dot and named else name


class UniqueKeys:
    """Gives each image of a label file a key of its own: in `renamed`, by the image's number, are the keys that are not
    `key_of` its name, because an image before it has that one. Of each key a 64-bit hash is kept."""

    def __init__(self) -> None:
        self.renamed: dict[int, str] = {}
        self._taken: set[int] = set()

    def add(self, number: int, key: str) -> None:
        """Take the key of the image `number`."""
        if hash(key) in self._taken:
            while hash(key) in self._taken:
                key = f"{key}-{number}"
            self.renamed[number] = key
        self._taken.add(hash(key))

    def of(self, start: int, stop: int) -> dict[str, str]:
        """The part of `renamed` for the images `start` to `stop`, as JSON has it."""
        return {str(number): self.renamed[number] for number in range(start, stop) if number in self.renamed}


def file_name(sample: Sample) -> str:
    """What a label file calls the image of `sample`: as its source did, else its key with the image's suffix.

    Raises `InputError` for a name that a line of text cannot hold.
    """
    name = sample.extra.get(FILE)
    if not isinstance(name, str) or not name:
        name = f"{sample.key}{_suffix(sample.image)}"
    if not name or name != name.strip() or _CONTROL.search(name):
        raise InputError(
            f"The name {name!r} cannot be a line of a label file: it has control characters or spaces around."
        )
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(f"The name {name!r} is not Unicode text; rename the image.") from None
    return name


def _suffix(image: EncodedImage | None) -> str:
    if image is None:
        return ".jpg"
    return ".png" if image.format == RAW else image.suffix


def check_name(name: str) -> None:
    """Raise `InputError` when `name` points out of the folder of images."""
    if _CLIMBS.search(name):
        raise InputError(
            f"The name {name!r} leads out of the folder of images; make the names relative to that folder."
        )


class ImageFolder:
    """The folder that the names of a label file are relative to; without one (None) there are no images."""

    def __init__(self, root: Path | None) -> None:
        self.root = root

    @classmethod
    def find(cls, labels: Path, names: Iterable[str], given: str) -> ImageFolder:
        """The folder `given` by the user, or the first usual one beside the file `labels` that has one of `names`.

        Raises `InputError` when the given one is not there.
        """
        if given == NONE:
            return cls(None)
        if given:
            if not Path(given).is_dir():
                raise InputError(f"There is no folder {given} of images; images={NONE} reads the labels alone.")
            return cls(Path(given))
        wanted = [name for name in names if not _CLIMBS.search(name)]
        for root in _usual_places(labels):
            folder = cls(root)
            if any(folder.path(name) for name in wanted):
                return folder
        return cls(None)

    def path(self, name: str) -> Path | None:
        """Where the image `name` lies, with the usual suffixes tried where it has none; None when it is not there."""
        if self.root is None:
            return None
        place = self.root / name.replace("\\", "/")
        suffixes = ("",) if place.suffix.lower() in SUFFIXES else ("", *_USUAL)
        try:
            return next((path for suffix in suffixes if (path := place.with_name(place.name + suffix)).is_file()), None)
        except (OSError, ValueError):
            return None

    def read(self, name: str) -> EncodedImage | None:
        """The image `name` as its file holds it; None without a folder of images.

        Raises `InputError` when the name leads out of the folder, or the file is not there or no image that can be
        read, as `zoo.datasets.folders.read_image` says.
        """
        check_name(name)
        if self.root is None:
            return None
        path = self.path(name)
        if path is None:
            raise InputError(f"There is no image {name} in {self.root}; images={NONE} reads the labels alone.")
        return read_image(path)


def _usual_places(labels: Path) -> Iterator[Path]:
    """``images`` beside the labels, their own folder, and the trees that WIDER FACE and COCO are unpacked to, up to
    three folders higher."""
    folder = labels.absolute().parent
    yield from (folder / "images", folder)
    for up in list(folder.parents)[:3]:
        yield up / "images"
        yield from (up / f"WIDER_{split}" / "images" for split in _SPLITS)
        yield from (path for split in _SPLITS for path in sorted(up.glob(f"{split}20[0-9][0-9]")))


def must_copy(asked: bool | None, about: About | None, format: str) -> bool:
    """Whether a writer of labels stores the images too. Where the user has not `asked`, images that lie in a folder of
    their own stay there.

    Raises `UsageError` where the source's images would get lost without the user having said so, and where they are
    asked for and not at hand.
    """
    if asked and about is not None and "images" not in about.holds and about.count != 0:
        raise UsageError(
            "copy_images=true needs the images, and none are found with the source; say with images=FOLDER where they"
            " are, or leave copy_images out."
        )
    if asked is None and about is not None and "images" in about.holds and FOLDER not in about.facts:
        raise UsageError(
            f"{format} names images and does not hold them: copy_images=true makes a folder with the labels and the"
            " images, copy_images=false leaves the images out."
        )
    return bool(asked)


def place(folder: Path, name: str) -> Path:
    """The path of the file `name` below `folder`. Raises `InputError` for what cannot be a file's name everywhere."""
    check_name(name)
    plain = relative(name)
    if plain != name.replace("\\", "/").removeprefix("./") or any(len(os.fsencode(n)) > 255 for n in plain.split("/")):
        raise InputError(f"The name {name!r} cannot be that of a file on every system; rename the image.")
    return folder / plain


def copy_image(folder: Path, name: str, sample: Sample, work: Path) -> None:
    """Store the image of `sample` as `name` below `folder`, by way of a file in the folder `work`; one without an image
    is left alone. A process that is killed leaves no half of an image, nor anything else below `folder`.

    Raises `InputError` for a name that is none for a file, or that another image has already.
    """
    if sample.image is None:
        return
    path, image = place(folder, name), sample.image
    data = stored(image, name)[0] if image.format == RAW else bytes(image.data)
    if not path.is_file() and _created(path, data, work):
        return
    if path.read_bytes() != data:
        raise InputError(f"Two different images are called {name}; rename one.")


def _created(path: Path, data: bytes, work: Path) -> bool:
    """Write `data` to `path` at once, unless another process has just given that name to something."""
    complete = work / f".{os.getpid()}-{os.urandom(4).hex()}.image"
    atomic_write(complete, data)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(complete, path)  # unlike a rename, this never replaces what is there
    except OSError:
        if path.is_file():
            return False
        atomic_write(path, data, work)  # a disk without hard links; or the sentence that says what is wrong
    finally:
        complete.unlink(missing_ok=True)
    return True
