"""The one policy for threads."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import pytest

from zoo.errors import UsageError
from zoo.runtimes import threads


def test_asked_then_variable_then_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_THREADS", "3")
    assert threads.count(5) == 5
    assert threads.count() == 3
    monkeypatch.delenv("ZOO_THREADS")
    assert threads.count() == threads.cores()
    assert 1 <= threads.cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_nonsense_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_THREADS", text)
    with pytest.raises(UsageError, match="ZOO_THREADS must be a positive number"):
        threads.count()


@pytest.mark.parametrize(("text", "quota"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", 0), ("", 0)])
def test_a_containers_limit(text: str, quota: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "cpu.max"
    limit.write_text(text)
    monkeypatch.setattr(threads, "_QUOTA", limit)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert threads.cores() == (quota or 8)


def test_apply_sets_opencvs_threads() -> None:
    before = cv2.getNumThreads()
    try:
        threads.apply(1)
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)
