"""Running a conversion: units through worker processes into the target, in order, with an account of every sample.

Everything is written in a hidden folder beside the target and renamed at the end. What a unit is does not depend on
the number of workers, so neither does a byte of the output.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import multiprocessing
import shutil
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from zoo import __version__, files, receipts
from zoo.conversion import worker
from zoo.conversion.journal import NAME, Journal, Tally
from zoo.conversion.plan import Plan, require_possible
from zoo.conversion.selection import Selection, shuffled
from zoo.conversion.worker import QUARANTINE, Job, Result
from zoo.datasets import patterns
from zoo.datasets.formats import Unit
from zoo.errors import DONE, FAILED, SKIPPED, UsageError, ZooError
from zoo.requests import Progress, Silent
from zoo.runtimes import threads

REASONS = "reasons.jsonl"
QUEUED = 3
"""Units that each worker process has in hand before the main process works on one itself."""

AHEAD = 4
"""Units a process that may be under way or waiting for their turn: what bounds the memory."""


@dataclass(frozen=True)
class Converted:
    """What came of it. Every sample is accounted for: ``read == done + skipped + quarantined``."""

    target: Path
    read: int
    done: int
    skipped: int
    quarantined: int
    receipt: Path
    quarantine: Path | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 done, 3 when samples were put aside, 1 when not one of them was good."""
        if not self.quarantined:
            return DONE
        return SKIPPED if self.done or self.skipped else FAILED


def convert(plan: Plan, progress: Progress | None = None) -> Converted:
    """Carry out a plan. Raises `UsageError` for a target that exists, a plan with an obstacle, or a loss that was not
    allowed, `InputError` for a bad sample when such are not to be put aside, `ZooError` when the target cannot be
    written.

    A run that is killed or interrupted leaves its hidden folder, which ``resume`` continues (what `KeyboardInterrupt`
    carries says so); any other end leaves nothing half-done.
    What is refused before it began leaves everything as it was, the folder of an earlier run too.
    """
    require_possible(plan)
    _require_another(plan)
    run = _Run(plan, progress or Silent())
    try:
        tally = run.begin()
        if tally.notes is None:
            run.units(tally)
        return run.finish(tally)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("what was done is kept, and --resume continues" if run.begun else "") from None
    except BrokenProcessPool:
        raise ZooError(
            f"A worker process died while converting {plan.source}, perhaps for want of memory; --resume continues,"
            " --workers 1 needs less."
        ) from None
    except OSError as error:
        run.discard()
        raise ZooError(f"Cannot write {plan.target}: {error.strerror or error}.") from error
    except Exception:
        run.discard()
        raise
    finally:
        run.close()


def _require_another(plan: Plan) -> None:
    if plan.target.resolve() == plan.source.resolve():
        raise UsageError(f"Source and target are both {plan.target}; name another target.")


