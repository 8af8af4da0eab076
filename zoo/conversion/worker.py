"""What one process does with one unit: read its samples, keep the ones wanted, write its part."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo.conversion.selection import Selection, shuffle_samples
from zoo.datasets.formats import About, Part, Reader, Unit, Writer
from zoo.datasets.sample import Broken, Sample
from zoo.errors import InputError
from zoo.plugins import resolve

QUARANTINE = "quarantine"


@dataclass(frozen=True)
class Job:
    """What all units of a conversion have in common; sent to each worker process once."""

    reader: str
    source: Path
    read_options: Any
    writer: str
    write_options: Any
    work: Path
    about: About
    selection: Selection
    limit: int = 0
    shuffle: bool = False
    quarantine: bool = False

    @cached_property
    def opened_reader(self) -> Reader:
        """The reader, made once a process."""
        made: Reader = resolve(self.reader)(self.source, self.read_options)
        return made

    @cached_property
    def opened_writer(self) -> Writer:
        """The writer, made once a process."""
        made: Writer = resolve(self.writer)(self.work, self.write_options, self.about)
        return made


@dataclass
class Result:
    """What became of a unit: how many samples were `read`, how many of them written (`done`), left out by the selection
    (`skipped`), put aside (`quarantined`: reasons); `facts` of the part, and a digest of what was read."""

    read: int = 0
    done: int = 0
    skipped: int = 0
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    digest: str = ""


def work(job: Job, number: int, unit: Unit, first: int) -> Result:
    """Convert one unit. Raises `InputError` for the first bad sample unless the job puts such samples aside."""
    part = job.opened_writer.part(number, first)
    try:
        return _fill(job, number, unit, part)
    except BaseException:
        with contextlib.suppress(Exception):
            part.close()  # not every system removes a folder whose files are open
        raise


def _fill(job: Job, number: int, unit: Unit, part: Part) -> Result:
    result, hasher = Result(), hashlib.sha256()
    keep = job.selection.test()
    for sample in _samples(job, number, unit, hasher):
        result.read += 1
        if isinstance(sample, Broken):
            _put_aside(job, number, sample, result)
        elif keep is not None and not keep(sample):
            result.skipped += 1
        else:
            _write(job, number, part, sample, result)
    for withdrawn in part.withdraw():
        result.done -= 1
        _put_aside(job, number, withdrawn, result)
    result.facts, result.digest = part.close(), hasher.hexdigest()
    return result


def _samples(job: Job, number: int, unit: Unit, hasher: Any) -> Iterator[Sample | Broken]:
    found: Iterable[Sample | Broken] = _limited(job, unit) if job.limit else job.opened_reader.read(unit)
    if job.shuffle:
        found = shuffle_samples(list(found), job.selection.seed, number, job.about.kind == "verification")
    for sample in found:
        if isinstance(sample, Sample) and sample.image is not None:
            hasher.update(sample.image.data)
        yield sample


def _limited(job: Job, unit: Unit) -> Iterator[Sample | Broken]:
    left = job.limit - unit.start
    for sample in job.opened_reader.read(unit) if left > 0 else ():
        yield sample
        left -= 1
        if not left:
            return


def _write(job: Job, number: int, part: Part, sample: Sample, result: Result) -> None:
    try:
        part.write(sample)
    except InputError as error:
        data = sample.image.data if sample.image else b""
        _put_aside(job, number, Broken(sample.key, str(error), data=bytes(data)), result)
    else:
        result.done += 1


def _put_aside(job: Job, number: int, broken: Broken, result: Result) -> None:
    place = f"{broken.where} at byte {broken.offset}: " if broken.offset >= 0 else ""
    if not job.quarantine:
        raise InputError(
            f"{job.source}: the sample {broken.key}: {place}{broken.why.rstrip('.')}; "
            "--on-error quarantine puts such samples aside and goes on."
        )
    entry: dict[str, Any] = {"key": broken.key, "why": broken.why, "where": broken.where, "offset": broken.offset}
    if broken.data:
        entry["file"] = f"{number:08d}-{len(result.quarantined):06d}.bin"
        folder = job.work / QUARANTINE
        folder.mkdir(parents=True, exist_ok=True)
        (folder / entry["file"]).write_bytes(broken.data)
    (job.work / QUARANTINE).mkdir(parents=True, exist_ok=True)
    result.quarantined.append(entry)


_job: Job | None = None


def begin(job: Job) -> None:
    """Called once in each worker process, which ends with the process that started it: one that were left over would
    go on writing into the folder of the run that continues the one that was killed."""
    global _job
    _job = job
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all of a terminal's processes; the first one tells
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def work_here(number: int, unit: Unit, first: int) -> Result:
    """`work` on the job that `begin` was given."""
    if _job is None:
        raise RuntimeError("a worker process was not told its job")
    return work(_job, number, unit, first)
