"""Sets of several files: those of a folder, and those that a name with braces stands for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zoo.datasets import patterns
from zoo.errors import InputError


def test_braces_stand_for_numbers_with_as_many_digits(tmp_path: Path) -> None:
    names = [path.name for path in patterns.expanded(tmp_path / "a{8..10}-{00..01}.tar")]
    assert names == ["a8-00.tar", "a8-01.tar", "a9-00.tar", "a9-01.tar", "a10-00.tar", "a10-01.tar"]
    assert patterns.expanded(tmp_path / "plain") == [tmp_path / "plain"]


def test_a_file_that_is_called_so_is_itself(tmp_path: Path) -> None:
    odd = tmp_path / "a{1..2}.tar"
    odd.touch()
    assert patterns.expanded(odd) == patterns.files(odd, str.isalpha, "x") == [odd]
    assert patterns.exists(odd)


def test_a_set_is_there_when_its_first_file_is(tmp_path: Path) -> None:
    assert not patterns.exists(tmp_path / "a{1..2}.tar") and not patterns.exists(tmp_path / "none")
    (tmp_path / "a1.tar").touch()
    assert patterns.exists(tmp_path / "a{1..2}.tar")


@pytest.mark.parametrize("name", ["a{2..1}", "a{0..99999999}", "a{0..999}{0..9999}"])
def test_ranges_that_make_no_sense_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="mend the range in the braces"):
        patterns.expanded(tmp_path / name)


def test_a_folder_gives_what_fits_by_name(tmp_path: Path) -> None:
    for name in ("b", "a", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "d").mkdir()
    assert patterns.files(tmp_path, str.isalpha, "x") == [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(InputError, match="has no file named x"):
        patterns.files(tmp_path, str.isdigit, "x")


def test_a_stamp_tells_changes_of_each_file(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"a{number}").write_bytes(b"x" * number)
        os.utime(tmp_path / f"a{number}", ns=(0, 1_000_000_000))
    before = patterns.stamp(tmp_path / "a{0..2}")
    assert before == [3, 1_000_000_000]
    os.utime(tmp_path / "a1", ns=(0, 2_000_000_000))
    assert patterns.stamp(tmp_path / "a{0..2}") != before
