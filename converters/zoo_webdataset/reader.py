"""Reading sets of tar archives, compressed or not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from zoo.datasets.formats import About, kind_of
from zoo.datasets.sample import PARTS, Broken, EncodedImage, Sample, sniff
from zoo.datasets.sequential import SequentialReader
from zoo_webdataset import annotation, files
from zoo_webdataset.annotation import DocumentError
from zoo_webdataset.members import Group, groups
from zoo_webdataset.suffixes import DOCUMENT, IMAGES, LABEL

LOOKED_AT = 64
"""Samples from which it is told what a set holds."""


class ShardReader(SequentialReader):
    """Reads the format ``webdataset``."""

    def __init__(self, path: Path, options: Any = None) -> None:
        found = files.files(path)
        super().__init__(path, options, found, [files.is_compressed(file) for file in found])

    def about(self) -> About:
        """What the first samples have; how many there are in sets of at most a gigabyte that are not compressed."""
        first = [sample for sample in islice(self._from(0, 0, 0), LOOKED_AT) if isinstance(sample, Sample)]
        holds = frozenset(name for sample in first for name in _held(sample))
        facts: dict[str, Any] = {"archives": len(self.files), "compressed": any(self.compressed)}
        if other := sorted({f".{name}" for sample in first for name in sample.extra if name != "json"}):
            facts["other members"] = other
        return About(kind_of(holds), self.count(), holds, facts=facts)

    def offsets(self, file: Path) -> Iterator[int]:
        """Where the first header of each sample is."""
        with files.window(file) as window:
            for group in groups(window, contents=False):
                yield group.offset

    def samples(self, file: Path, offset: int, number: int) -> Iterator[Sample | Broken]:
        """The samples of an archive from a place on."""
        with files.window(file, offset) as window:
            for group in groups(window):
                yield read_sample(group, file.name)


def read_sample(group: Group, where: str) -> Sample | Broken:
    """The sample that the members of a group make up. Members that are not understood go to ``extra`` as bytes, under
    their suffix. Damage has no name, and is called after its place."""
    key = group.key.decode("utf-8", "surrogateescape") or f"member-at-{group.offset}"
    parts = group.parts
    if group.why:
        return Broken(key, group.why, where, group.offset, next(iter(parts.values()), b""))
    sample = Sample(key)
    for suffix, data in parts.items():
        if suffix in IMAGES and sample.image is None:
            sample.image = EncodedImage(data, _format(suffix, data))
        elif suffix == LABEL:
            sample.identity = annotation.identity_of(data)
        elif suffix != DOCUMENT:
            sample.extra[suffix.decode("utf-8", "replace")] = data
    if (document := parts.get(DOCUMENT)) is not None:
        try:
            annotation.read(document, sample)
        except DocumentError as error:
            return Broken(key, str(error), where, group.offset, document)
    if sample.image is None and sample.faces is None:
        names = ", ".join(f".{suffix.decode('utf-8', 'replace')}" for suffix in parts)
        return Broken(key, f"has no image and no faces, only {names}", where, group.offset)
    return sample


def _format(suffix: bytes, data: bytes) -> str:
    """What the bytes say, or else the suffix: files of one format are often named as of another."""
    return "jpeg" if data[:3] == b"\xff\xd8\xff" else sniff(data) or IMAGES[suffix]


def _held(sample: Sample) -> Iterator[str]:
    """What of `zoo.datasets.formats.ANNOTATIONS` a sample has."""
    yield "keys"
    for name, value in (("images", sample.image), ("identity", sample.identity), ("pairs", sample.pair)):
        if value is not None:
            yield name
    if sample.faces is not None:
        yield from (name for name in PARTS if getattr(sample.faces, name) is not None)
        if sample.faces.attributes:
            yield "attributes"
