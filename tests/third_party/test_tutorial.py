"""The plugin of the tutorial: its very text is built into a wheel, installed and used."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.conftest import ROOT
from tests.third_party.conftest import BUILD_SYSTEM, Site

TUTORIAL = ROOT / "docs" / "plugin-tutorial.md"


def files_of_the_tutorial() -> dict[str, str]:
    """The fenced blocks whose first line names a file."""
    blocks = re.findall(r"```\w+\n# ([\w.]+)\n(.*?)```", TUTORIAL.read_text("utf-8"), re.DOTALL)
    files = dict(blocks)
    assert set(files) == {"zoo_skin.py", "pyproject.toml", "zoo_grid.py", "zoo_grid_network.py"}
    return files


@pytest.fixture
def skin(site: Site, tmp_path: Path) -> Site:
    if not TUTORIAL.is_file():
        pytest.skip("the tutorial is not beside the tests")
    files = {name: text for name, text in files_of_the_tutorial().items() if "grid" not in name}
    wheel = '[tool.hatch.build.targets.wheel]\ninclude = ["zoo_skin.py"]\n'
    files["pyproject.toml"] = BUILD_SYSTEM + files["pyproject.toml"] + wheel
    site.install("skin", files, tmp_path / "source")
    return site


def photograph(path: Path) -> None:
    image = np.full((200, 300, 3), 255, np.uint8)
    image[40:120, 60:130] = (120, 150, 220)
    assert cv2.imwrite(str(path), image)


def test_it_is_listed_and_described(skin: Site) -> None:
    listed = skin.zoo("list", "methods", "--json")
    assert listed.returncode == 0, listed.stderr
    assert {"skin", "yunet", "scrfd", "retinaface"} <= {row["name"] for row in json.loads(listed.stdout)}
    models = json.loads(skin.zoo("list", "models", "--json").stdout)
    assert "skin_hsv" in {row["id"] for row in models}
    plugins = json.loads(skin.zoo("list", "plugins", "--json").stdout)
    assert {"plugin": "skin", "distribution": "zoo-skin", "version": "1.0"}.items() <= next(
        row for row in plugins if row["plugin"] == "skin"
    ).items()


def test_it_runs_with_every_output(skin: Site, tmp_path: Path) -> None:
    photograph(tmp_path / "photo.png")
    done = skin.zoo(
        "run", "skin", "infer", "photo.png", "--out", "out", "save=images,jsonl,csv,coco,wider", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "faces.jsonl").read_text())
    assert record["faces"][0]["box"] == [60, 40, 130, 120]
    receipt = json.loads((tmp_path / "out" / "infer.zoo.json").read_text())
    assert receipt["model"] == "skin_hsv"
    assert receipt["counts"] == {"inputs": 1, "done": 1, "skipped": 0}


def test_its_unknown_licence_is_no_commercial_licence(skin: Site, tmp_path: Path) -> None:
    photograph(tmp_path / "photo.png")
    done = skin.zoo("run", "skin", "infer", "photo.png", "--json", "--license-policy", "commercial", cwd=tmp_path)
    assert done.returncode == 1
    assert "unclear" in done.stderr


@pytest.mark.slow
def test_its_method_of_ones_own_learns_and_is_exported(site: Site, tmp_path: Path) -> None:
    """Skin-coloured squares on noise: most that it has not seen are found (AP50 0.73), and its export is the same."""
    pytest.importorskip("torch", reason="training needs PyTorch")
    if not TUTORIAL.is_file():
        pytest.skip("the tutorial is not beside the tests")
    files = {name: text for name, text in files_of_the_tutorial().items() if "grid" in name}
    wheel = '[tool.hatch.build.targets.wheel]\ninclude = ["*.py"]\n'
    project = '[project]\nname = "zoo-grid"\nversion = "1.0"\nentry-points.zoo.grid = "zoo_grid"\n'
    site.install("grid", {**files, "pyproject.toml": BUILD_SYSTEM + project + wheel}, tmp_path / "source")
    for name, seed in (("learnt", 1), ("others", 2)):
        squares(tmp_path / name, 64, seed)
    words = [
        "side=160",
        "batch=8",
        "epochs=40",
        "drops=30",
        "lr=0.02",
        "threads=1",
        "val=others/labelv2.txt",
        "val_every=40",
    ]
    done = site.zoo("run", "grid", "train", "learnt/labelv2.txt", "--out", "run", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    means = [line["mean"] for line in log if "mean" in line]
    assert means[-1] < means[0] / 5
    results = json.loads((tmp_path / "run" / "evaluation" / "results.json").read_text())
    assert results["values"]["AP50"] > 0.5
    words = ["size=160x160", "photo=learnt/images/0.png", "--out", "made"]
    done = site.zoo("run", "grid", "export", "run", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "onnx: same as the original" in done.stdout


def squares(folder: Path, count: int, seed: int) -> None:
    """Images of 160 pixels with a square of 24 to 64 in each, as labelv2."""
    rng, lines = np.random.default_rng(seed), list[str]()
    (folder / "images").mkdir(parents=True)
    for number in range(count):
        image = rng.integers(0, 60, (160, 160, 3), np.uint8)
        side = int(rng.integers(24, 64))
        x, y = map(int, rng.integers(0, 160 - side, 2))
        image[y : y + side, x : x + side] = (120, 150, 220)
        assert cv2.imwrite(str(folder / "images" / f"{number}.png"), image)
        lines += [f"# {number}.png 160 160", " ".join(map(str, [x, y, x + side, y + side] + [-1] * 15))]
    (folder / "labelv2.txt").write_text("\n".join(lines) + "\n")


def test_the_plugin_of_the_readme_runs_as_it_stands(site: Site, tmp_path: Path) -> None:
    readme = ROOT / "README.md"
    if not readme.is_file():
        pytest.skip("the pages are not beside the tests")
    section = readme.read_text("utf-8").partition("## A plugin in twelve lines")[2]
    source = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    assert source.count("\n") == 12
    network = "import numpy as np\nclass Network:\n    def __call__(self, image):\n"
    network += "        return np.array([[1, 2, 30, 40]]), np.array([0.5])\n"
    wheel = '[tool.hatch.build.targets.wheel]\ninclude = ["*.py"]\n'
    project = '[project]\nname = "zoo-mine"\nversion = "1.0"\nentry-points.zoo.mine = "zoo_mine"\n'
    files = {"zoo_mine.py": source, "my_package.py": network, "pyproject.toml": BUILD_SYSTEM + project + wheel}
    site.install("mine", files, tmp_path / "source")
    photograph(tmp_path / "photo.png")
    done = site.zoo("run", "mine", "infer", "photo.png", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["faces"] == [{"box": [1, 2, 30, 40], "score": 0.5}]
