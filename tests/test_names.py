"""Names of files: what strangers call things never leads out of a folder, and two things never share a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo import names
from zoo.names import flat, nested, relative, single

ODD = ["", ".", "..", ".hidden", "a/b", "a\\b", "con", "CON.txt", "nul", "lpt1", "a:b", "a?b", "a ", "a.", "\0"]
ODD += ["x" * 300, "é" * 200, "\ud800", "C:\\x", "/etc/passwd", "../../x", "a~0123456789ab", "a\nb"]


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_an_odd_name_becomes_one_file_with_a_hash(text: str) -> None:
    name = single(text)
    assert name != text
    assert len(name.encode()) <= 133
    assert name[-13] == "~"
    assert not set(name) & set('/\\:*?"<>|\0\n')
    assert not name.startswith(".")
    assert single(text) == name


@pytest.mark.parametrize("text", ["amy1", "0001", "Ünï cödé", "a.b", "x~1", "console"])
def test_a_plain_name_stays(text: str) -> None:
    assert single(text) == flat(text) == nested(text) == text


@given(st.text(max_size=40), st.text(max_size=40))
def test_different_texts_have_different_names(one: str, other: str) -> None:
    assert (single(one) == single(other)) == (one == other)


@given(st.text(alphabet="./\\ab~:", max_size=30))
def test_paths_stay_below_their_folder(key: str) -> None:
    for name in (flat(key), nested(key)):
        assert "\\" not in name
        assert all(part and not part.startswith(".") for part in name.split("/"))
    assert "/" not in flat(key)


def test_nested_keeps_folders_and_gives_up_on_deep_ones() -> None:
    assert nested("a/b/c") == "a/b/c"
    assert flat("a/b/c") == "a__b__c"
    assert "/" not in nested("/".join("abcdefghij"))
    assert nested("a/../b").startswith("a/~")


@given(st.text(st.sampled_from("a.b/\\:\n é")))
def test_a_relative_path_has_neither_empty_parts_nor_such_that_lead_upwards(text: str) -> None:
    path = relative(text)
    assert not {"", ".", ".."} & set(path.split("/"))
    assert not set(path) & set("\\:\n")
    assert relative(path) == path
    assert (
        path
        == "/".join(
            part
            for part in text.replace("\\", "/").replace(":", "_").replace("\n", "_").split("/")
            if part not in ("", ".", "..")
        )
        or path == "unnamed"
    )


@given(
    text=st.text("aAßSsÉé\u0301\u017fK\u212a~_:", max_size=6),
    other=st.text("aAßSsÉé\u0301\u017fK\u212a~_:", max_size=6),
)
def test_names_apart_are_apart_on_disks_that_take_no_notice_of_case(text: str, other: str) -> None:
    assert names.original(names.apart(text)) in (text, names.single(text))
    if text != other:
        assert names.folded(names.apart(text)) != names.folded(names.apart(other))
