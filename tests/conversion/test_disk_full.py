"""A disk that runs full in the middle of a conversion: a sentence, and nothing that looks finished."""

from __future__ import annotations

import contextlib
import random
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from zoo_tfrecord.writer import ExampleWriter

from tests.conversion.killing import UNIT, plans, stands
from tests.conversion.test_engine import left_over, plan, source
from tests.converters.driving import SOAK, write
from tests.converters.samples import random_sample
from zoo.conversion.engine import convert
from zoo.conversion.plan import Plan
from zoo.datasets.formats import KINDS
from zoo.errors import ZooError
from zoo.plugins import resolve

TRIES, BLOCK = (4 if SOAK == 1 else 50), 4


@contextlib.contextmanager
def disk(folder: Path, kibibytes: int) -> Iterator[Path]:
    """A file system of so many KiB."""
    folder.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("only an administrator can mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, workers: int) -> None:
    path = source(tmp_path, 4000)
    assert path.stat().st_size > 64 << 10
    with disk(tmp_path / "disk", 64) as folder:
        with pytest.raises(ZooError, match=r"Cannot write .*out.lines: No space left on device"):
            convert(plan(path, folder / "out.lines", workers=workers))
        assert not (folder / "out.lines").exists()
        assert left_over(folder) == set()


def used(folder: Path) -> int:
    """The KiB of a file system that files and folders take."""
    return sum(-(-path.stat().st_size // (BLOCK << 10)) * BLOCK for path in folder.rglob("*") if path.is_file())


def fits(plan: Plan, folder: Path, kibibytes: int, wanted: dict[str, bytes]) -> bool:
    """Whether the output fits on a disk of so many KiB: then it is whole, else there is nothing at all."""
    with disk(folder, kibibytes):
        try:
            convert(plan)
        except ZooError as error:
            assert "No space left on device" in str(error)
            assert list(folder.iterdir()) == []
            return False
        assert stands(folder) == wanted
        return True


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_whole_or_not_there(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of disks of many sizes, among them those on which all but the last file has room."""
    rng, chance = np.random.default_rng(0), random.Random(0)
    samples = [random_sample(kind, rng, number) for number in range(40)]
    path = write(ExampleWriter, tmp_path / "work", samples).rename(tmp_path / "in.tfrecord")
    small = tmp_path / "disk"
    for number, asked in enumerate(plans(kind, path, small)):
        monkeypatch.setattr(resolve(asked.writes.writer), "unit", UNIT)
        whole = convert(replace(asked, target=tmp_path / str(number) / "out")).target.parent
        need, wanted = used(whole), stands(whole)
        sizes = [need - BLOCK, *(chance.randrange(BLOCK, 2 * need, BLOCK) for _ in range(TRIES))]
        found = [fits(asked, small, size, wanted) for size in (*sizes, 4 * need + 256)]
        assert (found[0], found[-1]) == (False, True), asked.writes.name


def test_nothing_is_named_before_its_receipt_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: str) -> None:
        raise ZooError(f"Cannot write {path}: No space left on device.")

    monkeypatch.setattr("zoo.receipts.atomic_write", full)
    path = source(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "out.lines").write_text("old")
    with pytest.raises(ZooError, match="No space"):
        convert(plan(path, tmp_path / "out" / "out.lines", overwrite=True))
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["old"]
