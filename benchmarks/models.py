"""What each network costs in each runtime on one thread, generated C++ among them, and what exporting it costs.

The weights are random numbers, which cost the same as trained ones as long as no gain is zero. Inputs are those of the
model's card, 320x320 where it leaves the size open. An export is the whole command with its comparison of tensors,
without that of a photograph.

    python -m benchmarks.models slim56 yunet_n            # these; without names all of them, about half an hour
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
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
from zoo.runtimes import Session, choose, open_session
from zoo.specs import ModelCard

LEFT_OUT = {
    "arcface_r200": "its exports take gigabytes of memory, and its latency is that of arcface_r100 times its layers",
    **{f"arcface_lresnet{depth}e_ir": f"the network of arcface_r{depth}" for depth in (34, 50, 100)},
    "retinaface_1mb_mnet025": "the network of retinaface_mnet025",
    "synthetics3d_resnet34_mse": "the network of synthetics3d_resnet34_gnll, with fewer rows in its last layer",
    "synthetics3d_mobilenetv2_mse": "the network of synthetics3d_mobilenetv2_gnll, with fewer rows in its last layer",
}
"""Models that are measured only when they are named, and why."""
TARGETS = {"onnx": "onnxruntime", "tflite": "tflite"}
"""The formats that are exported to, and what executes them here."""


def checkpoint(card: ModelCard, folder: Path) -> Artifact:
    """A checkpoint of the card's network, in the format of the framework that its method builds it in."""
    built = network(card)
    if hasattr(built, "state_dict"):
        return Artifact(_torch_checkpoint(built, folder / f"{card.id}.pth"), "torch", card)
    return Artifact(_tensorflow_checkpoint(built, folder / f"{card.id}.ckpt"), "tf-checkpoint", card)


def _torch_checkpoint(built: Any, path: Path) -> Path:
    """A state dict with the numbers that the network is initialised with. Gains and shifts are moved a little: timm
    initialises the last gain of each residual branch with zero, and LiteRT leaves out what zeros are multiplied by."""
    import torch

    torch.manual_seed(0)
    for module in built.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    with torch.no_grad():
        for parameter in built.parameters():
            if parameter.ndim < 2:
                parameter.add_(torch.empty_like(parameter).uniform_(-0.2, 0.2))
    torch.save(built.state_dict(), path)
    return path


def _tensorflow_checkpoint(built: Any, path: Path) -> Path:
    """A V2 checkpoint of the network's variables, whose prefix is `path`: noise under which numbers neither vanish nor
    explode."""
    from zoo_tensorflow.quiet import tensorflow

    tf = tensorflow()
    rng, shapes = np.random.default_rng(0), built.variables
    values = [rng.normal(0, np.sqrt(2 / max(1, np.prod(shape[:-1]))), shape) for shape in shapes.values()]
    tensors = [tf.constant(value, tf.float32) for value in values]
    tf.raw_ops.SaveV2(prefix=str(path), tensor_names=[*shapes], shape_and_slices=[""] * len(shapes), tensors=tensors)
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


def measure(rounds: int, names: Sequence[str]) -> Report:
    """The models called `names`; all that are not in `LEFT_OUT` where there are none."""
    report, cards = Report("models"), catalogue().cards
    if not names:
        names = [name for name in cards if name not in LEFT_OUT]
        report.facts["left out"] = LEFT_OUT
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            _measure(report, cards[name], Path(folder), rounds)
    return report


def _measure(report: Report, card: ModelCard, folder: Path, rounds: int) -> None:
    source = checkpoint(card, folder)
    first = choose(source.format).name
    artifacts, facts = {first: source}, dict[str, Any]()
    for suffix, runtime in TARGETS.items():
        target = folder / f"{card.id}.{suffix}"
        took, peak = export(source.path, target, card)
        facts[f"export to {suffix}"] = {"seconds": round(took, 2), "peak MiB": round(peak)}
        artifacts[runtime] = identify(target)
    sessions = {name: open_artifact(artifact) for name, artifact in artifacts.items()}
    onnx = artifacts["onnxruntime"]
    sessions["cpp"] = open_session(onnx.path, onnx.format, runtime="cpp", threads=1, device="cpu", card=onnx.card)
    cards = {"cpp": onnx.card} | {name: artifact.card for name, artifact in artifacts.items()}
    given = {name: feeds(session, cards[name]) for name, session in sessions.items()}
    actions = {n: lambda n=n: seconds(lambda: sessions[n].run(given[n])) for n in sessions}
    taken = in_turn(rounds, actions, warm_up=3)
    for name in TARGETS.values():
        report.compare(f"{card.id}, {name}, one thread", first, taken[name], taken[first], "s")
    report.compare(f"{card.id}, cpp, one thread", "onnxruntime", taken["cpp"], taken["onnxruntime"], "s")
    facts |= {f"{name}, ms": quantiles(values) for name, values in taken.items()}
    report.facts[card.id] = facts
    print(f"{card.id}: {statistics.median(taken['onnxruntime']) * 1e3:.1f} ms", file=sys.stderr)


if __name__ == "__main__":
    options = arguments(__doc__, rounds=50, names="model")
    measure(options.rounds, options.model).print()
