"""Builds real wheels of small plugins and installs them where a fresh ``zoo`` finds them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

BUILD_SYSTEM = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'


@dataclass(frozen=True)
class Site:
    """A folder of installed distributions, and a zoo that sees them."""

    folder: Path
    cache: Path

    def install(self, name: str, files: Mapping[str, str], source: Path) -> None:
        """Build a wheel of `files` with hatchling and install it with pip, no dependencies, no network."""
        source.mkdir(parents=True)
        for path, text in files.items():
            (source / path).write_text(text, encoding="utf-8")
        _python(source, "-m", "hatchling", "build", "-t", "wheel", "-d", str(source / "dist"))
        wheel = next((source / "dist").glob("*.whl"))
        flags = ("--quiet", "--no-deps", "--no-index", "--upgrade", "--target", str(self.folder))
        _python(source, "-m", "pip", "--disable-pip-version-check", "install", *flags, str(wheel))

    def zoo(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command line with the installed plugins in sight."""
        paths = os.pathsep.join([str(self.folder), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": paths, "ZOO_CACHE": str(self.cache)}
        command = [sys.executable, "-m", "zoo", *words]
        return subprocess.run(
            command, env=environment, cwd=cwd or self.folder.parent, capture_output=True, text=True, check=False
        )


def _python(cwd: Path, *words: str) -> None:
    done = subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def site(tmp_path: Path) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    return Site(folder, tmp_path / "cache")


def project(name: str, module: str, entry: str, version: str = "1.0") -> str:
    """The pyproject.toml of a plugin that is a single module."""
    return (
        f'{BUILD_SYSTEM}[project]\nname = "{name}"\nversion = "{version}"\nentry-points.zoo.{entry} = "{module}"\n'
        f'[tool.hatch.build.targets.wheel]\ninclude = ["{module}.py"]\n'
    )


@pytest.fixture
def install(site: Site, tmp_path: Path) -> Callable[..., Site]:
    """Install a plugin given as the source of its one module."""

    def install_module(name: str, source: str, entry: str = "", version: str = "1.0") -> Site:
        module = f"zoo_{name}"
        files = {f"{module}.py": source, "pyproject.toml": project(f"zoo-{name}", module, entry or name, version)}
        site.install(name, files, tmp_path / f"source_{name}_{version}")
        return site

    return install_module
