"""Options dataclasses as flags, overrides, YAML and JSON schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from zoo.errors import UsageError
from zoo.options import describe, dotted, json_schema, make, mapping, option, read_config, split


@dataclass(frozen=True)
class Example:
    rate: float = option(0.5, "a rate", least=0, most=1)
    count: int = option(1, "a count", least=1)
    mode: Literal["fast", "exact"] = option("fast", "a mode")
    limit: float | None = option(None, "a limit")
    deep: bool = option(False, "deep?")
    kinds: tuple[Literal["a", "b"], ...] = option(("a",), "kinds")


@dataclass(frozen=True)
class Other:
    name: str = option("", "a name")


def test_texts_become_the_types_of_the_fields() -> None:
    texts = {"rate": "0.25", "count": "3", "mode": "exact", "limit": "7", "deep": "yes", "kinds": "b,a"}
    assert make(Example, texts) == Example(0.25, 3, "exact", 7.0, True, ("b", "a"))


def test_yaml_values_do_as_well() -> None:
    assert make(Example, {"rate": 1, "deep": True, "kinds": ["b"], "limit": None}) == Example(
        rate=1.0, deep=True, kinds=("b",)
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"rate": "2"}, "Option rate takes a number from 0 to 1, not '2'."),
        ({"rate": "nan"}, "Option rate takes a number from 0 to 1, not 'nan'."),
        ({"count": "0"}, "Option count takes a whole number of at least 1, not '0'."),
        ({"count": 1.5}, "Option count takes a whole number of at least 1, not 1.5."),
        ({"count": True}, "Option count takes"),
        ({"mode": "exakt"}, "Option mode takes fast or exact, not 'exakt'. Did you mean exact?"),
        ({"deep": "perhaps"}, "Option deep takes true or false, not 'perhaps'."),
        ({"kinds": "a,c"}, "Option kinds takes a or b, not 'c'."),
        ({"ratte": "1"}, "There is no option 'ratte'. Did you mean rate? Known options: rate, count"),
    ],
)
def test_what_does_not_fit_is_said(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        make(Example, values)
    assert sentence in str(error.value)


def test_options_are_divided_among_their_classes() -> None:
    assert split({"name": "x", "rate": "1"}, Example, Other) == [{"rate": "1"}, {"name": "x"}]
    with pytest.raises(UsageError, match=r"no option 'nam' in run.yaml. Did you mean name"):
        split({"nam": "x"}, Example, Other, where="run.yaml")


def test_schema_says_what_the_dataclass_says() -> None:
    properties = json_schema(Example)["properties"]
    assert properties["rate"] == {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "a rate",
        "default": 0.5,
    }
    assert properties["limit"]["type"] == ["number", "null"]
    assert properties["kinds"]["items"]["enum"] == ["a", "b"]
    assert set(properties) == set(describe(Example))


def test_a_config_is_a_mapping_in_yaml(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("rate: 0.25\nkinds: [a, b]\n")
    assert make(Example, read_config(config)) == Example(rate=0.25, kinds=("a", "b"))
    for text in ("- a\n", "a: [\n", "rate: !!python/object/apply:os.system [ls]\n"):
        config.write_text(text)
        with pytest.raises(UsageError, match=r"run.yaml"):
            read_config(config)
    with pytest.raises(UsageError, match=r"absent.yaml"):
        read_config(tmp_path / "absent.yaml")


@dataclass(frozen=True)
class Nested:
    name: str = option("", "a name")
    parts: Mapping[str, Any] = mapping("parts")


def test_names_of_ones_own_have_values() -> None:
    """The later and the more exact go before the others; what the names mean is not the options' to know."""
    file, words = {"name": "x", "parts": {"a": [1, 2], "b": 3}}, {"parts.b": "4", "parts": {"c": "5"}}
    values = {**dotted(file), **dotted(words)}
    assert split(values, Nested, Other) == [{"name": "x", "parts": {"a": [1, 2], "b": "4", "c": "5"}}, {"name": "x"}]
    assert make(Nested, values) == Nested("x", {"a": [1, 2], "b": "4", "c": "5"})
    assert make(Nested, {}).parts == {}
    assert json_schema(Nested)["properties"]["parts"] == {"type": "object", "description": "parts", "default": {}}
    for wrong in ({"parts": "a"}, {"parts": {1: 2}}):
        with pytest.raises(UsageError, match=r"Option parts takes names with values, not .*; give parts\.NAME=VALUE"):
            make(Nested, wrong)
    with pytest.raises(UsageError, match=r"no option 'name\.a'"):
        make(Nested, {"name.a": "1"})
