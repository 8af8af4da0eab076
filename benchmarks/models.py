"""What each network costs in each runtime on one thread, and what exporting it costs.

The weights are the random numbers that a network is initialised with, which cost the same as trained ones. Inputs are
those of the model's card, 320x320 where it leaves the size open. An export is the whole command with its comparison of
tensors, without that of a photograph.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Report, arguments, in_turn, seconds
from benchmarks.latency import quantiles
from benchmarks.memory import resident
from benchmarks.startup import command
from zoo.inference.artifacts import Artifact, identify
from zoo.models.edges import network
from zoo.models.parity import open_artifact, probes
from zoo.models.plan import traced_size
from zoo.plugins import catalogue
from zoo.runtimes import Session
from zoo.specs import ModelCard

MODELS = (
    *("yunet_n", "yunet_s", "scrfd_500m_bnkps", "scrfd_2.5g_bnkps", "scrfd_10g_bnkps", "retinaface_mnet025"),
    *("retinaface_r50", "peppa_slim160", "synthetics_resnet50d", "synthetics3d_resnet34_gnll"),
    *("synthetics3d_mobilenetv2_gnll", "arcface_r18", "arcface_r50", "arcface_mbf", "mobilefacenet_foamliu"),
)
TARGETS = {"onnx": "onnxruntime", "tflite": "tflite"}
"""The formats that are exported to, and what executes them here."""


def checkpoint(card: ModelCard, folder: Path) -> Path:
    """A state dict of the card's network with the numbers that it is initialised with."""
    import torch

    path = folder / f"{card.id}.pth"
    torch.manual_seed(0)
    torch.save(network(card).state_dict(), path)
    return path


def export(source: Path, target: Path, card: ModelCard) -> tuple[float, float]:
    """Seconds and peak memory in MiB of the whole command."""
    began = time.perf_counter()
    words = ("convert", source, target, f"card={card.id}", "photo=none", "--overwrite", "--accept-drift")
    peak = resident([*command(), *words])
    return time.perf_counter() - began, peak


def feeds(session: Session, card: ModelCard) -> Mapping[str, Any]:
    """One image for a session of `card`."""
    (probe,) = probes(card, [traced_size(card)], (1,), 1)
    images = probe.images
    if card.preprocess.layout == "nhwc":
        images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    return {session.inputs[0].name: images}


def measure(rounds: int, count: int) -> Report:
    """The first `count` of `MODELS`."""
    report = Report("models")
    for name in MODELS[:count]:
        if name not in catalogue().cards:
            report.facts[name] = "no such model"
            continue
        with tempfile.TemporaryDirectory() as folder:
            _measure(report, catalogue().cards[name], Path(folder), rounds)
    return report


def _measure(report: Report, card: ModelCard, folder: Path, rounds: int) -> None:
    source = checkpoint(card, folder)
    artifacts, facts = {"torch": Artifact(source, "torch", card)}, dict[str, Any]()
    for suffix, runtime in TARGETS.items():
        target = folder / f"{card.id}.{suffix}"
        took, peak = export(source, target, card)
        facts[f"export to {suffix}"] = {"seconds": round(took, 2), "peak MiB": round(peak)}
        artifacts[runtime] = identify(target)
    sessions = {name: open_artifact(artifact) for name, artifact in artifacts.items()}
    given = {name: feeds(sessions[name], artifact.card) for name, artifact in artifacts.items()}
    actions = {n: lambda n=n: seconds(lambda: sessions[n].run(given[n])) for n in sessions}
    taken = in_turn(rounds, actions, warm_up=3)
    for name in TARGETS.values():
        report.compare(f"{card.id}, {name}, one thread", "torch", taken[name], taken["torch"], "s")
    facts |= {f"{name}, ms": quantiles(values) for name, values in taken.items()}
    report.facts[card.id] = facts
    print(f"{card.id}: {statistics.median(taken['onnxruntime']) * 1e3:.1f} ms", file=sys.stderr)


if __name__ == "__main__":
    options = arguments(__doc__, rounds=50, models=len(MODELS))
    measure(options.rounds, options.models).print()
