"""Folders of files: order, keys, bounded listing, hostile entries, and the text tables."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.converters.pictures import picture
from zoo import images
from zoo.datasets import folders
from zoo.datasets.folders import FileError, FolderReader, Keys, is_image, read_file, read_image, walk
from zoo.datasets.formats import About
from zoo.datasets.sample import Broken, Sample
from zoo.datasets.tables import lines, table
from zoo.errors import InputError


class Plain(FolderReader):
    """Images and nothing else."""

    def about(self) -> About:
        return About("detection", None, frozenset({"images"}))

    def load(self, key: str, path: str) -> Sample:
        return Sample(key, read_image(self.path / path))


def test_suffixes_are_those_of_the_images() -> None:
    assert folders.SUFFIXES == images.SUFFIXES


def test_walk_is_in_order_whatever_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        (tmp_path / f"d{number % 3}").mkdir(exist_ok=True)
        (tmp_path / f"d{number % 3}" / f"{number * 7919 % 101}").touch()
        (tmp_path / f"f{number}").touch()
    (tmp_path / ".hidden").touch()
    whole = list(walk(str(tmp_path)))
    assert whole == sorted(whole)
    assert len(whole) == 100
    monkeypatch.setattr(folders, "_BATCH", 7)
    assert list(walk(str(tmp_path))) == whole
    assert sorted(walk(str(tmp_path), ordered=False)) == whole


def test_keys_are_unique_and_have_no_suffix_where_that_is_possible() -> None:
    paths = ["a.b.png", "a.jpg", "a.k.png", "a.png", "a.png.jpg", "b.jpg"]
    keys = Keys()
    assert [keys.key(path) for path in sorted(paths)] == ["a.b", "a", "a.k", "a.png", "a.png.jpg", "b"]


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text need a file system that takes them")
def test_names_that_are_no_text_become_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.jpg")).write_bytes(picture(8, 8).data)
    (found,) = list(Plain(tmp_path))
    assert isinstance(found, Sample)
    assert found.key == "ÿ"


def test_random_access_and_units_agree(tmp_path: Path) -> None:
    for number in range(23):
        (tmp_path / f"{number:02d}.jpg").write_bytes(picture(8, 8, number % 3).data)
    reader = Plain(tmp_path)
    units = list(reader.units(10))
    assert [(unit.start, unit.stop) for unit in units] == [(0, 10), (10, 20), (20, 23)]
    assert [found.key for unit in units for found in reader.read(unit)] == [reader.sample(i).key for i in range(23)]
    with pytest.raises(IndexError, match="23 samples"):
        reader.sample(23)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes among files")
def test_files_that_cannot_be_used_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a-empty.jpg").touch()
    (tmp_path / "b-text.png").write_text("hello")
    (tmp_path / "c-good.png").write_bytes(picture(8, 8, suffix=".png").data)
    (tmp_path / "d-gone.jpg").symlink_to("nowhere")
    os.mkfifo(tmp_path / "e-pipe.jpg")
    (tmp_path / "f-large.jpg").write_bytes(picture(8, 8).data + bytes(5000))
    (tmp_path / "g-loop").symlink_to(".")
    monkeypatch.setattr(folders, "LARGEST_IMAGE", 4000)
    found = [one for one in Plain(tmp_path) if "/" not in one.key]
    reasons = ["empty", "not an image", "", "cannot be read", "not a file", "more than the 4000"]
    assert [isinstance(one, Broken) for one in found] == [bool(reason) for reason in reasons]
    for one, reason in zip(found, reasons, strict=True):
        assert isinstance(one, Sample) or reason in one.why


def test_links_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "up").symlink_to("..")
    (tmp_path / "all").symlink_to(".")
    (tmp_path / "x.jpg").write_bytes(picture(8, 8).data)
    assert len(list(walk(str(tmp_path)))) < 10


def test_a_folder_that_is_too_deep_or_not_there(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"x" * 40)
    deep.mkdir(parents=True)
    with pytest.raises(InputError, match="deep"):
        list(walk(str(tmp_path)))
    with pytest.raises(InputError, match="cannot be listed"):
        list(walk(str(tmp_path / "gone")))
    with pytest.raises(FileError, match="cannot be read"):
        read_file(tmp_path / "a\0b", 10)


@pytest.mark.parametrize(
    "path", ["a.jpg", "a/b.JPG", "a..jpg", ".a.jpg", ".jpg", "..jpg", "a/.jpg", "a.jpg/b", "jpg", "a."]
)
def test_suffixes_are_those_of_the_standard_library(path: str) -> None:
    assert is_image(path) is (os.path.splitext(path)[1].lower() == ".jpg")  # noqa: PTH122


def test_a_table_of_numbers() -> None:
    rows = np.array([[0.1, -3], [1e-7, 16777216]], np.float32)
    assert np.array_equal(table(lines(rows), 2, "f").astype(np.float32), rows)
    assert lines(rows) == b"0.1 -3\n1e-07 16777216\n"
    assert table(b"\n1 2\r\n\n 3\t4 ", 2, "f").tolist() == [[1, 2], [3, 4]]
    assert table(b"", 2, "f").shape == (0, 2)


@pytest.mark.parametrize("bad", [b"1 2\n3\n", b"1 2\n1 nan\n", b"1 2\n1 1_0\n", b"1 2\n1 1e999\n", b"1 2\n0x1 2\n"])
def test_a_bad_table_says_where(bad: bytes) -> None:
    with pytest.raises(FileError, match="f has") as caught:
        table(bad, 2, "f")
    assert caught.value.offset == 4
