"""Files that the system takes in pieces, or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from zoo.datasets.folderwriters import FolderWriter
from zoo.datasets.sample import EncodedImage, Sample

DATA = b"\xff\xd8\xff" + bytes(range(100))


class Images(FolderWriter):
    """Writes the image of each sample under its key."""

    def files(self, sample: Sample, number: int) -> list[tuple[str, bytes]]:
        assert sample.image is not None
        return [(f"{sample.key}.jpg", sample.image.data)]


def test_a_write_that_takes_a_part_goes_on_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a disk does that is filling up, and Linux does with more than 2 GiB."""
    taken: list[int] = []
    write = os.write

    def short(file: int, data: bytes) -> int:
        taken.append(write(file, bytes(data[:7])))
        return taken[-1]

    monkeypatch.setattr("os.write", short)
    part = Images(tmp_path).part(0, 0)
    part.write(Sample("a/b", EncodedImage(DATA, "jpeg")))
    assert (tmp_path / "out/a/b.jpg").read_bytes() == DATA
    assert len(taken) == 15 and sum(taken) == len(DATA)
    assert part.close() == {"files": 1}


def test_a_disk_that_is_full_is_an_error_and_the_file_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def full(file: int, data: bytes) -> int:
        calls.append(file)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return 7

    monkeypatch.setattr("os.write", full)
    part = Images(tmp_path).part(0, 0)
    with pytest.raises(OSError, match="No space left"):
        part.write(Sample("a", EncodedImage(DATA, "jpeg")))
    assert part.close() == {"files": 0}
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(calls[0])
