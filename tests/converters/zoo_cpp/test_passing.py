"""ONNX files that are run as C++: generated once, into the cache, and again where anything is another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from zoo_cpp import passing

from tests.converters.zoo_cpp import small
from tests.models.conftest import tiny_onnx
from zoo.errors import ModelError, ZooError
from zoo.specs import ModelCard


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tiny_onnx(tmp_path / "tiny.onnx")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What is generated from now on, in place of which a small program is written."""
    made = list[Path]()

    def of_onnx(path: Path, folder: Path, card: ModelCard) -> None:
        made.append(path)
        small.write(folder, card=card)

    monkeypatch.setattr(passing, "of_onnx", of_onnx)
    return made


def test_a_program_is_generated_once(source: Path, calls: list[Path], private_cache: Path) -> None:
    found = passing.program(source, small.CARD)
    assert passing.program(source, small.CARD) == found
    assert calls == [source]
    assert found.is_relative_to(private_cache.resolve() / "cpp")
    assert [path.name for path in found.parent.iterdir()] == [found.name]


def test_another_model_card_or_generator_makes_another(
    source: Path, calls: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [passing.program(source, small.CARD).parent]
    places.append(passing.program(source, replace(small.CARD, summary="Another.")).parent)
    places.append(passing.program(tiny_onnx(tmp_path / "other.onnx", factor=2), small.CARD).parent)
    monkeypatch.setattr(passing, "_code", lambda folder: ["another"])
    places.append(passing.program(source, small.CARD).parent)
    assert len(set(places)) == len(calls) == 4


def test_a_damaged_program_is_generated_again(source: Path, calls: list[Path]) -> None:
    found = passing.program(source, small.CARD)
    whole = (found / "small.cpp").read_bytes()
    (found / "small.cpp").write_bytes(whole + b"// and more")
    again = passing.program(source, small.CARD)
    assert (again / "small.cpp").read_bytes() == whole
    assert len(calls) == 2
    (again / "more.h").write_text("")
    assert not (passing.program(source, small.CARD) / "more.h").exists()


def test_what_cannot_be_generated_leaves_nothing(
    source: Path, monkeypatch: pytest.MonkeyPatch, private_cache: Path
) -> None:
    def of_onnx(path: Path, folder: Path, card: ModelCard) -> None:
        small.write(folder, card=card)
        raise ModelError("no")

    monkeypatch.setattr(passing, "of_onnx", of_onnx)
    with pytest.raises(ModelError, match="no"):
        passing.program(source, small.CARD)
    assert not [path for path in (private_cache / "cpp").rglob("*") if path.is_file()]


@pytest.mark.skipif(not hasattr(Path, "owner"), reason="this system has other permissions")
def test_a_cache_that_others_can_write_is_not_used(source: Path, calls: list[Path], private_cache: Path) -> None:
    passing.program(source, small.CARD)
    (private_cache / "cpp").chmod(0o777)
    with pytest.raises(ZooError, match="can be written by others"):
        passing.program(source, small.CARD)


def test_the_code_that_counts_is_the_generators_and_the_methods() -> None:
    from importlib.resources import files

    names = [*passing._code(files("zoo_cpp"))][::2]
    assert {"reader.py", "generate.py", "engine.inc"} <= set(names)
    assert "decode.inc" in [*passing._code(files("zoo_yunet"))][::2]
