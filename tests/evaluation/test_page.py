"""The protocol that the page of judging shows works as it stands there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT
from zoo.datasets.sample import Annotation
from zoo.evaluation.verdict import Case, Judging
from zoo.types import Faces


def test_the_protocol_on_the_page() -> None:
    page = ROOT / "docs" / "evaluation.md"
    if not page.is_file():
        pytest.skip("the pages are not beside the tests")
    code = page.read_text("utf-8").split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(compile(code, str(page), "exec"), names)
    (spec,) = names["zoo_protocols"]()
    assert spec.name == "share"
    one = Faces(np.ones((1, 4), np.float32), np.ones(1, np.float32))
    cases = [Case("a", Annotation(one.boxes), one), Case("b", Annotation(), None)]
    verdict = names["judge"](Judging(cases))
    assert list(verdict.lines()) == [
        "share  0.50000  of 1 face",
        "2 images, 1 detections, 1 missing predictions, 0 empty predictions",
    ]
