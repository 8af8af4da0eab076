"""Receipts: what is recorded of files and folders that were written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo import receipts

FILES = ["a/x", "a-b", "a.txt", "a/b/c", "a b/x", "B", "a/é", "z/0", "a!", "10", "9"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of files whose names sort in one way as texts and in another as paths."""
    for number, name in enumerate(FILES):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_bytes(b"x" * number)
    return tmp_path / "out"


def described(output: Path) -> dict[str, Any]:
    path = receipts.write(output.with_name("out.zoo.json"), {}, (output,), {})
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))["outputs"][0]
    return found


def digest(folder: Path, told: Callable[[Path], object]) -> str:
    """The hash as the docstring of `receipts._tree` has it: paths in the order in which paths sort, part by part."""
    paths = sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.parts)
    lines = (f"{path.relative_to(folder).as_posix()}\0{told(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_folder_is_one_hash_over_names_and_contents_in_the_order_of_the_paths(folder: Path) -> None:
    assert sorted(FILES) != sorted(FILES, key=lambda name: name.split("/"))
    assert described(folder) == {
        "folder": "out",
        "files": len(FILES),
        "bytes": sum(range(len(FILES))),
        "sha256": digest(folder, content),
        "sha256_of": "names and contents",
    }


def test_the_order_in_which_a_disk_lists_files_does_not_matter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, found = described(folder), [*receipts._files(str(folder), "")]
    for turn in (1, 5):
        monkeypatch.setattr(receipts, "_files", lambda *_, files=found[turn:] + found[:turn]: reversed(files))
        assert described(folder) == before


def test_of_many_files_names_and_sizes_are_hashed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "MANY", len(FILES) - 1)
    found = described(folder)
    assert found["sha256"] == digest(folder, lambda path: path.stat().st_size)
    assert found["sha256_of"] == "names and sizes"


@pytest.mark.parametrize("change", ["content", "name", "place"])
def test_every_change_shows(folder: Path, change: str) -> None:
    before = described(folder)
    if change == "content":
        (folder / "a/x").write_bytes((folder / "a.txt").read_bytes())
    elif change == "name":
        (folder / "a/x").rename(folder / "a/y")
    else:
        (folder / "a/x").rename(folder / "x")
    assert described(folder)["sha256"] != before["sha256"]


def test_a_file_is_its_size_and_hash(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"abc")
    wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert described(tmp_path / "out") == {"file": "out", "size": 3, "sha256": wanted}
