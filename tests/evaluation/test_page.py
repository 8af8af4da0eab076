"""The protocol that the page of judging shows works as it stands there, and so does judging from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT
from zoo.datasets.dataset import open_dataset
from zoo.datasets.sample import Annotation
from zoo.evaluation.options import JudgeOptions
from zoo.evaluation.task import judge_model
from zoo.evaluation.verdict import Case, Judging
from zoo.inference.model import FunctionModel
from zoo.types import Faces


def test_the_protocol_on_the_page() -> None:
    page = ROOT / "docs" / "evaluation.md"
    if not page.is_file():
        pytest.skip("the pages are not beside the tests")
    code = page.read_text("utf-8").split("```python\n")[2].split("```")[0]
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


def test_a_model_is_judged_from_python(fixtures: Path) -> None:
    """A function that finds what is true is perfect; one that finds nothing finds nothing."""
    data = str(fixtures / "dlib" / "testing.xml")
    boxes = [sample.faces.boxes for sample in open_dataset(data) if sample.faces]
    answers = iter([Faces(each, np.ones(len(each), np.float32)) for each in boxes if each is not None])
    perfect = judge_model(FunctionModel(lambda image, faces: next(answers)), data, JudgeOptions(bootstrap=0))
    nothing = judge_model(FunctionModel(lambda image, faces: Faces.empty()), data, JudgeOptions(bootstrap=0))
    assert perfect.verdict.scores[0].value == pytest.approx(1.0)
    assert nothing.verdict.scores[0].value == 0.0 and nothing.verdict.counts["empty predictions"] == 5
