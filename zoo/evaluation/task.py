"""The task ``eval``: a model over a labelled set, judged. And the same for predictions that are there already."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from zoo import receipts
from zoo.errors import InputError, UsageError
from zoo.evaluation import report
from zoo.evaluation.options import JudgeOptions
from zoo.evaluation.predictions import Predictions, read
from zoo.evaluation.running import predict
from zoo.evaluation.truth import Truth, divided, open_truth
from zoo.evaluation.verdict import Case, Judging, Verdict
from zoo.inference.model import Model
from zoo.plugins import resolve
from zoo.requests import Progress, Silent, Skip, TaskRequest, TaskResult
from zoo.runtimes import threads
from zoo.specs import ProtocolSpec


@dataclass(frozen=True)
class Judged:
    """A verdict, the cases that it is about, and where they came from."""

    verdict: Verdict
    cases: list[Case]
    data: str

    def document(self, **more: Any) -> dict[str, Any]:
        """The verdict as results.json has it."""
        return {"data": self.data, **more, **self.verdict.to_dict()}


def evaluate(request: TaskRequest) -> TaskResult:
    """Run the request's model over the one labelled set that is its input, and judge what it finds (options:
    `EvalOptions`).

    An image that is missing or cannot be read is skipped and counted, and its faces stay unfound. Raises `UsageError`
    for no set or several, `InputError` for a set without images, and as `open_truth`.
    """
    if len(request.inputs) != 1:
        raise UsageError(f"eval takes one labelled set, a folder or a file, and not {len(request.inputs)}.")
    options, data = request.options, request.inputs[0]
    truth, spec = _open(data, options)
    if request.out is not None and options.keep:
        report.require_own(request.out)
    model, workers = _load(request)
    started = time.perf_counter()
    request.progress.start(f"{request.card.id}: finding faces", truth.images.about.count)
    found = predict(model, truth.images, workers, request.progress)
    seconds = time.perf_counter() - started
    judged = judge(found, truth, spec, data, options)
    document = judged.document(model=request.card.id)
    request.emit(document)
    outputs = () if request.out is None else _write(request.out, judged, document, truth, options.worst)
    if request.out is not None and options.keep:
        outputs = (*outputs, report.write_predictions(request.out, found))
    session = getattr(model, "session", model)
    summary = {
        "model": request.card.id,
        "runtime": getattr(session, "runtime", ""),
        "device": getattr(session, "device", ""),
        "seconds": round(seconds, 3),
        "images_per_second": round(len(found.found) / seconds, 1) if seconds else 0.0,
        "values": document["values"],
        "told": tuple(judged.verdict.lines()),
    }
    done, skipped = len(found.found), _skipped(found, truth)
    return TaskResult(done + len(skipped), done, skipped, outputs, summary)


def judge_model(
    model: Model, data: str, options: JudgeOptions | None = None, workers: int = 1, progress: Progress | None = None
) -> Judged:
    """Judge `model` on the labelled set `data` (see `open_truth`), `workers` images at once. Images that cannot be read
    count as ones without a prediction.

    Raises `InputError` for a set without images, and as `open_truth`.
    """
    asked = options or JudgeOptions()
    truth, spec = _open(data, asked)
    return judge(predict(model, truth.images, workers, progress or Silent()), truth, spec, data, asked)


def _open(data: str, options: JudgeOptions) -> tuple[Truth, ProtocolSpec]:
    """The truth with its images, and the protocol."""
    truth, spec = open_truth(data, options.protocol, options.format, options.images)
    if "images" not in truth.images.about.holds:
        raise InputError(f"The images of {data} are not found; say with images=FOLDER where they are.")
    return truth, spec


def _load(request: TaskRequest) -> tuple[Any, int]:
    """The model, and how many images are worked on at once, among which the threads are divided."""
    allowed = threads.count(request.settings.get("threads", 0))
    workers = min(request.options.workers or allowed, allowed)
    model = request.load(threads=max(1, allowed // workers))
    model.ready()
    return model, workers


def judge(found: Predictions, truth: Truth, spec: ProtocolSpec, data: str, options: JudgeOptions) -> Judged:
    """Pair predictions with the truth and judge them by the protocol."""
    cases = found.cases(truth.labels())
    verdict: Verdict = resolve(spec.run)(Judging(cases, options.bootstrap, options.seed))
    if foreign := len(found.found.keys() - found.used):
        verdict = replace(verdict, counts={**verdict.counts, "predictions of other images": foreign})
    return Judged(verdict, cases, data)


def _skipped(found: Predictions, truth: Truth) -> tuple[Skip, ...]:
    """What could not be used of the predictions and of the truth, each image once."""
    told = {skip.where for skip in found.skipped}
    return (*found.skipped, *(skip for skip in truth.skipped if skip.where not in told))


def judge_predictions(
    place: str, data: str, options: JudgeOptions, out: Path | None = None, progress: Progress | None = None
) -> tuple[dict[str, Any], TaskResult]:
    """Judge the predictions at `place`, a path as `zoo.evaluation.predictions.read` takes it or ``FORMAT:PATH``, by the
    labelled set `data`: the document of results.json, and what was done. With `out` the report is written there, the
    receipt last.

    Raises `UsageError` and `InputError` as `open_truth` and `read` do.
    """
    started = time.perf_counter()
    truth, spec = open_truth(data, options.protocol, options.format, options.images)
    (progress or Silent()).start("reading predictions")
    named, path = divided(place)
    found = read(path, named)
    judged = judge(found, truth, spec, data, options)
    document = judged.document(predictions=place)
    outputs = () if out is None else _write(out, judged, document, truth, options.worst)
    done, skipped = len(found.found), _skipped(found, truth)
    told = {"told": tuple(judged.verdict.lines()), "seconds": round(time.perf_counter() - started, 3)}
    result = TaskResult(done + len(skipped), done, skipped, outputs, told)
    if out is not None:
        receipts.write(out / report.RECEIPT, _facts(path, data, options, result), outputs, told)
    return document, result


def _write(
    out: Path, judged: Judged, document: Mapping[str, Any], truth: Truth, worst: int
) -> tuple[Path, ...]:  # fmt: skip
    return report.write(out, judged.verdict, document, judged.cases, truth.images, worst)


def _facts(path: Path, data: str, options: JudgeOptions, result: TaskResult) -> dict[str, Any]:
    return {
        "task": "eval",
        "predictions": receipts.describe(path.absolute(), path.absolute().parent),
        "inputs": [data],
        "options": asdict(options),
        "counts": {"inputs": result.inputs, "done": result.done, "skipped": len(result.skipped)},
        "skipped": [asdict(skip) for skip in result.skipped],
    }
