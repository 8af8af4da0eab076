"""What can be said of a model file: what it is, what it takes and gives, and how much it computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.datasets.recognise import ranked, to_documents
from zoo.errors import ModelError, PluginError, RuntimeMissingError, UsageError
from zoo.files import sha256
from zoo.inference.artifacts import Artifact, identify
from zoo.models.edges import network
from zoo.models.parity import open_artifact
from zoo.models.plan import traced_size
from zoo.models.route import reachable
from zoo.plugins import catalogue, resolve


def facts(path: Path, format: str = "", card: str = "") -> dict[str, Any]:
    """What is known of the model at `path` as plain data. What cannot be told is left out, and `problems` says why.

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
        return {**document, "format": sniffed[0].format if sniffed else "", "problems": problems}
    document |= {"format": artifact.format, "files": _files(artifact), "model": artifact.card.id, "known": artifact.how}
    for part in (_ends, _weights, _counts):
        try:
            document |= part(artifact)
        except (ModelError, PluginError, RuntimeMissingError, UsageError) as error:
            problems.append(str(error))
    document["can become"] = reachable(artifact.format, artifact.card.method)
    return {**document, "problems": problems} if problems else document


def _files(artifact: Artifact) -> list[dict[str, Any]]:
    files = [file for file in artifact.files if file.is_file()]
    return [{"file": file.name, "size": file.stat().st_size, "sha256": sha256(file)} for file in files]


def _ends(artifact: Artifact) -> dict[str, Any]:
    """The card's contract, and the inputs and outputs as the runtime sees them."""
    card = artifact.card
    contract = card.preprocess
    session = open_artifact(artifact)
    ends = {
        name: [{"name": info.name, "shape": ["?" if side is None else side for side in info.shape]} for info in infos]
        for name, infos in (("inputs", session.inputs), ("outputs", session.outputs))
    }
    shown = {"size": contract.size, "colour": contract.colour, "mean": list(contract.mean), "scale": contract.scale}
    shown |= {"std": list(contract.std), "layout": contract.layout, "crop": contract.crop.kind}
    return {"architecture": card.architecture, "network": dict(card.network), "preprocess": shown, **ends}


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

    width, height = traced_size(artifact.card, "")
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
    for name in ("inputs", "outputs"):
        lines += [f"{name[:-1]}: {one['name']} {'x'.join(map(str, one['shape']))}" for one in document.get(name, ())]
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
