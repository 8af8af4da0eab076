"""Images a second of a folder of photographs, against OpenCV's FaceDetectorYN and a plain onnxruntime loop.

Same files, weights, input sizes and thresholds; the peers have all cores and their default settings. Once as whole
processes (the zoo's is what a user types, and writes JSON lines and a receipt), once without start-up.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.harness import Report, arguments, in_turn, run, seconds
from benchmarks.photographs import fill, weights
from benchmarks.startup import command
from zoo.inference.loading import find_card

BAR = 1.4
"""At least so many times the images a second of the better peer, YuNet on two cores."""
PEERS = {
    "yunet_n": ("opencv", "onnxruntime"),
    "scrfd_2.5g_bnkps": ("onnxruntime",),
    "retinaface_mnet025": ("onnxruntime",),
}
BARRED = "yunet_n"
TITLES = {"opencv": "cv2.FaceDetectorYN", "onnxruntime": "plain onnxruntime loop"}


class Race:
    """The contestants over one folder with one model."""

    def __init__(self, model: str, file: Path, folder: Path, work: Path) -> None:
        self.model, self.file, self.folder, self.work = model, file, folder, work
        self.count = len(list(folder.iterdir()))
        self.found: dict[str, Any] = {}

    def inner(self, name: str) -> float:
        """Images a second without start-up; keeps what was found."""
        words = [sys.executable, "-m", "benchmarks.contestants", name, self.model, self.file, self.folder]
        answer = json.loads(run([*words, self._fresh("inner")]).splitlines()[-1])
        self.found[name] = answer["found"]
        return float(self.count / answer["seconds"])

    def whole(self, name: str) -> float:
        """Images a second of the whole process."""
        words = [sys.executable, "-m", "benchmarks.contestants", name, self.model, self.file, self.folder]
        if name == "zoo":
            chosen = ["--model", self.model, "save=jsonl", "--out", self._fresh("whole")]
            words = [*command(), "run", find_card(self.model).method, "infer", self.folder, *chosen]
        return self.count / seconds(lambda: run(words))

    def _fresh(self, name: str) -> Path:
        shutil.rmtree(self.work / name, ignore_errors=True)
        return self.work / name


def agreement(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """How the boxes of two contestants agree: images with the same number of faces, and the largest differences there,
    faces from left to right."""
    same = [name for name in ours if len(ours[name]) == len(theirs[name])]
    pairs = [(a, b) for name in same for a, b in zip(sorted(ours[name]), sorted(theirs[name]), strict=True)]
    shifts = [abs(x - y) for a, b in pairs for x, y in zip(a[:4], b[:4], strict=True)]
    return {
        "images": len(ours),
        "same_count": len(same),
        "faces": len(pairs),
        "box_pixels": round(max(shifts, default=0.0), 3),
        "score": round(max((abs(a[4] - b[4]) for a, b in pairs), default=0), 4),
    }


def measure(rounds: int, images: int, others: int) -> Report:
    """`images` photographs for YuNet, `others` for the heavier models."""
    report = Report("throughput")
    with tempfile.TemporaryDirectory() as text:
        for model, peers in PEERS.items():
            file = weights(model)
            if file is None:
                report.facts[model] = "its weights are not on this machine"
                continue
            work = Path(text, model)
            fill(work / "photographs", images if model == BARRED else others)
            race = Race(model, file, work / "photographs", work)
            _compare(report, race, peers, "whole process", race.whole, rounds)
            _compare(report, race, peers, "without start-up", race.inner, rounds)
            report.facts[model] = {peer: agreement(race.found["zoo"], race.found[peer]) for peer in peers}
    return report


def _compare(
    report: Report, race: Race, peers: tuple[str, ...], how: str, rate: Callable[[str], float], rounds: int
) -> None:
    names = ("zoo", *peers)
    taken = in_turn(rounds, {name: lambda name=name: rate(name) for name in names})
    least = BAR if race.model == BARRED else None
    for peer in peers:
        report.compare(f"{race.model}, {how}", TITLES[peer], taken["zoo"], taken[peer], "images/s", least=least)


if __name__ == "__main__":
    options = arguments(__doc__, rounds=5, images=300, others=60)
    measure(options.rounds, options.images, options.others).print()
