"""Files are written whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.files import atomic_write, cache_dir, replacing, sha256


def test_a_file_appears_complete(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "note.txt"
    atomic_write(target, "größer")
    assert target.read_text("utf-8") == "größer"
    assert [path.name for path in target.parent.iterdir()] == ["note.txt"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "note.txt"
    target.write_text("old")
    with pytest.raises(KeyError), replacing(target) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooError, match=r"Cannot write .*note.txt: a part of its path is a file, not a folder; choose"):
        atomic_write(tmp_path / "file" / "note.txt", "text")


def test_the_hash_is_the_standard_one(tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000
    (tmp_path / "data").write_bytes(data)
    assert sha256(tmp_path / "data") == hashlib.sha256(data).hexdigest()


def test_the_cache_folder_is_the_one_of_platformdirs(monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    monkeypatch.delenv("ZOO_CACHE")
    for home in ("", "/elsewhere/cache"):
        monkeypatch.setenv("XDG_CACHE_HOME", home)
        assert str(cache_dir()) == platformdirs.user_cache_dir("facezoo", appauthor=False)
