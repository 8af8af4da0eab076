"""Judging the weights of a run while it goes on: by the protocol of a labelled set, as the task ``eval`` does."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import torch

from zoo.errors import InputError
from zoo.evaluation.options import JudgeOptions
from zoo.evaluation.running import predict
from zoo.evaluation.task import judge
from zoo.evaluation.truth import open_truth
from zoo.inference import loading
from zoo.options import describe
from zoo.plugins import resolve
from zoo.requests import Silent, TaskRequest
from zoo.training.engine import Judgement
from zoo.weights import WeightStore


def judgement(request: TaskRequest, weights: Path, threads: int) -> Judgement | None:
    """How the file `weights` is judged by the request's ``val``, None where there is none: the mean of the protocol's
    average precisions. The model runs with the request's options, and thresholds as the original's evaluation has them.

    Raises as `zoo.evaluation.truth.open_truth`, and `InputError` for a set whose images are not found.
    """
    asked = request.options
    if not asked.val:
        return None
    truth, spec = open_truth(asked.val)
    if "images" not in truth.images.about.holds:
        raise InputError(f"The images of {asked.val} are not found; name a set that lies beside its images.")
    settings = request.settings
    known = describe(resolve(request.method.options))  # type: ignore[arg-type]
    chosen = {name: settings[name] for name in known if name in settings}
    if "thresholds" in chosen:
        chosen["thresholds"] = "protocol"
    store = WeightStore(say=request.progress.note)

    def figure() -> float:
        before, pictures = torch.get_num_threads(), cv2.getNumThreads()
        try:
            device = settings.get("device", "auto")
            found = loading.request(weights, store, threads=threads, device=device, options=chosen)
            predictions = predict(found.load(), truth.images, 1, Silent())
        finally:
            torch.set_num_threads(before)
            cv2.setNumThreads(pictures)
        verdict = judge(predictions, truth, spec, asked.val, JudgeOptions(bootstrap=0)).verdict
        values = [score.value for score in verdict.scores if not math.isnan(score.value)]
        return sum(values) / len(values) if values else 0.0

    return Judgement(figure, asked.val_every, asked.patience)
