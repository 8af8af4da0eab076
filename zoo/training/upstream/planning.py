"""What ``zoo run METHOD train`` makes of ``--config FILE.py``, a configuration of the original's: the network, and how
it is trained."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo.errors import UsageError
from zoo.inference.loading import is_a_path
from zoo.models.edges import network as build
from zoo.models.plan import upstream_document
from zoo.plugins import catalogue, resolve
from zoo.requests import TaskRequest
from zoo.specs import ModelCard
from zoo.training.options import TrainOptions
from zoo.training.recipe import Recipe
from zoo.training.upstream.mmdet import processes, read
from zoo.training.upstream.sections import Account
from zoo.training.variants import variant


def planned(request: TaskRequest) -> tuple[TaskRequest, Recipe]:
    """The request with the card of what is to be trained, and how it is, before the options of the run: the method's
    recipe for its model or, with the option ``upstream``, what that configuration says.

    Raises `UsageError` for a configuration of another network, of another kind, or that asks for what is not done here
    and is not to be ignored; `ModelError` for one that cannot be read.
    """
    options: TrainOptions = request.options
    if not options.upstream:
        if options.ignore:
            raise UsageError("ignore is for fields of a configuration of the original's, which --config FILE.py names.")
        card = variant(request.card, options.network)
        return replace(request, card=card), resolve(request.method.recipe)(card)
    account = Account(Path(options.upstream), options.ignore)
    document = upstream_document(account.file)
    card = described(document, request, account)
    made = variant(card, options.network)
    if options.network and made.arguments != card.arguments:
        raise UsageError(
            f"{account.file} says how its own network's outputs are learnt, and network.* asks for others"
            f" ({dict(made.arguments)}, not {dict(card.arguments)}); change the configuration instead."
        )
    said = read(account.root(document), request.method, card)
    ignored = account.settle()
    if said.preprocess is not card.preprocess:
        ignored = (*ignored, f"the normalisation of {card.id}; images are normalised as the configuration says")
    _tell(request, account.file, said.recipe, ignored)
    settings = request.settings
    if not (options.init or settings.get("weights") or (settings.get("model") and is_a_path(settings["model"]))):
        options = replace(options, init=said.begin)
    return replace(request, card=replace(made, preprocess=said.preprocess), options=options), said.recipe


def described(document: Mapping[str, Any], request: TaskRequest, account: Account) -> ModelCard:
    """The card of the network that a configuration describes: the model's that the user names, which must have that
    network, or else that of its architecture, with what departs from it."""
    method = request.method
    if not method.objective or not method.config:
        raise UsageError(f"{method.name} is not trained by configurations of its original's such as {account.file}.")
    found = resolve(method.config)(document["model"])
    if found is None:
        raise account.wrong(f"it describes no network of {method.name}")
    architecture, arguments = found
    alike = [one for one in catalogue().cards.values() if (one.method, one.architecture) == (method.name, architecture)]
    if not alike:
        raise account.wrong(f"it describes a {architecture}, of which there is no card")
    card = variant(alike[0], arguments)
    if not request.settings.get("model"):
        return card
    if build(card).config != build(request.card).config:
        raise account.wrong(f"it describes another network than {request.card.id}'s; leave --model out, or the file")
    return request.card


def _tell(request: TaskRequest, file: Path, recipe: Recipe, ignored: tuple[str, ...]) -> None:
    """One line of what a step is, because the originals mean several devices; one for all that is left out."""
    if os.environ.get("RANK", "0") != "0":
        return
    count = processes()
    devices = "1 device" if count == 1 else f"{count} devices"
    if request.options.batch is None:
        request.progress.note(
            f"{file}: {recipe.batch // count} images a device, {devices}: {recipe.batch} a step, at the file's learning"
            f" rate of {recipe.optimiser.rate:g}; batch= and lr= say otherwise"
        )
    if ignored:
        request.progress.note(f"{file}: left out: {'; '.join(ignored)}")
