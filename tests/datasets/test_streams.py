"""Files that grow: their size, where pieces begin, and the hash that is taken on the way."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

from zoo.datasets.streams import Growing


def test_a_file_that_grew_knows_its_hash_and_one_that_was_cut_back_does_not(tmp_path: Path) -> None:
    file, part = Growing(tmp_path / "out" / "file"), tmp_path / "part"
    assert file.sha256 is None, "there is no file"
    assert file.write(b"abc") == 0
    part.write_bytes(b"d" * 600_000)
    assert file.append(part) == 3
    assert not part.exists()
    file.close()
    assert file.write(b"e") == 600_003
    data = b"abc" + b"d" * 600_000 + b"e"
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    assert file.path.read_bytes() == data
    file.cut(3)
    file.write(b"f")
    assert (file.size, file.sha256) == (4, None)
    file.cut(0)
    file.write(b"g")
    assert file.sha256 == hashlib.sha256(b"g").hexdigest()
    file.close()


def test_a_file_that_was_not_opened_goes_to_another_process(tmp_path: Path) -> None:
    file = pickle.loads(pickle.dumps(Growing(tmp_path / "file")))
    file.write(b"abc")
    assert file.sha256 == hashlib.sha256(b"abc").hexdigest()
    file.close()


def test_what_others_wrote_is_not_vouched_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    file = Growing(tmp_path / "file")
    file.write(b"new")
    assert file.sha256 is None
    file.close()
