"""The card inside ONNX files: read and written without touching the graph."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from zoo_onnx.cards import read_card, write_card

from tests.runtimes.test_sessions import conv_model
from zoo.errors import ModelError


def metadata(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def test_a_card_is_what_was_written(tmp_path: Path) -> None:
    path = conv_model(tmp_path / "m.onnx")
    assert read_card(path) == ""
    for text in ('{"id": "größer"}', "x" * 1000, ""):
        write_card(path, text)
        assert read_card(path) == text
        assert metadata(path) == {"zoo.card": text}
        onnx.checker.check_model(onnx.load(path))


def test_everything_else_stays_byte_for_byte(tmp_path: Path) -> None:
    path = conv_model(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.metadata_props.add(key="author", value="somebody")
    onnx.save(model, path)
    before = path.read_bytes()
    write_card(path, "first")
    assert path.read_bytes().startswith(before)
    write_card(path, "second, and longer")
    assert path.read_bytes().startswith(before)
    assert metadata(path) == {"author": "somebody", "zoo.card": "second, and longer"}


def test_a_file_cut_off_anywhere_is_told(tmp_path: Path) -> None:
    """At the end of a field a message may end: then there is merely no card any more."""
    path = conv_model(tmp_path / "m.onnx")
    write_card(path, "a card")
    data, cut = path.read_bytes(), tmp_path / "cut.onnx"
    told = 0
    for size in range(len(data)):
        cut.write_bytes(data[:size])
        try:
            assert read_card(cut) == ""
        except ModelError as error:
            told += 1
            assert "cut off" in str(error)
    assert told > len(data) - 12


@pytest.mark.parametrize("data", [b"\x08\xff" + b"\xff" * 20, b"\x3a\xff\xff\xff\xff\x7f", b"\x0b", b"\x00\x00"])
def test_damage_is_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"m\.onnx is cut off, damaged or not an ONNX model"):
        read_card(path)
    with pytest.raises(ModelError, match="damaged"):
        write_card(path, "x")
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


def test_a_card_as_large_as_no_card_is_refused(tmp_path: Path) -> None:
    path = conv_model(tmp_path / "m.onnx")
    write_card(path, "x" * (1 << 24 | 1))
    with pytest.raises(ModelError, match="more than a card can have"):
        read_card(path)
