"""What is kept of an evaluation: figures, curves, pictures and predictions, each file complete or not there."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoo import images, receipts
from zoo.datasets.beside import place
from zoo.datasets.dataset import Dataset
from zoo.datasets.decimals import extents, fewest, text, texts
from zoo.errors import UsageError
from zoo.evaluation import mosaic, plot
from zoo.evaluation.predictions import Predictions
from zoo.evaluation.verdict import Case, Verdict
from zoo.files import atomic_write, unwritable

RESULTS, CURVES, PICTURE, WORST, FOLDER = "results.json", "curves.json", "pr.png", "worst.jpg", "predictions"
RECEIPT = f"eval{receipts.SUFFIX}"


def write(
    out: Path, verdict: Verdict, document: Mapping[str, Any], cases: list[Case], dataset: Dataset | None, worst: int
) -> tuple[Path, ...]:
    """Write ``results.json`` (`document`), ``curves.json``, ``pr.png`` and, where there are images and mistakes,
    ``worst.jpg`` with the `worst` images into the folder `out`; gives their paths. Raises `ZooError` when it cannot be
    written."""
    made = {
        RESULTS: json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n",
        CURVES: json.dumps(verdict.points()).encode() + b"\n",
        PICTURE: images.encode(_curves(verdict), ".png"),
    }
    if dataset is not None and worst and (sheet := _worst(verdict, cases, dataset, worst)) is not None:
        made[WORST] = images.encode(sheet, ".jpg")
    for name, data in made.items():
        atomic_write(out / name, data)
    return tuple(out / name for name in made)


def _curves(verdict: Verdict) -> Any:
    values = {score.name: score.value for score in verdict.scores}
    labels = [f"{curve.name} {_shown(values.get(curve.name, math.nan))}" for curve in verdict.curves]
    return plot.draw(verdict.curves, labels, verdict.protocol)


def _shown(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _worst(verdict: Verdict, cases: list[Case], dataset: Dataset, number: int) -> Any:
    """The picture of the worst images at the threshold where the last curve's precision and recall are best."""
    score = verdict.curves[-1].best[0] if verdict.curves else 0.0
    chosen = mosaic.worst(cases, score, number)
    return mosaic.draw(chosen, dataset, f"scores from {score:.3f}") if chosen else None


def require_own(out: Path) -> None:
    """Raise `UsageError` when there is a folder where `write_predictions` would put its own, and no receipt says that
    an earlier evaluation made it."""
    if (out / FOLDER).exists() and not (out / RECEIPT).is_file():
        raise UsageError(
            f"{out / FOLDER} is there already, and not from an earlier evaluation: choose another folder with --out, or"
            " say keep=false."
        )


def write_predictions(out: Path, found: Predictions) -> Path:
    """Write a text file an image, ``predictions/KEY.txt``, as WIDER FACE's tools read them, from which the very same
    boxes and scores are read back; the folder of an earlier evaluation goes when this one is complete.

    Raises `InputError` for a key that is no file's name, `ZooError` when the folder cannot be written.
    """
    folder = out / FOLDER
    work = out / f".{FOLDER}.{os.getpid()}.part"
    try:
        work.mkdir(parents=True)
        for key, faces in found.found.items():
            path = place(work, f"{key}.txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(_lines(key, faces)), encoding="utf-8", newline="\n")
        shutil.rmtree(folder, ignore_errors=True)
        work.replace(folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _lines(key: str, faces: Any) -> Iterator[str]:
    yield f"{key.rpartition('/')[2]}\n{len(faces)}\n"
    for box, score in zip(texts(extents(faces.boxes)), fewest(faces.scores).tolist(), strict=True):
        yield f"{' '.join(box)} {text(score)}\n"
