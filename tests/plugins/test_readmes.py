"""The tables in the methods' READMEs say what the registry says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from zoo.plugins import catalogue

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
ROW = re.compile(r"^\| `(\w[\w.]*)` \|.*\| (\.\d+) \| (\.\d+) \| (\.\d+) \|$", re.MULTILINE)


@pytest.mark.parametrize("method", ["yunet", "scrfd", "retinaface"])
def test_the_published_figures(method: str) -> None:
    text = (PLUGINS / f"zoo_{method}" / "README.md").read_text(encoding="utf-8")
    rows = {name: tuple(map(float, figures)) for name, *figures in ROW.findall(text)}
    assert len(rows) >= 2
    for name, figures in rows.items():
        known = [tuple(metric.values.values()) for metric in catalogue().cards[name].metrics]
        assert figures in known, name
    assert all(f"`{name}`" in text for name in catalogue().models_of(method))
