"""Judging the weights of a run: by the protocol of a labelled set, as the task ``eval`` does, while it goes on and in
the end."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import torch

from zoo.errors import InputError
from zoo.evaluation import report
from zoo.evaluation.options import JudgeOptions
from zoo.evaluation.running import predict
from zoo.evaluation.task import Judged, judge
from zoo.evaluation.truth import Truth, open_truth
from zoo.inference import loading
from zoo.options import describe
from zoo.plugins import resolve
from zoo.requests import Silent, TaskRequest
from zoo.specs import Metric, ProtocolSpec
from zoo.weights import Settings, WeightStore

EVALUATION = "evaluation"
"""The folder of a run folder with what ``eval`` writes, of the best weights."""


@dataclass(frozen=True)
class Judge:
    """Judges weights by the labelled set `data`. The model runs on `device` with `threads` and its `options`."""

    data: str
    truth: Truth
    protocol: ProtocolSpec
    device: str
    threads: int
    options: Mapping[str, Any]

    def figure(self, weights: Path) -> float:
        """The mean of the protocol's average precisions."""
        scores = self._judged(weights, JudgeOptions(bootstrap=0)).verdict.scores
        values = [score.value for score in scores if not math.isnan(score.value)]
        return sum(values) / len(values) if values else 0.0

    def report(self, weights: Path, out: Path, model: str) -> Judged:
        """Judge with everything that ``eval`` tells, and write its files into the folder `out`."""
        options = JudgeOptions()
        judged = self._judged(weights, options)
        document = json.loads(json.dumps(judged.document(model=model)))
        report.write(out, judged.verdict, document, judged.cases, self.truth.images, options.worst)
        return judged

    def _judged(self, weights: Path, options: JudgeOptions) -> Judged:
        before, pictures = torch.get_num_threads(), cv2.getNumThreads()
        store = WeightStore(replace(Settings.from_environment(), policy="any"))  # they are the user's own
        try:
            found = loading.request(
                weights, store, threads=self.threads, device=self.device, options=dict(self.options)
            )
            predictions = predict(found.load(), self.truth.images, 1, Silent())
        finally:
            torch.set_num_threads(before)
            cv2.setNumThreads(pictures)
        return judge(predictions, self.truth, self.protocol, self.data, options)


def open_judge(request: TaskRequest, threads: int) -> Judge | None:
    """Who judges by the request's ``val``, None where there is none: with the request's options of the model, but
    thresholds as the original's evaluation has them.

    Raises as `zoo.evaluation.truth.open_truth`, and `InputError` for a set whose images are not found.
    """
    data = request.options.val
    if not data:
        return None
    truth, protocol = open_truth(data)
    if "images" not in truth.images.about.holds:
        raise InputError(f"The images of {data} are not found; name a set that lies beside its images.")
    settings = request.settings
    known = describe(resolve(request.method.options))  # type: ignore[arg-type]
    chosen = {name: settings[name] for name in known if name in settings}
    if "thresholds" in chosen:
        chosen["thresholds"] = "protocol"
    return Judge(data, truth, protocol, settings.get("device", "auto"), threads, chosen)


def metric(judged: Judged, source: str) -> Metric:
    """The figures of `judged` as a card has them."""
    values = {score.name: round(score.value, 5) for score in judged.verdict.scores if not math.isnan(score.value)}
    return Metric(Path(judged.data).name or judged.data, judged.verdict.protocol, values, source)
