"""That the detectors learn: each from random weights learns dlib's photographs until it finds their faces, and a public
model that is trained on seven of them loses nothing elsewhere.

For each run the share of the faces that it finds with the thresholds for photographs (an IoU above one half), COCO's
average precision, and the mean loss of some of its epochs. What is found is counted on the photographs that were learnt
from; of fine-tuning, on two that were held out, before and after, and on the sample photograph, whose six faces must
still be found. Settings are the recipes' but for what `RUNS` says: nine photographs are not a set of 12,880.

    python -m benchmarks.learning                         # all, about ten minutes on two cores
    python -m benchmarks.learning yunet_n finetuned --out results      # these, and keep the runs with curves.png
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.harness import Report, arguments
from benchmarks.labelled import known, photographs
from benchmarks.photographs import FIXTURES, sample, store
from zoo import images, tasks
from zoo.datasets.dataset import open_dataset
from zoo.evaluation.options import JudgeOptions
from zoo.evaluation.task import judge_model
from zoo.geometry import iou
from zoo.inference.loading import load
from zoo.plugins import catalogue
from zoo.training import curves
from zoo.training.log import LOG

HELD_OUT = ("2008_001009.jpg", "2008_007676.jpg")
"""What fine-tuning does not see: two large faces in an upright photograph, and seven small ones."""
SIX = 6
"""The faces of the sample photograph."""
OVERLAP = 0.5
"""The IoU above which a face counts as found."""
SHOWN = 12
"""How many points of a curve are told."""
BACKBONE = FIXTURES / "retinaface" / "mobilenetV1X0.25_pretrain.tar"
"""The original's backbone for retinaface_mnet025, trained with ImageNet."""


@dataclass(frozen=True)
class Run:
    """A run of training: the model, and the options that are not the recipe's. `needs` is a file without which it is
    left out. Photographs are looked at with their longer side `size` pixels long, or at the model's own size."""

    model: str
    options: Mapping[str, Any]
    needs: Path | None = None
    size: str = "256"


COPIES = 10
"""How often an epoch shows each photograph."""


def _small(epochs: int, rate: float, **more: Any) -> dict[str, Any]:
    """All nine photographs a step, unless there is `more` to say, as squares of 192 pixels. Their crops are about as
    high as the photograph: between them is the one that shows faces as large as they are in `Run.size`, whatever shape
    the photograph has. The rate drops twice at the end, and gradients are cut off at 10."""
    drops = ",".join(str(round(part * epochs)) for part in (0.75, 0.9))
    squares = {"batch": 9, "side": 192, "crops": "0.8,1.0,1.2"}
    return {"epochs": epochs, **squares, "warmup": 20, "drops": drops, "lr": rate, "clip": 10.0, **more}


RETINAFACE = _small(40, 0.02, clip=0.0, crops="0.8,1.0")
"""Its crops lie inside the photograph, and its loss begins at 34: cut off, its gradients teach it too slowly."""


RUNS = {
    "yunet_n": Run("yunet_n", _small(40, 0.01)),
    "scrfd_500m_bnkps": Run("scrfd_500m_bnkps", _small(90, 0.03, batch=4)),
    "retinaface_mnet025": Run("retinaface_mnet025", RETINAFACE),
    "retinaface_mnet025, ImageNet": Run("retinaface_mnet025", RETINAFACE | {"init": str(BACKBONE)}, needs=BACKBONE),
}
"""The runs from the beginning, by name."""

FINETUNED = "finetuned"
"""The name of the run that goes on from a public model."""
FINE = Run("yunet_n", {"init": "yunet_n", "epochs": 20, "batch": 4, "side": 320, "lr": 0.0005, "warmup": 20}, size="")
"""What it is: the recipe's crops, a small rate."""


@dataclass
class Seen:
    """What a model finds: how many of the `faces` that are labelled, and how many `others` it takes for faces."""

    faces: int = 0
    found: int = 0
    others: int = 0
    scores: dict[str, float] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """As plain data."""
        return vars(self)


