"""The weights that training starts from: of the whole network, or of a classifier whose backbone is a part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from zoo.errors import ModelError, UsageError
from zoo.inference.artifacts import card_inside, format_of, meant, owners_of
from zoo.inference.loading import is_a_path
from zoo.models.edges import network as build
from zoo.networks.state import COUNTER, load_state
from zoo.plugins import catalogue, resolve
from zoo.requests import TaskRequest
from zoo.specs import UNKNOWN, Licence
from zoo.training.folder import WEIGHTS
from zoo.training.recipe import Recipe
from zoo.weights import WeightStore

CLASSIFIER = ("fc", "classifier", "head")
"""What programs that train classifiers on ImageNet call the layers that tell its classes, which no detector has."""

SHOWN = 4
"""At most so many tensors that were not used are named."""


RANDOM = "random"
"""What the option `init` says for random weights where a file of weights is named as the model."""


@dataclass(frozen=True)
class _Place:
    """A part of a network, the network itself with an empty `name`, and the tensors that would fill it."""

    name: str
    module: nn.Module
    tensors: Mapping[str, Any]

    @property
    def worth(self) -> tuple[bool, int]:
        """Whether the names fit, and how many do."""
        wanted = self.module.state_dict().keys()
        needed = {name for name in wanted if name.rpartition(".")[2] != COUNTER}
        return needed <= self.tensors.keys() <= wanted, len(wanted & self.tensors.keys())


def first(request: TaskRequest, recipe: Recipe) -> tuple[nn.Module, str, str]:
    """The network with its first weights, what all of these came from, empty for random ones, and a line that tells
    what a part of them came from, if one did."""
    network: nn.Module = build(request.card)
    if recipe.initialise is not None:
        recipe.initialise(network)
    settings = request.settings
    named = settings["model"] if settings.get("model") and is_a_path(settings["model"]) else ""
    start = request.options.init or settings.get("weights") or named
    if not start or start == RANDOM:
        return network, "", ""
    try:
        taken = _load(network, start, request, recipe)
    except ModelError as error:
        if request.options.init or not request.options.network:
            raise
        sentence = str(error).rstrip(".")
        raise UsageError(f"{sentence}; say init={RANDOM} to begin anew with the network.* that you set.") from None
    return network, "" if taken else start, taken


def licence(begun: str) -> Licence:
    """The licence of the weights `begun`, a model's id or a file: the published model's whose file it is, or what the
    card inside says; else, and of random ones, whose `begun` is empty, nobody knows."""
    cards = catalogue().cards
    if not begun or begun in cards:
        return cards[begun].licences.weights if begun else UNKNOWN
    path = meant(Path(begun))
    owner = next(iter(owners_of(path)), "")
    card = cards[owner] if owner else card_inside(path, format_of(path))
    return card.licences.weights if card else UNKNOWN


def _load(network: nn.Module, named: str, request: TaskRequest, recipe: Recipe) -> str:
    """Put the weights of `named`, a file or the id of a model, into `network` or into a part of it: then what was taken
    is returned, as a line."""
    cards = catalogue().cards
    if named in cards:
        card = cards[named]
        file = next((one for one in card.weights if one.format == WEIGHTS), None)
        if file is None:
            raise ModelError(f"No weights of {named} are published that training could start from; give a file.")
        store = WeightStore(progress=request.progress, say=request.progress.note)
        path, kind = store.path(file, card.id, card.licences), file.format
    else:
        path = meant(Path(named))
        kind = format_of(path).name
    spec = catalogue().formats[kind]
    if not spec.state:
        raise ModelError(f"{path} is a {kind} file, whose weights training cannot start from; convert it to {WEIGHTS}.")
    return begin(network, resolve(spec.state)(path), str(path), recipe.rename)


def begin(
    network: nn.Module, tensors: Mapping[str, Any], where: str, rename: Callable[[Any, str], str] | None = None
) -> str:
    """Put `tensors` by name into `network` or, where they are weights of one of its children alone, into that: then
    what was taken is returned, as a line for people; the text is empty where it was the whole network.

    For a child the classifier's own layers are left out, and a name before all others that the child does not have, as
    programs write that train a classifier of several parts. `rename` is called with the network and the name of a
    tensor, and returns what the network calls it; the plain names are tried as well. `where` names the file.

    Raises `ModelError` that names the first tensor which does not fit, and leaves the network as it was.
    """
    whole = _Place("", network, tensors)
    best = max([*_parts(network, tensors, rename), whole], key=lambda place: place.worth)
    if not best.name or not best.worth[1]:
        load_state(network, tensors, where)
        return ""
    load_state(best.module, best.tensors, where, f"network's {best.name}")
    return f"{where}: {len(best.tensors)} tensors for the network's {best.name}, whose other parts{_unused(tensors)}"


def _parts(
    network: nn.Module, tensors: Mapping[str, Any], rename: Callable[[Any, str], str] | None
) -> Iterator[_Place]:
    kept = {name: value for name, value in tensors.items() if not _classifies(name)}
    bare = {name.partition(".")[2]: value for name, value in kept.items()}
    groups = [kept, bare] if len({name.partition(".")[0] for name in kept}) == 1 else [kept]
    for name, child in network.named_children():
        for group in groups:
            yield _Place(name, child, group)
            if rename is not None:
                yield _Place(name, child, {rename(network, own): value for own, value in group.items()})


def _classifies(name: str) -> bool:
    return name.partition(".")[0] in CLASSIFIER


def _unused(tensors: Mapping[str, Any]) -> str:
    """The end of the sentence of `begin`: what stays random, and what of the file was not used."""
    left = [name for name in tensors if _classifies(name)]
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    return " stay random" + (f"; not used: {', '.join(left[:SHOWN])}{more}" if left else "")
