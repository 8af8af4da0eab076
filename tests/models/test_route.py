"""Finding a way over edges."""

from __future__ import annotations

import pytest

from zoo.errors import RuntimeMissingError, UsageError
from zoo.models import route
from zoo.models.route import find, reachable
from zoo.specs import ConverterSpec

EDGES = [
    ConverterSpec("a", "b", "m:f", cost=1),
    ConverterSpec("b", "c", "m:f", cost=1),
    ConverterSpec("a", "c", "m:f", cost=5),
    ConverterSpec("c", "d", "m:f", cost=1, loss="its colours"),
    ConverterSpec("c", "e", "m:f", cost=1),
    ConverterSpec("e", "d", "m:f", cost=9),
    ConverterSpec("a", "f", "m:f", cost=1, needs=("zoo_no_such_module",), install="pip install it"),
    ConverterSpec("c", "f", "m:f", cost=50),
    ConverterSpec("f", "g", "m:f", methods=("yunet",)),
    ConverterSpec("g", "h", "m:f", needs=("zoo_no_such_module",), install="pip install it"),
    ConverterSpec("c", "c", "m:f", precision="int8", cost=2),
    ConverterSpec("c", "k", "m:f", precision="int8"),
    ConverterSpec("c", "i", "m:f", cost=3, carries=("float32", "int8")),
    ConverterSpec("c", "i", "m:g", cost=1, precision="float16"),
    ConverterSpec("i", "j", "m:f", precision="decimal3"),
]


@pytest.fixture(autouse=True)
def edges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "_edges", lambda method: [e for e in EDGES if not e.methods or method in e.methods])


def test_the_cheapest_way() -> None:
    assert find("a", "c", "yunet").formats == ("a", "b", "c")
    assert find("a", "c", "yunet").cost == 2


def test_what_loses_nothing_goes_first() -> None:
    assert find("a", "d", "yunet").formats == ("a", "b", "c", "e", "d")
    assert find("a", "d", "yunet").lost == ()


def test_through_what_the_user_names() -> None:
    forced = find("c", "d", "yunet", via=("e",))
    assert forced.formats == ("c", "e", "d")
    assert find("a", "e", "yunet", via=("b",)).formats == ("a", "b", "c", "e")


def test_what_is_installed_goes_before_what_is_cheap() -> None:
    found = find("a", "f", "yunet")
    assert found.formats == ("a", "b", "c", "f")
    found.require_installed()


def test_what_is_missing_is_named_with_the_line_that_installs_it() -> None:
    found = find("a", "h", "yunet")
    assert found.missing == (("zoo_no_such_module", "pip install it"),)
    with pytest.raises(RuntimeMissingError, match=r"needs zoo_no_such_module, which is not installed.*pip install it"):
        found.require_installed()


def test_ways_for_some_methods_only() -> None:
    assert "g" in reachable("a", "yunet")
    assert "g" not in reachable("a", "scrfd")
    with pytest.raises(
        UsageError, match="no way from a to g for models of scrfd; a can become: b, c, d, e, f, i, j, k"
    ):
        find("a", "g", "scrfd")


def test_nothing_leads_back() -> None:
    with pytest.raises(UsageError, match=r"no way from d to a .* d can become: nothing"):
        find("d", "a", "yunet")


def precisions(start: str, end: str, *via: str, precision: str, holds: str = "float32") -> list[tuple[str, str]]:
    edges = find(start, end, "yunet", via, precision, holds).edges
    return [(edge.dst, edge.precision) for edge in edges]


def test_a_precision_is_made_only_where_it_is_asked() -> None:
    assert precisions("a", "c", precision="float32") == [("b", ""), ("c", "")]
    assert precisions("a", "c", precision="int8") == [("b", ""), ("c", ""), ("c", "int8")]
    assert precisions("c", "c", precision="int8") == [("c", "int8")]
    assert precisions("c", "i", precision="int8") == [("c", "int8"), ("i", "")]
    assert precisions("c", "i", precision="float16") == [("i", "float16")]
    assert precisions("c", "i", precision="float32") == [("i", "")], "the cheaper edge loses precision"
    assert precisions("a", "i", "c", precision="int8") == [("b", ""), ("c", ""), ("c", "int8"), ("i", "")]


def test_a_precision_that_is_there_stays() -> None:
    assert precisions("c", "i", precision="float32", holds="int8") == [("i", "")]
    assert precisions("c", "i", precision="int8", holds="int8") == [("i", "")]
    assert precisions("c", "c", precision="int8", holds="int8") == []
    assert reachable("c", "yunet", "int8") == ["i"]


def test_a_format_that_has_but_one_precision_is_made_in_it() -> None:
    assert precisions("i", "j", precision="float32") == [("j", "decimal3")]
    assert precisions("a", "k", precision="float32") == [("b", ""), ("c", ""), ("k", "int8")]
    assert reachable("i", "yunet", "int8") == []


def test_a_target_that_cannot_hold_the_precision_is_named() -> None:
    with pytest.raises(
        UsageError, match=r"no way from a to e in int8 for models of yunet; in int8 there can be: c, i, k\."
    ):
        find("a", "e", "yunet", precision="int8")
    with pytest.raises(UsageError, match="no way from c in int8 to e for models of yunet; c can become: i"):
        find("c", "e", "yunet", holds="int8")
    with pytest.raises(UsageError, match="no way from c in int8 to c in float16"):
        find("c", "c", "yunet", precision="float16", holds="int8")
