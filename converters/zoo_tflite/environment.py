"""An environment of its own for onnx2tf, which needs another Python and other versions than anything else here.

It is built when the user says so, and lies complete in the zoo's cache or not at all. Versions: what onnx2tf 2.6.9, the
last that was tried, asks for itself.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from zoo.errors import ModelError
from zoo.files import cache_dir
from zoo.weights import Settings

REQUIREMENTS = ("onnx2tf==2.6.9",)
VERSION = (3, 12)
SIZE = "700 MB"


def folder() -> Path:
    """Where the environment is, or would be: its name says what is in it."""
    text = "\n".join((*REQUIREMENTS, ".".join(map(str, VERSION))))
    return cache_dir() / "environments" / f"onnx2tf-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def interpreter(place: Path) -> Path:
    """The Python of an environment."""
    return place / "Scripts" / "python.exe" if sys.platform == "win32" else place / "bin" / "python"


def require(build: bool, python: str, note: Callable[[str], None]) -> Path:
    """The Python that has onnx2tf, after building its environment where that is wanted.

    Raises `ModelError` that says what to add where it is not there, or why it cannot be built.
    """
    place = folder()
    if not interpreter(place).exists():
        if not build:
            raise ModelError(
                f"Converting ONNX to TFLite needs {REQUIREMENTS[0]} in an environment of its own, which is not there:"
                f" add build_environment=true to build it ({SIZE} from the package index, into {place})."
            )
        _build(place, fitting_python(python), note)
    return interpreter(place)


def run(python: Path, arguments: Sequence[str], work: Path, seconds: int = 900) -> None:
    """Run a module of the environment in the folder `work`. Raises `ModelError` with its last words when it fails."""
    try:
        _run([str(python), *arguments], seconds, work)
    except subprocess.SubprocessError as error:
        raise ModelError(f"onnx2tf cannot convert the model: {_last_words(error)}.") from None


def fitting_python(name: str) -> str:
    """The path of the Python `name`, a command or a path, of the version that is needed. Raises `ModelError` where it
    is another, is not there or does not start, as the stand-ins of version managers do not always."""
    wanted = ".".join(map(str, VERSION))
    found = shutil.which(name)
    said = ""
    if found:
        try:
            said = _run([found, "-c", "import sys; print(*sys.version_info[:2], sep='.')"], 60).strip()
        except (OSError, subprocess.SubprocessError):
            said = ""
    if not found or said != wanted:
        problem = f"is Python {said}" if said else "is not there or does not start"
        raise ModelError(f"onnx2tf needs Python {wanted}, and {name} {problem}: say with python=PATH where one is.")
    return found


def _build(place: Path, python: str, note: Callable[[str], None]) -> None:
    """Make the environment beside its place and rename it, so that one that was given up is never taken for whole."""
    if Settings.from_environment().offline:
        raise ModelError(
            f"The environment of onnx2tf is not in {place}, and building it needs the network: it is offline."
        )
    note(f"Building the environment of {REQUIREMENTS[0]} in {place}: {SIZE} from the package index.")
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        _run([python, "-m", "venv", str(part)], 300)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *REQUIREMENTS]
        _run([str(interpreter(part)), *install], 3600)
        _run([str(interpreter(part)), "-c", "import onnx2tf"], 300)
        if not place.exists():  # another process may have been quicker
            part.rename(place)
    except (OSError, subprocess.SubprocessError) as error:
        raise ModelError(f"The environment of onnx2tf cannot be built: {_last_words(error)}.") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _run(command: list[str], seconds: int, work: Path | None = None) -> str:
    """What a program says. Python's own variables are not passed on: they are meant for this environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=True, cwd=work, env=kept)
    return done.stdout


def _last_words(error: Exception) -> str:
    if not isinstance(error, subprocess.CalledProcessError):
        return str(error).rstrip(".")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", f"{error.stdout}\n{error.stderr}").splitlines()
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if "ERROR" in line or "Error" in line]
    return (errors or said or [f"it ended with {error.returncode}"])[-1][:300].rstrip(".")
