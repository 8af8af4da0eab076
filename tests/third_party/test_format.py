"""The format of the guide: its very text is built into a wheel, installed and used."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.conftest import ROOT
from tests.third_party.conftest import BUILD_SYSTEM, Site

GUIDE = ROOT / "docs" / "datasets.md"


def files_of_the_guide() -> dict[str, str]:
    """The fenced blocks whose first line names a file."""
    files = dict(re.findall(r"```\w+\n# ([\w.]+)\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL))
    assert set(files) == {"zoo_lines.py", "pyproject.toml"}
    return files


@pytest.fixture
def lines(site: Site, tmp_path: Path) -> Site:
    if not GUIDE.is_file():
        pytest.skip("the guide is not beside the tests")
    files = files_of_the_guide()
    wheel = '[tool.hatch.build.targets.wheel]\ninclude = ["zoo_lines.py"]\n'
    files["pyproject.toml"] = BUILD_SYSTEM + files["pyproject.toml"] + wheel
    site.install("lines", files, tmp_path / "source")
    return site


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Six images of three people."""
    folder = tmp_path / "people"
    folder.mkdir()
    names = [f"{number}.png" for number in range(6)]
    for number, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), np.full((20, 30, 3), 40 * number, np.uint8))
    text = "".join(f"{name} {('amy', 'raj', 'Zoë K.')[i // 2]}\n" for i, name in enumerate(names))
    (folder / "lines.txt").write_text(text, encoding="utf-8")
    return folder


def test_it_is_listed_and_recognised(lines: Site, people: Path) -> None:
    listed = lines.zoo("list", "formats", "--json")
    assert listed.returncode == 0, listed.stderr
    assert {"lines", "onnx"} <= {row["name"] for row in json.loads(listed.stdout)}
    done = lines.zoo("inspect", str(people), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["format"], found["kind"], found["samples"]) == ("lines", "identities", 6)
    assert found["recognised"][0] == {"format": "lines", "confidence": 0.9, "reason": "is a folder with a lines.txt"}
    assert found["identities"]["most"] == {"Zoë K.": 2, "amy": 2, "raj": 2}
    assert lines.zoo("inspect", str(people), "--sheet", str(people.parent / "sheet.jpg")).returncode == 0
    assert (people.parent / "sheet.jpg").stat().st_size > 1000


def test_its_broken_samples_are_told(lines: Site, people: Path) -> None:
    (people / "3.png").unlink()
    (people / "lines.txt").write_text((people / "lines.txt").read_text("utf-8") + "../secret.png amy\n", "utf-8")
    done = lines.zoo("inspect", str(people))
    assert done.returncode == 3, done.stderr
    assert "broken: 2" in done.stdout
    assert "3.png: its file cannot be read" in done.stdout
    assert "../secret.png: its name is no plain file name" in done.stdout


def test_sets_are_converted_to_it_and_from_it(lines: Site, people: Path, tmp_path: Path) -> None:
    copied = lines.zoo("convert", str(people), "copy", "--to", "lines", "--allow-loss", cwd=tmp_path)
    assert copied.returncode == 0, copied.stderr
    rec = lines.zoo("convert", "copy", "set", "--to", "insightface-rec", "--allow-loss", cwd=tmp_path)
    assert rec.returncode == 0, rec.stderr
    back = lines.zoo("convert", "set", "back", "--to", "lines", "--allow-loss", cwd=tmp_path)
    assert back.returncode == 0, back.stderr

    def images(folder: Path) -> list[bytes]:
        names = [line.partition(" ")[0] for line in (folder / "lines.txt").read_text("utf-8").splitlines()]
        return [(folder / name).read_bytes() for name in names]

    assert images(people) == images(tmp_path / "copy") == images(tmp_path / "back")
    first = [line.partition(" ")[2] for line in (tmp_path / "copy" / "lines.txt").read_text("utf-8").splitlines()]
    assert first == ["amy", "amy", "raj", "raj", "Zoë K.", "Zoë K."]
