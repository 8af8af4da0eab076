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
    with pytest.raises(UsageError, match="no way from a to g for models of scrfd; a can become: b, c, d, e, f"):
        find("a", "g", "scrfd")


def test_nothing_leads_back() -> None:
    with pytest.raises(UsageError, match=r"no way from d to a .* d can become: nothing"):
        find("d", "a", "yunet")
