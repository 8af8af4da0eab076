"""A disk that runs full in the middle of a conversion: a sentence, and nothing that looks finished."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conversion.test_engine import left_over, plan, source
from zoo.conversion.engine import convert
from zoo.errors import ZooError


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only an administrator can mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, small_disk: Path, workers: int) -> None:
    path = source(tmp_path, 4000)
    assert path.stat().st_size > 64 << 10
    with pytest.raises(ZooError, match=r"Cannot write .*out.lines: No space left on device"):
        convert(plan(path, small_disk / "out.lines", workers=workers))
    assert not (small_disk / "out.lines").exists()
    assert left_over(small_disk) == set()
