"""Named configurations and what departs from them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from zoo.errors import UsageError
from zoo.networks.configs import configure, nearest, require_length, require_within


@dataclass(frozen=True)
class Config:
    widths: tuple[tuple[int, ...], ...] = ((3, 16), (16, 64))
    depth: int = 2
    norm: str = "batch"

    def __post_init__(self) -> None:
        require_within("depth", [self.depth], 1, 9)
        require_length("widths", self.widths, 2)


CONFIGS = {"small": Config(depth=1), "large": Config(depth=3, norm="group")}


def test_a_name_and_what_departs_from_it() -> None:
    assert configure(CONFIGS, "small", {}) == CONFIGS["small"]
    departing = json.loads(json.dumps({"widths": ((3, 8), (8, 8))}))
    assert configure(CONFIGS, "large", departing) == Config(((3, 8), (8, 8)), 3, "group")


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("smal", {}, r"no architecture 'smal'; there are small, large\. Did you mean small\?"),
        ("small", {"dept": 1}, r"small cannot be built: Config has no field 'dept'\. Did you mean depth\?\."),
        ("small", {"depth": "2"}, r"cannot be built: field 'depth' must be int, not '2'\."),
        ("small", {"depth": True}, "'depth' must be int"),
        ("small", {"depth": 10**9}, r"depth must be in 1\.\.9, not 1000000000\."),
        ("small", {"widths": [[3, 8]]}, r"widths must be 2 numbers, not 1\."),
        ("small", {"widths": 3}, "'widths' must be a list"),
    ],
)
def test_what_does_not_fit_is_told(name: str, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        configure(CONFIGS, name, arguments)


def test_the_nearest_name_needs_the_fewest_arguments() -> None:
    assert nearest(CONFIGS, {"depth": 3, "norm": "group"}) == ("large", {})
    assert nearest(CONFIGS, {"depth": 4, "norm": "group", "widths": [[3, 16], [16, 64]]}) == ("large", {"depth": 4})
    assert nearest(CONFIGS, {"depth": 7}) == ("small", {"depth": 7})
    for fields in ({"depth": 5, "norm": "group"}, {"widths": ((1, 2), (2, 2)), "depth": 1}):
        config = configure(CONFIGS, *nearest(CONFIGS, fields))
        assert {name: getattr(config, name) for name in fields} == fields
