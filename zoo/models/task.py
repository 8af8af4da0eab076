"""The task ``export``: a model of the zoo, or one's own weights, as files of other formats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, WeightsError
from zoo.inference.artifacts import Artifact, identify
from zoo.models import plan as planning
from zoo.models.convert import Ported, convert
from zoo.models.options import ExportOptions, PortOptions, ProofOptions
from zoo.models.route import FLOAT, reachable
from zoo.options import describe
from zoo.plugins import catalogue
from zoo.requests import TaskRequest, TaskResult
from zoo.runtimes import usable
from zoo.specs import ModelCard, WeightFile
from zoo.weights import WeightStore


def export(request: TaskRequest) -> TaskResult:
    """Write the model of the request in each of the formats that its options name (`ExportOptions`) into its output
    folder, each compared with the original and with a receipt beside it.

    An input, if there is one, is the model: a file, or the run folder of a training. Raises as
    `zoo.models.convert.convert`, and `UsageError` for several inputs, or one beside another model, and for no folder.
    """
    if request.out is None:
        raise UsageError("Say with --out in which folder the exported model is to be written.")
    options: ExportOptions = request.options
    formats = dict.fromkeys(options.format)
    for name in formats:
        planning.require_model_format(name)
    source = original(request.card, _settings(request), next(iter(formats)), WeightStore(say=request.progress.note))
    plans = [_plan(source, request, name, options) for name in formats]
    for plan in plans:
        planning.require_possible(plan, options.allow_loss)
    done = [_converted(plan, request, options) for plan in plans]
    return TaskResult(
        inputs=len(done),
        done=len(done),
        outputs=tuple(path for one in done for path in (one.target.path, one.receipt)),
        summary={
            "model": source.card.id,
            "from": str(source.path),
            "unit": "file",
            "told": [line for one in done for line in one.told],
            "exports": [one.to_dict() for one in done],
        },
        card=source.card,
    )


def _settings(request: TaskRequest) -> Mapping[str, Any]:
    """The request's settings, in which its input is the model."""
    settings = request.settings
    if not request.inputs:
        return settings
    if len(request.inputs) > 1 or settings.get("model") or settings.get("weights"):
        raise UsageError(
            f"An export takes one model: give {request.inputs[0]} alone, or a model with --model or --weights."
        )
    if not Path(request.inputs[0]).exists():
        raise UsageError(f"There is no model file and no run folder {request.inputs[0]}.")
    return {**settings, "model": request.inputs[0]}


def _converted(plan: planning.PortPlan, request: TaskRequest, options: ExportOptions) -> Ported:
    done = convert(plan, request.progress, options.allow_loss)
    request.emit(done.to_dict())
    return done


def original(card: ModelCard, settings: Any, target: str, store: WeightStore) -> Artifact:
    """What is exported: the file that the user brings, else the card's file that is nearest to how it was trained.

    Raises `WeightsError` when there is none, and as `identify`.
    """
    brought = settings.get("weights") or (settings["model"] if Path(settings["model"]).exists() else "")
    if brought:
        said = card.id if settings["model"] in catalogue().cards else settings.get("card", "")
        found = identify(Path(brought), card=said)
        if found.card.method != card.method:
            raise UsageError(
                f"{brought} is a model of {found.card.method}: zoo run {found.card.method} export exports it."
            )
        return found
    files = [file for file in card.weights if _leads(file, card, target)]
    if not files:
        raise WeightsError(
            f"The card of {card.id} lists no file of which {target} can be made; give your own with --weights FILE."
        )
    files.sort(key=lambda file: (not catalogue().formats.document(file.format)["tensors"], not usable(file.format)))
    chosen = next((file for file in files if file.sha256 or store.find(file, card.id)), files[0])
    path = store.path(chosen, card.id, card.licences)
    return Artifact(path, chosen.format, card, "the card's own file")


def _leads(file: WeightFile, card: ModelCard, target: str) -> bool:
    known = file.format in catalogue().formats
    return known and (file.format == target or target in reachable(file.format, card.method))


def _plan(source: Artifact, request: TaskRequest, name: str, options: ExportOptions) -> planning.PortPlan:
    spec = catalogue().formats[name]
    suffix = spec.suffixes[0] if spec.suffixes else f".{name}"
    kept = "" if options.precision == FLOAT else f"_{options.precision}"
    target = Path(request.out or "") / f"{source.card.id}{kept}{suffix}"
    proof = {name: getattr(options, name) for name in describe(ProofOptions)}
    if odd := next((part for part in options.convert if "=" not in part), ""):
        raise UsageError(f"The option convert takes NAME=VALUE with commas between, such as opset=13, not {odd!r}.")
    values = dict(part.split("=", 1) for part in options.convert)
    asked = PortOptions(**proof, size=str(request.settings.get("size", "")))
    return planning.plan_for(source, target, values, asked, name)