class _Run:
    """One conversion under way."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.plan, self.progress = plan, progress
        options = plan.options
        self.work = plan.target.with_name(f".{plan.target.name}.converting")
        selection = Selection(options.filter, options.split, options.seed)
        aside = options.on_error == "quarantine"
        self.job = Job(
            plan.reads.reader, plan.source, plan.read_options, plan.writes.writer, plan.write_options, self.work,
            plan.about, selection, options.limit, options.shuffle, aside,
        )  # fmt: skip
        self.journal = Journal(self.work / NAME, self._header())
        self.writer = self.job.opened_writer
        self.ready = self.work / "ready"
        self.begun = False

    def _header(self) -> dict[str, Any]:
        plan, options = self.plan, asdict(self.plan.options)
        for name in ("workers", "resume", "overwrite"):
            del options[name]
        return {
            "zoo": __version__,
            "source": [str(plan.source.resolve()), *patterns.stamp(plan.source)],
            "formats": [plan.reads.name, plan.writes.name],
            "options": [options, _plain(plan.read_options), _plain(plan.write_options)],
        }

    def begin(self) -> Tally:
        """The account with which this run begins: that of a run that was killed, or an empty one."""
        tally = self.journal.resume() if self.plan.options.resume else None
        self._require_free(tally)
        self.begun = True
        if tally is None:
            self._clear()
            self.journal.begin()
            return Tally()
        if tally.notes is None:
            self.writer.restore(tally.state)
            self._cut_reasons(tally.quarantined)
        return tally

    def _require_free(self, tally: Tally | None) -> None:
        """The target may be there when the run that is continued was killed after it had given it its name."""
        made = self.writer.out.exists() or (self.ready / self.plan.target.name).exists()
        named = tally is not None and tally.notes is not None and not made
        if self.plan.target.exists() and not self.plan.options.overwrite and not named:
            raise UsageError(f"{self.plan.target} exists; --overwrite replaces it.")

    def units(self, tally: Tally) -> None:
        """Convert all units that are left, and complete the output."""
        units = self._units()
        self.progress.start(f"{self.plan.reads.name} to {self.plan.writes.name}", self._total())
        self.progress.advance(tally.read)
        left = itertools.islice(units, tally.units, None)
        with contextlib.closing(self._results(left, tally)) as results:
            for unit, result in results:
                self._take(tally, unit, result)
        self.writer.finish()
        tally.notes = self.writer.notes()
        self.journal.note(tally)

    def _cut_reasons(self, count: int) -> None:
        """Forget reasons that were noted after the last entry of the journal."""
        path = self.work / QUARANTINE / REASONS
        if path.exists():
            lines = path.read_text("utf-8").splitlines(keepends=True)
            files.atomic_write(path, "".join(lines[:count]), self.work)

    def _units(self) -> Iterator[Unit]:
        options, found = self.plan.options, self.job.opened_reader.units(self.writer.unit)
        ordered: Iterable[Unit] = shuffled(found, options.seed) if options.shuffle else found
        for unit in ordered:
            if not options.limit or unit.start < options.limit:
                yield unit

    def _total(self) -> int | None:
        count, limit = self.plan.about.count, self.plan.options.limit
        return min(count, limit) if count is not None and limit else count

    def _results(self, units: Iterator[Unit], tally: Tally) -> Generator[tuple[Unit, Result]]:
        """The results of the units in their order. This process works, too, whenever the others have enough to do."""
        numbered = self._numbered(units, tally)
        first = list(itertools.islice(numbered, 2))
        others = threads.count(self.plan.options.workers) - 1 if len(first) > 1 else 0
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(others, context, worker.begin, (self.job,)) if others else None
        pending: deque[tuple[Unit, Future[Result]]] = deque()
        try:
            for task in itertools.chain(first, numbered):
                idle = pool if sum(not future.done() for _, future in pending) < QUEUED * others else None
                pending.append((task[1], _submit(idle, *task) if idle else self._worked(*task)))
                while pending and (pending[0][1].done() or len(pending) >= AHEAD * (others + 1)):
                    unit, future = pending.popleft()
                    yield unit, future.result()
            for unit, future in pending:
                yield unit, future.result()
        finally:
            if pool:
                pool.shutdown(wait=True, cancel_futures=True)

    def _worked(self, number: int, unit: Unit, start: int) -> Future[Result]:
        """The result of a unit that is worked in this process. What it raises waits for its turn, too."""
        future = Future[Result]()
        try:
            future.set_result(worker.work(self.job, number, unit, start))
        except Exception as error:
            future.set_exception(error)
        return future

    def _numbered(self, units: Iterator[Unit], tally: Tally) -> Iterator[tuple[int, Unit, int]]:
        first = tally.first
        for number, unit in enumerate(units, tally.units):
            yield number, unit, first
            first += max(0, unit.stop - unit.start)

    def _take(self, tally: Tally, unit: Unit, result: Result) -> None:
        self.writer.append(tally.units, result.facts)
        if result.quarantined:
            with (self.work / QUARANTINE / REASONS).open("a", encoding="utf-8") as stream:
                stream.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in result.quarantined)
        tally.units += 1
        tally.first += max(0, unit.stop - unit.start)
        tally.read += result.read
        tally.done += result.done
        tally.skipped += result.skipped
        tally.quarantined += len(result.quarantined)
        tally.digest = hashlib.sha256(f"{tally.digest}{result.digest}".encode()).hexdigest()
        tally.state = self.writer.state()
        self.journal.note(tally)
        self.progress.advance(result.read)

    def finish(self, tally: Tally) -> Converted:
        """Write the receipt, then give the complete output, what was put aside and the receipt their names: nothing is
        named as long as the disk can run full. Each step is left out when a run that was killed here has done it."""
        target, aside = self.plan.target, None
        receipt = target.with_name(f"{target.name}{receipts.SUFFIX}")
        made = self.ready / target.name
        self.ready.mkdir(exist_ok=True)
        hashes = {made / path.relative_to(self.writer.out): text for path, text in self.writer.hashes().items()}
        if self.writer.out.exists():
            self.writer.out.rename(made)
        if made.exists():
            receipts.write(self.ready / receipt.name, self._facts(tally), (made,), {}, hashes)
        if tally.quarantined:
            aside = target.with_name(f"{target.name}.quarantine")
            _replace(self.work / QUARANTINE, aside)
        _replace(made, target)
        _replace(self.ready / receipt.name, receipt)
        self.journal.close()
        for path in self.work.iterdir():
            if path.name != NAME:  # what is left after a kill here is known by its journal
                _remove(path)
        _remove(self.work)
        counts = (tally.read, tally.done, tally.skipped, tally.quarantined)
        return Converted(target, *counts, receipt, aside, tally.notes or {})

    def _facts(self, tally: Tally) -> dict[str, Any]:
        plan = self.plan
        return {
            "task": "convert",
            "source": {"name": plan.source.name, "format": plan.reads.name, "samples_sha256": tally.digest},
            "target": {"format": plan.writes.name},
            "kind": plan.about.kind,
            "lost": list(plan.lost),
            "options": self._header()["options"],
            "notes": tally.notes,
            "counts": {
                "read": tally.read,
                "done": tally.done,
                "skipped": tally.skipped,
                "quarantined": tally.quarantined,
            },
        }

    def discard(self) -> None:
        """Remove the working folder, unless it is another run's."""
        self.close()
        if self.begun:
            self._clear()

    def close(self) -> None:
        """Close the files of this process."""
        self.journal.close()
        self.writer.close()

    def _clear(self) -> None:
        with contextlib.suppress(OSError):
            (self.work / NAME).unlink()  # first: without it the rest is never taken for a run to continue
        shutil.rmtree(self.work, ignore_errors=True)


def _submit(pool: ProcessPoolExecutor, number: int, unit: Unit, first: int) -> Future[Result]:
    """Give a unit to a process, which may be started for it. Ctrl-C is held back meanwhile, and so from the new process
    for good: it would complain of it in the middle of its imports."""
    if not hasattr(signal, "pthread_sigmask"):
        return pool.submit(worker.work_here, number, unit, first)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(worker.work_here, number, unit, first)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _replace(made: Path, target: Path) -> None:
    """Give `made` the name `target`, in place of what has it. Nothing is done when a killed run has done so."""
    old = target.with_name(f".{target.name}.replaced")
    if made.exists() or not target.exists():
        _remove(old)
        if target.is_dir() or made.is_dir():
            with contextlib.suppress(FileNotFoundError):
                target.rename(old)
        made.replace(target)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _plain(options: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {} if options is None else json.loads(json.dumps(asdict(options), default=str))
    return plain
