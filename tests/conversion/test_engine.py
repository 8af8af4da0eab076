"""The engine: the same bytes with any number of workers, exact accounts, quarantine, and runs that go on."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest

from tests.conversion.killing import RUN
from tests.conversion.lines import HOLDS, SPEC, LinesPart, LinesReader, LinesWriter
from zoo import receipts
from zoo.conversion import worker
from zoo.conversion.engine import Converted, convert
from zoo.conversion.options import ConvertOptions
from zoo.conversion.plan import Plan, require_possible
from zoo.datasets.formats import Unit
from zoo.datasets.streams import Growing
from zoo.errors import InputError, UsageError, ZooError


def source(folder: Path, count: int = 95, bad: tuple[int, ...] = (), unlucky: tuple[int, ...] = ()) -> Path:
    rng = random.Random(count)
    path = folder / "in.lines"
    lines = (
        f"k{i} {13 if i in unlucky else i % 5} {'bad' if i in bad else rng.randbytes(8).hex()}" for i in range(count)
    )
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def plan(path: Path, target: Path, **options: Any) -> Plan:
    about = LinesReader(path).about()
    return Plan(path, target, SPEC, SPEC, about, ConvertOptions(**options), None, None, ())


def left_over(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.startswith(".")}


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_workers_writes_the_same(tmp_path: Path, workers: int) -> None:
    path, target = source(tmp_path), tmp_path / "out.lines"
    done = convert(plan(path, target, workers=workers))
    assert target.read_bytes() == path.read_bytes()
    assert (done.read, done.done, done.skipped, done.quarantined, done.exit_code) == (95, 95, 0, 0, 0)
    assert left_over(tmp_path) == set()
    receipt = json.loads(done.receipt.read_text())
    assert receipt["counts"] == {"read": 95, "done": 95, "skipped": 0, "quarantined": 0}
    assert receipt["outputs"][0]["size"] == target.stat().st_size


def test_receipts_of_equal_runs_differ_in_the_run_alone(tmp_path: Path) -> None:
    path = source(tmp_path)
    receipts = []
    for workers in (1, 2):
        done = convert(plan(path, tmp_path / "out.lines", workers=workers, overwrite=True))
        receipts.append({k: v for k, v in json.loads(done.receipt.read_text()).items() if k not in RUN})
    assert receipts[0] == receipts[1]


def test_the_output_is_hashed_as_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "sha256", None)
    done = convert(plan(source(tmp_path), tmp_path / "out.lines", workers=2))
    (output,) = json.loads(done.receipt.read_text())["outputs"]
    assert output["sha256"] == hashlib.sha256(done.target.read_bytes()).hexdigest()


def test_the_process_that_is_asked_works_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, work = list[int](), worker.work

    def noted(job: worker.Job, number: int, unit: Unit, first: int) -> worker.Result:
        here.append(number)
        return work(job, number, unit, first)

    monkeypatch.setattr(worker, "work", noted)
    convert(plan(source(tmp_path), tmp_path / "out.lines", workers=2))
    assert 0 < len(here) < 10


def test_a_bad_sample_ends_the_run_and_leaves_nothing(tmp_path: Path) -> None:
    path, target = source(tmp_path, bad=(42,)), tmp_path / "out.lines"
    with pytest.raises(InputError, match=r"the sample k42: .*in.lines at byte 7: its bytes are no .*quarantine"):
        convert(plan(path, target, workers=2))
    assert not target.exists()
    assert left_over(tmp_path) == set()


def test_the_files_of_a_part_that_failed_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[LinesPart] = []
    make = LinesWriter.part

    def part(writer: LinesWriter, number: int, first: int) -> LinesPart:
        begun.append(make(writer, number, first))
        return begun[-1]

    monkeypatch.setattr(LinesWriter, "part", part)
    with pytest.raises(InputError):
        convert(plan(source(tmp_path, bad=(12,)), tmp_path / "out.lines", workers=1))
    assert [one.stream.closed for one in begun] == [True, True]


def test_the_files_of_the_output_are_closed_when_a_run_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[IO[bytes]] = []
    make = Growing._open

    def kept(growing: Growing) -> IO[bytes]:
        opened.append(make(growing))
        return opened[-1]

    monkeypatch.setattr(Growing, "_open", kept)
    with pytest.raises(InputError):
        convert(plan(source(tmp_path, bad=(12,)), tmp_path / "out.lines", workers=1))
    assert opened
    assert all(stream.closed for stream in opened)


@pytest.mark.parametrize("workers", [1, 2])
def test_quarantine_puts_bad_samples_aside_with_reasons(tmp_path: Path, workers: int) -> None:
    path, target = source(tmp_path, bad=(3, 42), unlucky=(77,)), tmp_path / "out.lines"
    done = convert(plan(path, target, workers=workers, on_error="quarantine"))
    assert (done.read, done.done, done.quarantined, done.exit_code) == (95, 92, 3, 3)
    assert done.quarantine is not None
    reasons = [json.loads(line) for line in (done.quarantine / "reasons.jsonl").read_text().splitlines()]
    assert [reason["key"] for reason in reasons] == ["k3", "k42", "k77"]
    assert reasons[2]["why"] == "The number 13 cannot be written."
    assert (done.quarantine / reasons[0]["file"]).read_bytes() == b"bad"
    assert len(target.read_text().splitlines()) == 92


def test_filter_limit_and_split_account_for_every_sample(tmp_path: Path) -> None:
    path = source(tmp_path)

    def run(**options: Any) -> tuple[Converted, list[str]]:
        done = convert(plan(path, tmp_path / "out.lines", overwrite=True, **options))
        assert done.read == done.done + done.skipped + done.quarantined
        return done, [line.split()[0] for line in done.target.read_text().splitlines()]

    done, keys = run(filter="identity=2")
    assert keys == [f"k{i}" for i in range(2, 95, 5)]
    assert done.skipped == 95 - len(keys)
    assert run(limit=37)[1] == [f"k{i}" for i in range(37)]
    assert run(limit=37, workers=2)[0].read == 37
    train, val = run(split="train:0.8", seed=3)[1], run(split="val:0.8", seed=3)[1]
    assert sorted(train + val) == sorted(f"k{i}" for i in range(95))
    assert 60 < len(train) < 92
    assert run(split="train:0.8", seed=3, workers=3)[1] == train
    assert run(split="train:0.8", seed=4)[1] != train


def test_a_shuffle_is_fixed_by_its_seed(tmp_path: Path) -> None:
    path = source(tmp_path)
    orders = []
    for seed, workers in ((1, 1), (1, 3), (2, 1)):
        convert(plan(path, tmp_path / "out.lines", shuffle=True, seed=seed, workers=workers, overwrite=True))
        orders.append((tmp_path / "out.lines").read_text().splitlines())
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == sorted(path.read_text().splitlines())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"filter": "size>3"}, "The filter 'size>3' is not understood"),
        ({"filter": "faces>many"}, "'many' is no number"),
        ({"filter": "key<3"}, "compared with = or != alone"),
        ({"split": "test:0.5"}, "write train:0.9 or val:0.9"),
    ],
)
def test_what_is_not_understood_is_said_before_any_work(tmp_path: Path, options: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        convert(plan(source(tmp_path), tmp_path / "out.lines", **options))
    assert sentence in str(error.value)
    assert left_over(tmp_path) == set()


def test_targets_are_not_overwritten_unasked(tmp_path: Path) -> None:
    path, target = source(tmp_path), tmp_path / "out.lines"
    target.write_text("precious")
    with pytest.raises(UsageError, match=r"out.lines exists; --overwrite replaces it"):
        convert(plan(path, target))
    assert target.read_text() == "precious"
    with pytest.raises(UsageError, match=r"Source and target are both"):
        convert(plan(path, path, overwrite=True))


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ZooError, match=r"Cannot write .*file/out.lines"):
        convert(plan(source(tmp_path), tmp_path / "file" / "out.lines"))


def test_losing_annotation_needs_leave(tmp_path: Path) -> None:
    poor = replace(SPEC, name="poor", holds=("images",))
    asked = replace(plan(source(tmp_path), tmp_path / "out.lines"), writes=poor, lost=("identity", "keys"))
    with pytest.raises(UsageError, match=r"poor cannot hold who it is and names of the images of .*--allow-loss"):
        require_possible(asked)
    require_possible(replace(asked, options=ConvertOptions(allow_loss=True)))
    assert set(HOLDS) >= {"identity", "keys"}


def _convert_slowly(path: Path, target: Path, options: dict[str, Any]) -> None:
    convert(plan(path, target, **options), _Slow())


class _Slow:
    """A progress that takes its time, so that the run can be killed in the middle."""

    def start(self, label: str, total: int | None = None) -> None:
        pass

    def advance(self, steps: int = 1) -> None:
        time.sleep(0.02)

    def note(self, message: str) -> None:
        pass


@pytest.mark.parametrize("delay", [0.0, 0.15, 0.35])
def test_a_killed_run_goes_on_and_ends_the_same(tmp_path: Path, delay: float) -> None:
    path, target = source(tmp_path, 950, bad=(100, 500), unlucky=(700,)), tmp_path / "out.lines"
    options = {"workers": 1, "on_error": "quarantine"}
    process = multiprocessing.get_context("spawn").Process(target=_convert_slowly, args=(path, target, options))
    process.start()
    journal = tmp_path / ".out.lines.converting" / "journal.jsonl"
    deadline = time.monotonic() + 30
    while (not journal.exists() or journal.read_text().count("\n") < 3) and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(delay)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not target.exists()
    half = journal.read_text()
    resumed = convert(plan(path, target, resume=True, **options))
    whole = convert(plan(path, tmp_path / "whole.lines", **options))
    assert half.count("\n") > 2
    assert target.read_bytes() == whole.target.read_bytes()
    assert resumed.quarantine is not None and whole.quarantine is not None
    for name in ("reasons.jsonl", *(p.name for p in whole.quarantine.iterdir())):
        assert (resumed.quarantine / name).read_bytes() == (whole.quarantine / name).read_bytes()
    counts = [json.loads(done.receipt.read_text())["counts"] for done in (resumed, whole)]
    assert counts[0] == counts[1]


def test_resuming_another_conversion_is_refused(tmp_path: Path) -> None:
    path, target = source(tmp_path), tmp_path / "out.lines"
    work = tmp_path / ".out.lines.converting"
    work.mkdir()
    (work / "journal.jsonl").write_text('{"zoo": "0"}\n')
    with pytest.raises(UsageError, match="was another conversion"):
        convert(plan(path, target, resume=True))


def test_resuming_without_anything_to_resume_starts_anew(tmp_path: Path) -> None:
    path, target = source(tmp_path), tmp_path / "out.lines"
    assert convert(plan(path, target, resume=True)).done == 95
