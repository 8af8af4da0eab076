"""Conversions that are killed, before each of their steps and at random moments, and continued: the same files."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from zoo_recordio.insightface import InsightfaceWriter
from zoo_tfrecord.writer import ExampleWriter

from tests.conftest import ROOT
from tests.conversion.killing import stands
from tests.conversion.test_engine import left_over, plan, source
from tests.converters.driving import SOAK, write
from tests.converters.samples import random_sample
from zoo.conversion.engine import convert
from zoo.conversion.journal import NAME, Journal, Tally
from zoo.datasets.formats import KINDS
from zoo.datasets.streams import Growing
from zoo.errors import UsageError, ZooError

COUNT, KILLS = (1500, 2) if SOAK == 1 else (12_000, 8)
ROUTES = {
    "insightface-rec": ("identities", []),
    "im2rec": ("identities", ["--shuffle"]),
    "identity-folders": ("identities", []),
    "tfrecord": ("identities", ["compression=gzip"]),
    "webdataset": ("identities", ["shard=700"]),
    "verification-bin": ("verification", ["--allow-loss"]),
    "coco": ("detection", ["copy_images=true"]),
    "labelv2": ("detection", ["copy_images=true", "--allow-loss"]),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system's processes do not fork")
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_killed_at_any_step_goes_on_to_the_same_files(kind: str) -> None:
    kills = 6 if SOAK == 1 else 100
    words = [sys.executable, "-m", "tests.conversion.killing", kind, str(kills)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def made(kind: str, folder: Path, count: int = COUNT) -> Path:
    """A set of `count` samples with some in it that are broken, and that is large beside the time to start."""
    rng = np.random.default_rng(0)
    few = [random_sample(kind, rng, number) for number in range(200)]
    samples = [replace(few[number % 200], key=f"set/{number:06d}") for number in range(count)]
    if kind == "verification":
        for number, sample in enumerate(samples):
            sample.pair, sample.same = number // 2, bool(number // 2 % 3)
    if kind != "identities":
        return write(ExampleWriter, folder / "work", samples).rename(folder / "in.tfrecord")
    for number, sample in enumerate(samples):
        sample.identity = number // 20
    path = write(InsightfaceWriter, folder / "work", samples).rename(folder / "in")
    data, places = bytearray((path / "train.rec").read_bytes()), (path / "train.idx").read_text().splitlines()
    for row in rng.integers(1, count, 5):
        place = int(places[row].split()[1])
        data[place : place + 4] = b"\0\0\0\0"
    (path / "train.rec").write_bytes(data)
    return path


def start(words: Sequence[str], folder: Path, **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "zoo", "convert", *words, "--on-error", "quarantine", "--workers", "2"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


@pytest.mark.parametrize("format", ROUTES)
def test_runs_killed_at_random_moments_end_as_one_that_was_not(tmp_path: Path, format: str) -> None:
    kind, more = ROUTES[format]
    path, chance = made(kind, tmp_path), random.Random(format)
    words = [str(path), "out", "--to", format, *more]
    folders = [tmp_path / name for name in ("whole", "killed")]
    for folder in folders:
        folder.mkdir()
    began = time.monotonic()
    whole = start(words, folders[0])
    said = whole.communicate()[0]
    assert whole.returncode in (0, 3), said
    duration, wanted = time.monotonic() - began, stands(folders[0])
    for _ in range(KILLS):
        if complete(folders[1]):  # the last one came too late: again from the beginning
            assert stands(folders[1]) == wanted
            shutil.rmtree(folders[1])
            folders[1].mkdir()
        process = start([*words, "--resume"], folders[1])
        time.sleep(chance.uniform(0.2, 0.9) * duration)
        process.kill()
        process.communicate()
    if not complete(folders[1]):
        last = start([*words, "--resume"], folders[1])
        assert last.communicate()[0].splitlines()[:1] == said.splitlines()[:1]
        assert last.returncode == whole.returncode
    assert stands(folders[1]) == wanted
    assert left_over(folders[1]) == set()


def complete(folder: Path) -> bool:
    return (folder / "out").exists() and not left_over(folder)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="this system has no groups of processes, as Ctrl-C ends")
def test_an_interrupted_run_says_how_it_goes_on_and_nothing_else(tmp_path: Path) -> None:
    path, said = made("identities", tmp_path), list[str]()
    for number in range(6):  # some moments are at the workers' start and some may be after the work
        process = start([str(path), f"out{number}", "--to", "tfrecord"], tmp_path, start_new_session=True)
        journal = tmp_path / f".out{number}.converting" / NAME
        while process.poll() is None and not journal.exists():
            time.sleep(0.001)
        time.sleep(number * 0.05)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        output = process.communicate()[0]
        finished = (tmp_path / f"out{number}").exists()  # and was interrupted when there was nothing left to do
        if process.returncode not in (0, 3) and not finished:
            said.append(output.strip())
    assert set(said) == {"Interrupted; what was done is kept, and --resume continues."}


def at_work(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The worker processes of a conversion that have got further than their own start."""
    try:
        found = psutil.Process(process.pid).children()
        return [one for one in found if "spawn_main" in " ".join(one.cmdline()) and one.cpu_times().user > 0.1]
    except psutil.Error:  # one that has just ended
        return []


