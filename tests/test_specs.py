"""Specs survive JSON, and refuse what does not fit."""

from __future__ import annotations

import json

import pytest

from zoo.specs import INFER, MethodSpec, RuntimeSpec, Thresholds, from_json, to_json


def test_a_method_goes_through_json_unchanged() -> None:
    spec = MethodSpec("m", "detector", "s", "m:load", "m_small", architectures=("a", "b"), tasks={"infer": INFER})
    assert from_json(MethodSpec, json.loads(json.dumps(to_json(spec)))) == spec


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"score": 0.5, "nms": 0.4, "top": 1}, "Thresholds has no field 'top'"),
        ({"score": 0.5}, "missing 1 required positional argument: 'nms'"),
        ({"score": "high", "nms": 0.4}, "field 'score' must be float, not 'high'"),
        ({"score": True, "nms": 0.4}, "field 'score' must be float, not True"),
    ],
)
def test_what_does_not_fit_is_named(document: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=r"Thresholds|field") as error:
        from_json(Thresholds, document)
    assert sentence in str(error.value)


def test_a_whole_number_is_a_float_where_one_is_wanted() -> None:
    assert from_json(Thresholds, {"score": 1, "nms": 0}) == Thresholds(1.0, 0.0)
    with pytest.raises(ValueError, match="must be a list"):
        from_json(RuntimeSpec, {"name": "r", "summary": "", "open": "r:o", "formats": "onnx"})
