"""The Python of the guide runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT


def test_the_first_example_runs(
    fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = ROOT / "docs" / "datasets.md"
    if not guide.is_file():
        pytest.skip("the guide is not beside the tests")
    shutil.copytree(fixtures / "written_by_originals" / "insightface_rec", tmp_path / "faces_emore")
    monkeypatch.chdir(tmp_path)
    example = re.findall(r"```python\n(import zoo\n.*?)```", guide.read_text("utf-8"), re.DOTALL)[0]
    exec(compile(example, str(guide), "exec"), {})
    assert capsys.readouterr().out.split()[:2] == ["identities", "9"]
