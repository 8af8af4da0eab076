"""Broken plugins cost one warning line each; everything else works."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from tests.third_party.conftest import Site

Install = Callable[..., Site]
HEAD = "from zoo.hookspecs import hookimpl\nfrom zoo.specs import MethodSpec, ModelCard\n"
GOOD = f"""{HEAD}
@hookimpl
def zoo_methods():
    yield MethodSpec("NAME", kind="detector", summary="SUMMARY", load="zoo_NAME:load", default="NAME_model")

@hookimpl
def zoo_cards():
    yield ModelCard("NAME_model", method="NAME", summary="Nothing.")

def load(request):
    from zoo.types import Faces
    return lambda image, faces=None: Faces.empty()
"""
RAISES_AT_IMPORT = "print('hello from a broken plugin')\nraise RuntimeError('no licence key found')\n"
RAISES_IN_HOOK = f"{HEAD}\n@hookimpl\ndef zoo_methods():\n    yield from []\n    raise KeyError('weights table')\n"
YIELDS_NONSENSE = f"{HEAD}\n@hookimpl\ndef zoo_methods():\n    yield 'yolo'\n"
EXITS = "import sys\nsys.exit('goodbye')\n"
TOO_OLD = f"ZOO_API = 0\n{HEAD}"
UNKNOWN_HOOK_TYPE = f"{HEAD}\n@hookimpl\ndef zoo_methods():\n    yield MethodSpec('m', 'detector', 5, 'm:load', 'm')\n"


def good(name: str, summary: str = "Finds nothing.") -> str:
    return GOOD.replace("NAME", name).replace("SUMMARY", summary)


def warnings_of(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("Warning: ")]


def test_three_broken_plugins_cost_a_line_each(install: Install, tmp_path: Path) -> None:
    install("import", RAISES_AT_IMPORT)
    install("hook", RAISES_IN_HOOK)
    install("nonsense", YIELDS_NONSENSE)
    site = install("good", good("good"))
    assert cv2.imwrite(str(tmp_path / "grey.png"), np.full((64, 64), 127, np.uint8))
    for words in (("list", "methods", "--json"), ("run", "good", "infer", str(tmp_path / "grey.png"), "--json")):
        done = site.zoo(*words)
        assert done.returncode == 0, done.stderr
        assert len(warnings_of(done.stderr)) == 3, done.stderr
        assert json.loads(done.stdout.splitlines()[0])
    first, second, third = sorted(warnings_of(done.stderr))
    assert "'hook' of zoo-hook 1.0 is broken and not used: 'weights table'." in first
    assert "'import' of zoo-import 1.0 is broken and not used: no licence key found." in second
    assert "yields 'yolo', which is no MethodSpec" in third


def test_naming_a_broken_plugin_shows_why(install: Install) -> None:
    site = install("import", RAISES_AT_IMPORT)
    done = site.zoo("run", "import", "infer", "x.jpg")
    assert done.returncode == 1
    assert "no licence key found" in done.stderr
    assert "RuntimeError" in site.zoo("info", "import").stdout
    assert site.zoo("doctor").returncode == 1


def test_other_ways_of_breaking(install: Install) -> None:
    install("exits", EXITS)
    install("old", TOO_OLD)
    site = install("mistyped", UNKNOWN_HOOK_TYPE)
    done = site.zoo("list", "plugins", "--json")
    states = {row["plugin"]: row["state"] for row in json.loads(done.stdout)}
    assert {states[name] for name in ("exits", "old", "mistyped")} == {"broken"}
    assert states["yunet"] == "ok"
    assert "written for version 0 of the plugin contract, this zoo has 1; update it" in done.stderr
    assert "field 'summary' must be str, not 5" in done.stderr


def test_the_same_name_twice_is_refused_for_both(install: Install) -> None:
    install("good", good("good"))
    site = install("twin", good("good").replace("good_model", "twin_model"))
    done = site.zoo("run", "good", "infer", "x.jpg")
    assert done.returncode == 1
    assert "The method 'good' comes from zoo-good and zoo-twin: uninstall one of them" in done.stderr
    assert site.zoo("run", "yunet", "--help").returncode == 0


def test_a_third_party_cannot_take_a_built_in_name(install: Install) -> None:
    site = install("thief", good("yunet").replace("zoo_yunet", "zoo_thief"), entry="thief")
    done = site.zoo("run", "yunet", "infer", "x.jpg")
    assert done.returncode == 1
    assert "comes from facezoo and zoo-thief" in done.stderr
    assert site.zoo("run", "scrfd", "--help").returncode == 0


def test_the_catalogue_sees_installs_upgrades_and_edits(install: Install) -> None:
    def summaries() -> dict[str, str]:
        rows = json.loads(site.zoo("list", "methods", "--json").stdout)
        return {row["name"]: row["summary"] for row in rows}

    site = install("good", good("good", "First."))
    assert summaries()["good"] == "First."
    install("good", good("good", "Second."), version="2.0")
    assert summaries()["good"] == "Second."
    install("more", good("more"))
    assert "more" in summaries()
    time.sleep(0.01)
    (site.folder / "zoo_good.py").write_text(good("good", "Edited in place."))
    assert summaries()["good"] == "Edited in place."
    (site.folder.parent / "gone").mkdir()
    for path in [*site.folder.glob("zoo_more*")]:
        path.rename(site.folder.parent / "gone" / path.name)
    assert "more" not in summaries()


def test_wrappers_see_every_task_and_a_broken_one_costs_a_warning(install: Install, tmp_path: Path) -> None:
    wrapper = f"""{HEAD}
from pathlib import Path
@hookimpl(wrapper=True)
def zoo_task(request):
    result = yield
    Path({str(tmp_path / "seen")!r}).write_text(f"{{request.method.name}} {{request.task}} {{result.done}}")
    return result
"""
    install("watch", wrapper)
    install(
        "crash", f"{HEAD}\n@hookimpl(wrapper=True)\ndef zoo_task(request):\n    raise OSError('disk gone')\n    yield\n"
    )
    site = install("good", good("good"))
    assert cv2.imwrite(str(tmp_path / "grey.png"), np.full((64, 64), 127, np.uint8))
    done = site.zoo("run", "good", "infer", str(tmp_path / "grey.png"), "--json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "seen").read_text() == "good infer 1"
    assert "disk gone" in done.stderr
