"""Formats are asked in turn; what they answer decides, and is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.datasets.lines import SPEC, LinesOptions, numbered
from zoo.catalogue import Entries
from zoo.datasets.recognise import open_reader, ranked, read_options, recognise
from zoo.errors import UsageError
from zoo.specs import FormatSpec, to_json


def test_files_in_a_folder_that_is_no_set_are_named(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for number in range(20):
        (tmp_path / f"{number}.jpg").write_bytes(b"")
    for name in ("b.xml", "a.xml", "notes.txt"):
        (tmp_path / name).write_text("<dataset><image file='x.jpg'/></dataset>" if name.endswith("l") else "no data")
    with pytest.raises(UsageError, match=r"In it are a\.xml \(dlib-xml\), b\.xml \(dlib-xml\): name the file\.$"):
        recognise(tmp_path)
    for name in ("a.xml", "b.xml"):
        (tmp_path / name).unlink()
    with pytest.raises(UsageError, match=r"with --from\.$"):
        recognise(tmp_path)


def entries(**sniffers: str) -> Entries[FormatSpec]:
    """A catalogue of formats with these sniffers, functions of this module."""
    specs = {
        name: FormatSpec(name, "Of the tests.", sniff=f"{__name__}:{sniffer}") for name, sniffer in sniffers.items()
    }
    return Entries("formats", {n: {"plugin": "tests", "spec": to_json(s)} for n, s in specs.items()}, ())


def certain(path: Path) -> tuple[float, str]:
    return 0.9, "is named like one."


def unsure(path: Path) -> tuple[float, str]:
    return 0.3, "has a familiar suffix"


def failing(path: Path) -> tuple[float, str]:
    raise ZeroDivisionError("division\nby zero")


def boastful(path: Path) -> tuple[float, str]:
    return 7.0, "knows everything"


def senseless(path: Path) -> Any:
    return None


def choose(monkeypatch: pytest.MonkeyPatch, **sniffers: str) -> None:
    """Have these formats installed and no others."""
    from types import SimpleNamespace

    installed = SimpleNamespace(formats=entries(**sniffers))
    monkeypatch.setattr("zoo.datasets.recognise.catalogue", lambda: installed)


def test_the_surest_comes_first_and_a_failing_sniffer_hides_nobody(tmp_path: Path) -> None:
    asked = ranked(tmp_path, entries(a="failing", b="unsure", c="certain", d="boastful", e="senseless", f="missing"))
    assert [(found.format, found.confidence) for found in asked[:2]] == [("c", 0.9), ("b", 0.3)]
    reasons = {found.format: found.reason for found in asked}
    assert all(found.confidence == 0 for found in asked[2:])
    assert reasons["a"] == "cannot look at it: division by zero"
    assert "its confidence is 7.0" in reasons["d"]
    assert "cannot unpack" in reasons["e"]
    assert "cannot be loaded" in reasons["f"]


def test_the_surest_is_taken_and_all_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, a="unsure", b="certain")
    spec, asked = recognise(tmp_path)
    assert spec.name == "b"
    assert [str(found) for found in asked] == ["b (0.90: is named like one)", "a (0.30: has a familiar suffix)"]


def test_two_that_are_equally_sure_are_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, a="certain", b="certain", c="unsure")
    with pytest.raises(UsageError) as caught:
        recognise(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} may be in one of 2 formats: a (0.90: is named like one); b (0.90: is named like one). "
        "Name the right one with --from a."
    )
    assert recognise(tmp_path, "c")[0].name == "c"


@pytest.mark.parametrize("sniffers", [{"a": "unsure", "b": "failing"}, {"b": "failing"}, {}])
def test_none_that_is_sure_enough_is_a_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sniffers: dict[str, str]
) -> None:
    choose(monkeypatch, **sniffers)
    with pytest.raises(UsageError, match="in no format that is recognised for certain") as caught:
        recognise(tmp_path)
    assert ("has a familiar suffix" in str(caught.value)) == ("a" in sniffers)
    assert ("none of the 1 that were asked" in str(caught.value)) == (list(sniffers) == ["b"])
    assert "--from" in str(caught.value)


def test_wrong_names_and_places(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no file or folder"):
        recognise(tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"no format called 'onx'. Did you mean onnx\?"):
        recognise(tmp_path, "onx")


def test_a_reader_is_made_with_its_options(tmp_path: Path) -> None:
    path = numbered(tmp_path / "set", 3)
    assert open_reader(SPEC, path).options == LinesOptions()
    options = read_options(SPEC, {"stream": "yes"})
    assert options == LinesOptions(stream=True)
    assert open_reader(SPEC, path, options).about().count is None
    with pytest.raises(UsageError, match=r"no option 'streem'. Did you mean stream\?"):
        read_options(SPEC, {"streem": "yes"})
    with pytest.raises(UsageError, match="the format bare has no options"):
        read_options(FormatSpec("bare", "Nothing."), {"stream": "yes"})


@pytest.mark.parametrize(("kinds", "why"), [(("model",), "format of models"), (("detection",), "written, but not")])
def test_what_is_no_readable_data_set_is_said(tmp_path: Path, kinds: tuple[str, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        open_reader(FormatSpec("bare", "Nothing.", kinds=kinds), tmp_path)
