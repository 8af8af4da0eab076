"""Where the tests find real weights, photographs and annotations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.converters.driving import Tried
from zoo.models.quiet import before_tensorflow

before_tensorflow()  # the tests import both frameworks, and in any order
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of real files; without it the test is skipped, or fails where they are required."""
    folder = Path(os.environ.get("ZOO_FIXTURES", ROOT.parent / "shared" / "fixtures")).resolve()
    if folder.is_dir():
        return folder
    message = f"real weights and photographs are not at {folder}; set ZOO_FIXTURES to their folder"
    if os.environ.get("ZOO_REQUIRE_FIXTURES") == "1":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a cache of its own, so that none sees what another or the user has left."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("ZOO_CACHE", str(cache))
    for name in ("ZOO_OFFLINE", "ZOO_WEIGHTS_PATH", "ZOO_MIRROR", "ZOO_LICENSE_POLICY"):
        monkeypatch.delenv(name, raising=False)
    return cache


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of several hands its count to the one that reports."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tried"] = Tried.count


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Adds up what the processes have tried."""
    Tried.count += getattr(node, "workeroutput", {}).get("tried", 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many mutilated files the readers were given."""
    if Tried.count:
        terminalreporter.write_line(f"{Tried.count:,} mutilated files were tried.")