def look(weights: Path | str, data: Path, size: str = "") -> Seen:
    """Judge the model at `weights`, a file or an id, by the labelled photographs `data`: faces as with the thresholds
    for photographs, average precisions with those of the original's evaluation."""
    given: dict[str, Any] = {"size": size} if size else {}
    model, seen = load(weights, device="cpu", **given), Seen()
    for one in open_dataset(data):
        assert one.image is not None and one.faces is not None and one.faces.boxes is not None
        found, truth = model(one.image.decode()).boxes, one.faces.boxes
        close = iou(truth, found) > OVERLAP
        seen.faces += len(truth)
        seen.found += int(close.any(axis=1).sum())
        seen.others += int((~close.any(axis=0)).sum())
    strict = load(weights, device="cpu", thresholds="protocol", **given)
    verdict = judge_model(strict, str(data), JudgeOptions(bootstrap=0)).verdict
    seen.scores = {score.name: round(score.value, 4) for score in verdict.scores if score.name in ("AP", "AP50")}
    return seen


def train(run: Run, data: Path, out: Path) -> dict[str, Any]:
    """Train on the photographs `data` into the folder `out`: what it took, and the curve."""
    method = catalogue().cards.document(run.model)["method"]
    settings = {"model": run.model, "device": "cpu", "log_every": 1000, **run.options}
    done = tasks.run(tasks.request(method, "train", [str(data)], settings, out=out))
    means = curves.means(curves.read(out / LOG))
    places = sorted({round(part * (len(means) - 1) / (SHOWN - 1)) for part in range(SHOWN)})
    return {
        "options": dict(run.options),
        "seconds": done.summary["seconds"],
        "images": done.summary["images"],
        "mean loss by epoch": {place + 1: float(f"{means[place]:.4g}") for place in places},
    }


def learn(report: Report, name: str, folder: Path) -> None:
    """One of `RUNS` into ``folder/NAME``."""
    run = RUNS[name]
    if run.needs is not None and not run.needs.is_file():
        report.facts[name] = f"left out: {run.needs} is not there"
        return
    data, out = folder / "nine" / "faces.xml", folder / name
    facts = train(run, folder / "copies" / "faces.xml", out)
    seen = look(out / "last.pth", data, run.size)
    report.compare(f"{name}: faces found", "faces labelled", [seen.found], [seen.faces], "faces", least=1.0)
    report.facts[name] = facts | seen.facts()


def finetune(report: Report, folder: Path) -> None:
    """The public yunet_n on all photographs but those held out."""
    seven = photographs(folder / "seven", [name for name in known() if name not in HELD_OUT])
    two = photographs(folder / "two", HELD_OUT)
    out = folder / FINETUNED
    facts = train(FINE, seven, out)
    after = out / "last.pth"
    on_sample = len(load(after, device="cpu")(images.read(sample())).boxes)
    report.compare(f"{FINETUNED}: faces in the sample", "faces there", [on_sample], [SIX], "faces", least=1.0)
    for what, data in (("seven learnt", seven), ("two held out", two)):
        seen = {"before": look(FINE.model, data), "after": look(after, data)}
        facts[what] = {when: one.facts() for when, one in seen.items()}
        for score in ("AP", "AP50"):
            pair = seen["after"].scores[score], seen["before"].scores[score]
            report.compare(f"{FINETUNED}: {score} of the {what}", "before", pair[:1], pair[1:], score)
    report.facts[FINETUNED] = facts


@contextlib.contextmanager
def place(out: str) -> Iterator[Path]:
    """The folder `out`, or one that is gone afterwards."""
    if out:
        Path(out).mkdir(parents=True, exist_ok=True)
        yield Path(out)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def measure(names: Sequence[str], out: str) -> Report:
    """The runs called `names`, all where there are none."""
    report = Report("learning")
    if not known():
        raise FileNotFoundError(
            f"dlib's photographs are not in {FIXTURES}; set ZOO_FIXTURES to the folder of fixtures."
        )
    store()  # so that the public weights are looked for among the fixtures
    with place(out) as folder:
        photographs(folder / "nine")
        photographs(folder / "copies", copies=COPIES)
        for name in names or (*RUNS, FINETUNED):
            finetune(report, folder) if name == FINETUNED else learn(report, name, folder)
            print(f"{name}: {json.dumps(report.facts[name])}", file=sys.stderr)
    return report


if __name__ == "__main__":
    options = arguments(__doc__, 1, "run", out="")
    measure(options.run, options.out).print()