def test_worker_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    given = str(made("identities", tmp_path, 20 * COUNT))  # so that the work outlasts the workers' start
    found: list[psutil.Process] = []
    for attempt in range(20):  # a run may be over before its worker is seen at work
        if found := orphaned(given, tmp_path / f"out{attempt}"):
            break
    assert found
    _, alive = psutil.wait_procs(found, timeout=20)
    for orphan in alive:
        orphan.kill()
    assert alive == []


def orphaned(given: str, target: Path) -> list[psutil.Process]:
    """The workers of a conversion whose main process was killed while they were at work."""
    command = [sys.executable, "-m", "zoo", "convert", given, str(target)]
    command += ["--to", "tfrecord", "--on-error", "quarantine", "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found: list[psutil.Process] = []
    try:
        while not found and process.poll() is None:
            found = at_work(process)
        psutil.Process(process.pid).suspend()  # before it sends them home
        time.sleep(1)
    except psutil.NoSuchProcess:  # it has just ended
        return []
    finally:
        process.kill()
        process.wait()
    return found


def test_what_another_run_left_is_kept_when_its_continuation_is_refused(tmp_path: Path) -> None:
    path, target = source(tmp_path), tmp_path / "out.lines"
    work = tmp_path / ".out.lines.converting"
    Journal(work / NAME, {"of": "another"}).begin()
    before = (work / NAME).read_bytes()
    with pytest.raises(UsageError, match="was another conversion"):
        convert(plan(path, target, resume=True))
    target.write_text("precious")
    with pytest.raises(UsageError, match="exists; --overwrite"):
        convert(plan(path, target))
    assert (work / NAME).read_bytes() == before


@pytest.mark.parametrize("tail", [b'{"units": 7, "fi', b"\0\0\0\0\0\0\n", b'{"units":\n'])
def test_a_journal_is_read_up_to_what_is_in_pieces(tmp_path: Path, tail: bytes) -> None:
    journal = Journal(tmp_path / NAME, {"of": "this"})
    journal.begin()
    journal.note(Tally(units=1))
    journal.note(Tally(units=2))
    journal.close()
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole + tail)
    again = Journal(tmp_path / NAME, {"of": "this"})
    assert again.resume() == Tally(units=2)
    again.close()


def test_what_was_lost_of_a_file_is_said_and_not_made_up_with_zeros(tmp_path: Path) -> None:
    growing = Growing(tmp_path / "file")
    growing.write(b"0123456789")
    assert growing.size == 10
    growing.cut(4)
    assert (tmp_path / "file").read_bytes() == b"0123"
    with pytest.raises(ZooError, match="has 4 bytes where 10 were written; run without --resume"):
        growing.cut(10)
    assert (tmp_path / "file").read_bytes() == b"0123"


def test_a_folder_takes_the_place_of_a_file(tmp_path: Path) -> None:
    path = write(ExampleWriter, tmp_path / "work", [random_sample("identities", np.random.default_rng(0))])
    (tmp_path / "out").write_text("old")
    words = [path.rename(tmp_path / "in.tfrecord").name, "out", "--to", "identity-folders", "--overwrite"]
    process = start(words, tmp_path)
    assert "1 done" in process.communicate()[0]
    assert len(list((tmp_path / "out").rglob("*.*"))) == 1
    assert left_over(tmp_path) == set()
