"""What the quick commands do not import, warm or cold."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("numpy", "cv2", "onnxruntime", "onnx", "torch", "tensorflow")


def imported(words: list[str]) -> set[str]:
    """The modules that a fresh interpreter holds at the end of ``zoo WORDS``."""
    code = (
        "import atexit, sys; sys.argv[0] = 'zoo';"
        "atexit.register(lambda: print('MODULES', *sys.modules, file=sys.stderr));"
        "import zoo.cli; zoo.cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    line = next(line for line in done.stderr.splitlines() if line.startswith("MODULES"))
    assert done.stdout
    return set(line.split()[1:])


@pytest.mark.parametrize(
    "words", [["--version"], ["list"], ["--help"], ["list", "runtimes", "--json"], ["run", "--help"]]
)
def test_no_framework_is_imported(words: list[str]) -> None:
    cold = imported(words)
    warm = imported(words)
    assert not cold & set(HEAVY)
    assert not warm & set(HEAVY)
    assert not warm & {"yaml", "pluggy", "rich"}


def test_the_version_is_answered_before_click_is_imported() -> None:
    assert not imported(["--version"]) & {"click", "typing", "dataclasses"}


def test_importing_the_package_imports_nothing() -> None:
    code = "import sys, zoo; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {*HEAVY, "click", "yaml", "pluggy"}
