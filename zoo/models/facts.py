"""What can be said of a model file: what it is, what it takes and gives, and how much it computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from zoo.datasets.recognise import ranked, to_documents
from zoo.errors import ModelError, PluginError, RuntimeMissingError, UsageError
from zoo.files import sha256
from zoo.inference.artifacts import Artifact, identify
from zoo.models.edges import network
from zoo.models.parity import open_artifact
from zoo.models.plan import traced_size
from zoo.models.route import FLOAT, reachable
from zoo.plugins import catalogue, resolve
from zoo.specs import ModelCard

Part: TypeAlias = "Callable[[Artifact], dict[str, Any]]"

NOBODYS = ModelCard("", "", "")
"""Stands for the card of a file that nothing tells the model of."""


def facts(path: Path, format: str = "", card: str = "", count: bool = False) -> dict[str, Any]:
    """What is known of the model at `path` as plain data. What cannot be told is left out, and `problems` says why;
    `unusable` says that the file itself is the reason. With `count`, what the network computes is counted also where
    the file holds it and can be told without the framework that builds it to be counted.

    Raises `ModelError` for a file that is in no model format, and as `identify` for a card that does not fit.
    """
    problems: list[str] = []
    sniffed = [one for one in ranked(path, catalogue().formats) if one.confidence > 0]
    document: dict[str, Any] = {"path": str(path), "kind": "model", "recognised": to_documents(sniffed)}
    try:
        artifact = identify(path, format, card)
    except UsageError as error:
        if card or format:
            raise
        problems.append(str(error))
        artifact = Artifact(path, sniffed[0].format if sniffed else "", NOBODYS)
    if artifact.doubt:
        problems.append(artifact.doubt)
    parts: tuple[Part, ...] = (_identity, _contract, _ends, _weights, _counts)
    if not count and artifact.format and not _weights_alone(artifact):
        parts = parts[:-1]
    for part in parts if artifact.card.id else (_ends, _weights) if artifact.format else ():
        try:
            document |= part(artifact)
        except (ModelError, PluginError, RuntimeMissingError, UsageError) as error:
            problems.append(str(error))
            if isinstance(error, ModelError) and part is not _counts:
                document["unusable"] = True
    document |= {"format": artifact.format, "files": _files(artifact) if artifact.format else []}
    if artifact.format:
        document["can become"] = reachable(artifact.format, artifact.card.method, artifact.card.precision)
    return {**document, "problems": problems} if problems else document


def _weights_alone(artifact: Artifact) -> bool:
    """Whether the file holds weights without their network."""
    runtimes = [one for one in catalogue().runtimes.values() if artifact.format in one.formats]
    return bool(catalogue().formats[artifact.format].tensors) and all(runtime.card for runtime in runtimes)


def _files(artifact: Artifact) -> list[dict[str, Any]]:
    files = [file for file in artifact.files if file.is_file()]
    return [{"file": file.name, "size": file.stat().st_size, "sha256": sha256(file)} for file in files]


def _identity(artifact: Artifact) -> dict[str, Any]:
    card = artifact.card
    return {
        "model": card.id,
        "known": artifact.how,
        "architecture": card.architecture,
        "network": dict(card.network),
        "precision": card.precision,
    }


def _contract(artifact: Artifact) -> dict[str, Any]:
    """What the card says of the input."""
    contract = artifact.card.preprocess
    shown = {"size": contract.size, "colour": contract.colour, "mean": list(contract.mean), "scale": contract.scale}
    shown |= {"std": list(contract.std), "layout": contract.layout, "crop": contract.crop.kind}
    return {"preprocess": shown}


def _ends(artifact: Artifact) -> dict[str, Any]:
    """The inputs and outputs as the runtime sees them, of a file whose card is known or that holds its network."""
    if _weights_alone(artifact) and not artifact.card.id:
        return {}
    session = open_artifact(artifact)
    return {
        name: [{"name": info.name, "shape": ["?" if side is None else side for side in info.shape]} for info in infos]
        for name, infos in (("inputs", session.inputs), ("outputs", session.outputs))
    }


def _weights(artifact: Artifact) -> dict[str, Any]:
    spec = catalogue().formats[artifact.format]
    if not spec.tensors:
        return {}
    shapes = resolve(spec.tensors)(artifact.path)
    return {"tensors": len(shapes)}


def _counts(artifact: Artifact) -> dict[str, Any]:
    """Parameters, multiply-accumulates, and what papers call FLOPs, for networks that torch builds."""
    from importlib.util import find_spec

    if not catalogue().methods[artifact.card.method].network or find_spec("torch") is None:
        return {}
    built = network(artifact.card)
    if not hasattr(built, "named_modules"):  # a network of another framework
        return {}
    from zoo.networks.complexity import complexity

    width, height = _counted_size(artifact.card)
    try:
        counted = complexity(built, height, width)
    except (RuntimeError, NotImplementedError) as error:
        raise ModelError(f"The network of {artifact.card.id} cannot be counted: {error}.") from None
    return {
        "parameters": counted.parameters,
        "multiply-accumulates": counted.macs,
        "flops as papers count them": counted.flops,
        "counted at": f"{width}x{height}",
    }


def _counted_size(card: ModelCard) -> tuple[int, int]:
    """(width, height): where the card states its paper's count that count's, else the one that is traced."""
    return traced_size(card, card.mflops_size if card.mflops and not card.preprocess.crop.kind else "")


def tell(document: dict[str, Any]) -> list[str]:
    """The facts in lines for people."""
    lines = [f"{document['path']}: {document['format'] or 'unknown format'}, a model"]
    if document["recognised"]:
        best = document["recognised"][0]
        lines.append(f"format: {best['reason']} ({best['confidence']:.2f})")
    if "model" in document:
        lines.append(f"model: {document['model']}, {document['known']}")
    if document.get("architecture"):
        own = ", ".join(f"{name}={value}" for name, value in document["network"].items())
        lines.append(f"network: {document['architecture']}" + (f" with {own}" if own else ""))
    if document.get("precision", FLOAT) != FLOAT:
        lines.append(f"precision: {document['precision']}")
    for name in ("inputs", "outputs"):
        lines += [
            f"{name[:-1]}: {one['name']} {'x'.join(map(str, one['shape']))}".rstrip() for one in document.get(name, ())
        ]
    if contract := document.get("preprocess"):
        lines.append("preprocess: " + ", ".join(f"{name} {value}" for name, value in contract.items() if value != ""))
    for name in ("tensors", "parameters", "multiply-accumulates", "flops as papers count them"):
        if name in document:
            at = f" at {document['counted at']}" if name not in ("tensors", "parameters") else ""
            lines.append(f"{name}: {document[name]:,}{at}")
    lines += [f"{file['file']}: {file['size']:,} bytes, sha256 {file['sha256']}" for file in document.get("files", ())]
    if document.get("can become"):
        lines.append(f"can become: {', '.join(document['can become'])}")
    return [*lines, *(f"not told: {problem}" for problem in document.get("problems", ()))]
