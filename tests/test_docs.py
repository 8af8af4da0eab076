"""The pages say what the code does: commands are run, links followed, generated pages compared."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import get_args

import pytest

from tests.conftest import ROOT
from zoo.inference.options import Output

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "plugins").rglob("*.md")])
VARYING = re.compile(r"\d+\.\d\d s|\d\.\de-\d\d")
"""Times, and rounding errors."""


def read(name: str) -> str:
    path = ROOT / name
    if not path.is_file():
        pytest.skip("the pages are not beside the tests")
    return path.read_text("utf-8")


def transcripts(text: str) -> list[tuple[str, list[str]]]:
    """The commands of the page that start with ``$ zoo``, each with the output that the page shows."""
    found: list[tuple[str, list[str]]] = []
    blocks = text.split("```")[1::2]
    for block in blocks:
        inside = False
        for line in block.splitlines()[1:]:  # the first is the language
            if line.startswith("$ "):
                found.append((line[2:], []))
                inside = True
            elif inside:
                found[-1][1].append(line)
    return [(command, lines) for command, lines in found if command.startswith("zoo ")]


@pytest.fixture
def desk(fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the photographs of the README, and a ``zoo`` that finds the weights."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in (fixtures / "images").glob("*.jpg"):
        shutil.copy(path, photos)
    (photos / "broken.jpg").write_bytes((fixtures / "images" / "insightface_t1.jpg").read_bytes()[:5000])
    monkeypatch.setenv("ZOO_WEIGHTS_PATH", str(fixtures))
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    return tmp_path


def require_true(page: str, count: int, desk: Path) -> None:
    """Run the commands of a page, `count` of them, and compare what they print with what it shows."""
    shown = transcripts(read(page))
    assert len(shown) == count
    for command, lines in shown:
        words = [sys.executable, "-m", *command.split()]
        done = subprocess.run(words, cwd=desk, capture_output=True, text=True, check=False, env=dict(os.environ))
        printed = VARYING.sub("T", done.stdout + done.stderr).splitlines()
        wanted = [VARYING.sub("T", line) for line in lines]
        if "..." in wanted:
            wanted = wanted[: wanted.index("...")]
            printed = printed[: len(wanted)]
        assert printed == wanted, command


def test_the_readme_shows_what_the_commands_print(desk: Path) -> None:
    require_true("README.md", 3, desk)


def test_the_page_of_models_shows_what_the_commands_print(desk: Path, fixtures: Path) -> None:
    pytest.importorskip("torch", reason="weights of torch are converted")
    shutil.copy(fixtures / "yunet" / "yunet_n.pth", desk)
    require_true("docs/models.md", 2, desk)
    assert {path.name for path in desk.glob("*.onnx*")} == {"yunet_n.onnx", "yunet_n.onnx.zoo.json"}


@pytest.mark.slow
def test_the_page_of_judging_shows_what_the_commands_print(desk: Path, fixtures: Path) -> None:
    shutil.copytree(fixtures / "dlib", desk / "people")
    shutil.copytree(fixtures / "wider" / "gt", desk / "gt")
    with tarfile.open(next((fixtures / "wider" / "pred").glob("thflgg133*.tar.xz"))) as archive:
        archive.extractall(desk, filter="data")
    (desk / "widerface_txt").rename(desk / "predictions")
    require_true("docs/evaluation.md", 3, desk)


def test_the_generated_pages_are_those_that_are_committed() -> None:
    script = ROOT / "docs" / "generate.py"
    if not script.is_file():
        pytest.skip("the pages are not beside the tests")
    namespace = {"__file__": str(script), "__name__": "generate"}
    exec(compile(script.read_text("utf-8"), str(script), "exec"), namespace)
    for path, text in namespace["pages"]().items():
        assert path.read_text("utf-8") == text, f"{path.name} is stale: run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_variable_is_in_the_guide_and_every_one_there_exists() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "zoo").rglob("*.py"))
    names = set(re.findall(r"\"(ZOO_[A-Z_]+)\"", source)) - {"ZOO_API"}
    documented = set(re.findall(r"ZOO_[A-Z_]+", read("docs/guide.md") + read("README.md")))
    assert documented == names


def test_the_guide_knows_every_output() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \| ", read("docs/guide.md"), re.MULTILINE))
    assert set(get_args(Output)) <= rows
