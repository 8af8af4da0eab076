"""Images a second of whole runs of ``zoo convert`` over a set of small JPEGs, and whether its memory stays flat.

The set is made once: a folder of people, converted to a ``.rec``. What passes bytes through is held against what moving
a data set costs otherwise: decoding and encoding each image anew in one thread, copying the file, and writing the same
files from memory. Where MXNet is there (see `benchmarks.reading`), so is how fast its reader is beside ours.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from benchmarks import reading
from benchmarks.harness import Report, in_turn, run, seconds
from benchmarks.memory import LIMIT, resident
from benchmarks.startup import command

SIDE, QUALITY = 112, 88
"""Pixels of a side, and the quality at which an image takes about 4.4 kB."""
DIFFERENT = 200
"""How many different images there are."""
PERSON = 20
"""Images of each person."""
ENCODED = 2000
"""Images that are decoded and encoded anew to learn the rate."""
ANEW, COPY, FILES = 25.0, 1 / 8, 0.7
"""At least so many times the rate of encoding anew, of copying the file, of writing the same files from memory."""
FORMATS = {"tfrecord": "set.tfrecord", "webdataset": "shards", "identity-folders": "folders"}
"""What the ``.rec`` becomes, and under which name."""
MILLION = 1_000_000


def jpegs(count: int, seed: int = 0) -> list[bytes]:
    """`count` JPEGs of smooth colours with some noise."""
    chance, found = np.random.default_rng(seed), []
    for _ in range(count):
        colours = chance.integers(0, 256, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
        smooth = cv2.resize(colours, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(smooth + chance.normal(0, 1, smooth.shape), 0, 255).astype(np.uint8)
        found.append(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes())
    return found


def people(folder: Path, images: int, pictures: list[bytes]) -> None:
    """A folder of people with `images` images."""
    for number in range(images):
        person = folder / f"{number // PERSON:06d}"
        if number % PERSON == 0:
            person.mkdir(parents=True)
        (person / f"{number % PERSON:04d}.jpg").write_bytes(pictures[number % len(pictures)])


def words(source: Path, target: Path, format: str) -> list[str | Path]:
    """The command that converts `source` to `target`."""
    return [*command(), "convert", source, target, "--to", format, "--overwrite"]


class Race:
    """The conversions of a set of `images` images, and what they are held against, in images a second."""

    def __init__(self, work: Path, images: int) -> None:
        self.work, self.images = work, images
        self.pictures = jpegs(DIFFERENT)
        people(work / "people", images, self.pictures)
        self.set = make_set(work, work / "people", "set")
        self.rec = self.set / "train.rec"

    def to(self, format: str) -> float:
        """The ``.rec`` to `format`."""
        target = self.work / FORMATS[format]
        _remove(target)
        return self.images / seconds(lambda: run(words(self.set, target, format)))

    def back(self) -> float:
        """The folder of people to a ``.rec``."""
        target = self.work / "again"
        _remove(target)
        return self.images / seconds(lambda: run(words(self.work / "people", target, "insightface-rec")))

    def anew(self) -> float:
        """Decoding and encoding in one thread."""
        cv2.setNumThreads(1)
        return ENCODED / seconds(self._encode)

    def _encode(self) -> None:
        for number in range(ENCODED):
            image = cv2.imdecode(np.frombuffer(self.pictures[number % DIFFERENT], np.uint8), cv2.IMREAD_COLOR)
            cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])

    def copy(self) -> float:
        """Copying the ``.rec``."""
        target = self.work / "copy.rec"
        _remove(target)
        return self.images / seconds(lambda: shutil.copyfile(self.rec, target))

    def files(self) -> float:
        """Writing the files of the folder of people from memory."""
        target = self.work / "files"
        _remove(target)
        return self.images / seconds(lambda: people(target, self.images, self.pictures))


def make_set(work: Path, source: Path, name: str) -> Path:
    """A ``.rec`` of a folder of people."""
    run(words(source, work / name, "insightface-rec"))
    return work / name


def _remove(path: Path) -> None:
    """Remove what an earlier round wrote, outside the time that is taken."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _rates(report: Report, race: Race, rounds: int) -> None:
    actions: dict[str, Callable[[], float]] = {f: lambda f=f: race.to(f) for f in FORMATS}  # type: ignore[misc]
    actions |= {"back": race.back, "anew": race.anew, "copy": race.copy, "files": race.files}
    taken = in_turn(rounds, actions, warm_up=0)
    for name in (*FORMATS, "back"):
        what = "folders to .rec" if name == "back" else f".rec to {name}"
        peers = [("encoding anew, one thread", "anew", ANEW), ("copying the .rec", "copy", COPY)]
        if name == "identity-folders":
            peers.append(("writing the same files from memory", "files", FILES))
        for peer, key, least in peers:
            report.compare(what, peer, taken[name], taken[key], "images/s", least=least)


def _memory(report: Report, race: Race, few: int, many: list[int], rounds: int) -> None:
    def peak(images: int) -> float:
        source = race.set
        if images != race.images:
            folder, source = race.work / f"people{images}", race.work / f"set{images}"
            if not source.exists():
                people(folder, images, race.pictures)
                make_set(race.work, folder, source.name)
                shutil.rmtree(folder)
        target = race.work / "peak.tfrecord"
        _remove(target)
        return resident(words(source, target, "tfrecord"))

    for count in many:
        taken = in_turn(rounds, {"many": lambda n=count: peak(n), "few": lambda: peak(few)}, warm_up=0)  # type: ignore[misc]
        what = f"peak of {count} images, .rec to tfrecord"
        report.compare(what, f"peak of {few} images", taken["many"], taken["few"], "MiB", most=LIMIT)


def measure(rounds: int, images: int, few: int, million: bool) -> Report:
    """A set of `images` images; memory against one of `few`, that of a million images, too, with `million`."""
    report = Report("conversion")
    with tempfile.TemporaryDirectory() as text:
        race = Race(Path(text), images)
        report.facts["bytes an image"] = round(race.rec.stat().st_size / images)
        _rates(report, race, rounds)
        reading.compare(report, race.rec, images, rounds)
        _memory(report, race, few, [images, MILLION] if million else [images], rounds)
    return report


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in {"rounds": 3, "images": 100_000, "few": 10_000}.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    parser.add_argument("--million", action="store_true", help="also the memory of a million images: 5 GB of disk")
    options = parser.parse_args()
    measure(options.rounds, options.images, options.few, options.million).print()
