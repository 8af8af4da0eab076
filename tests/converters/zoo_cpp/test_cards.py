"""``model.json`` of generated C++: recognised, read, rewritten; and what strangers may put into it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from zoo_cpp import cards
from zoo_cpp.sniff import sniff

from tests.converters.driving import Tried
from tests.converters.zoo_cpp import small
from zoo.errors import ModelError
from zoo.inference.artifacts import identify


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small.write(tmp_path / "out")


def changed(folder: Path, *place: str | int, value: Any) -> None:
    """Put `value` at `place` of the document."""
    document = json.loads((folder / cards.MODEL).read_text())
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (folder / cards.MODEL).write_text(json.dumps(document))


def test_it_is_recognised_by_what_describes_it(folder: Path) -> None:
    for path in (folder, folder / cards.MODEL):
        assert sniff(path) == (0.95, "its model.json describes small.cpp")
        assert identify(path).card == small.CARD
    (folder / "small.cpp").unlink()
    assert sniff(folder) == (0.0, "its model.json describes a small.cpp, which is not there")
    assert sniff(folder.parent) == (0.0, "is no folder with a model.json")


def test_a_description_survives_its_file(tmp_path: Path) -> None:
    folder = small.write(tmp_path / "two", "other_1", layout="nhwc", fixed=(16, 8), binary=True)
    described = cards.read(folder)
    assert described.fixed == (16, 8)
    assert described.files == ("other_1.cpp", "other_1.h", "other_1.bin")
    (folder / cards.MODEL).write_text(described.to_json())
    assert cards.read(folder) == described


def test_the_card_is_rewritten_and_the_rest_stays(folder: Path) -> None:
    before = cards.read(folder)
    cards.write_card(folder, '{"id": "another"}')
    assert json.loads(cards.read_card(folder)) == {"id": "another"}
    assert cards.read(folder).outputs == before.outputs
    (folder / "of the user").write_text("")
    assert [path.name for path in cards.files(folder)] == ["small.cpp", "small.h", "model.json"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a b", "", "x" * 101, "1a", "a.b", "é", 7, None, ["a"]])
def test_a_name_is_no_path_and_no_code(folder: Path, name: Any) -> None:
    changed(folder, "name", value=name)
    with pytest.raises(ModelError, match="is damaged"):
        cards.read(folder)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("outputs",), []),
        (("outputs",), [{"name": "a", "columns": 1}] * 257),
        (("outputs", 0, "columns"), 0),
        (("outputs", 0, "columns"), 1e9),
        (("outputs", 0, "columns"), True),
        (("outputs", 0), "a"),
        (("input", "fixed"), [16]),
        (("input", "fixed"), [1 << 40, 8]),
        (("input", "fixed"), "16x8"),
        (("input", "layout"), "nwhc"),
        (("input", "layout"), ["nchw"]),
        (("input", "multiple"), -4),
        (("input",), None),
        (("card",), 7),
        (("schema",), 2),
        (("format",), "libfacedetection"),
    ],
)
def test_what_cannot_be_is_refused(folder: Path, place: tuple[str, ...], value: Any) -> None:
    Tried.count += 1
    changed(folder, *place, value=value)
    with pytest.raises(ModelError):
        cards.read(folder)
    assert sniff(folder)[0] == 0


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"format": "cpp"}', '"cpp"', "\ud800"])
def test_a_damaged_document_is_refused(folder: Path, text: str) -> None:
    Tried.count += 1
    (folder / cards.MODEL).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ModelError):
        cards.read(folder)


def test_a_document_without_end_is_not_read(folder: Path) -> None:
    (folder / cards.MODEL).write_text(" " * (1 << 22) + "{}")
    with pytest.raises(ModelError, match="too long"):
        cards.read(folder)
