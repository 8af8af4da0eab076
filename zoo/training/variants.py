"""A network of one's own: the card of a model with fields of its network set anew, and how much that computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass, replace
from typing import Any

import torch

from zoo.errors import UsageError
from zoo.models.edges import network as build
from zoo.networks.complexity import complexity, parameters
from zoo.options import convert, describe
from zoo.plugins import catalogue, resolve
from zoo.specs import ModelCard, to_json

FIELD = "network."
"""What stands before the fields of a network's configuration where a user names them."""


@dataclass(frozen=True)
class Amount:
    """What a network has and does: trainable numbers, and multiply-accumulates for a square of `side` pixels."""

    parameters: int
    macs: int
    side: int


def variant(card: ModelCard, fields: Mapping[str, Any]) -> ModelCard:
    """The card of `card`'s network with the `fields` of its configuration, texts or YAML values, set anew.

    Its parameters are counted, figures that are another network's are left out, and what the method says follows from
    the network, such as the strides, is in it. Without fields it is the card of the network as it is, which a file that
    was recognised by its tensors may depart from what the registry says. Raises `UsageError` for a field that there is
    not, with the nearest one, for a value that does not fit, and for a network that the method cannot train.
    """
    network = _blank(card)
    departures = _departures(network, card, fields)
    if departures:
        card = replace(card, network={**card.network, **departures})
        network = _blank(card)
    count = parameters(network)
    if departures or count != card.parameters:
        card = replace(card, parameters=count, mflops=0.0, mflops_size="")
    follows = catalogue().methods[card.method].variant
    made: ModelCard = resolve(follows)(card, network) if follows else card
    return made


def amount(card: ModelCard, side: int) -> Amount:
    """What the network of `card` has, and does for a square of `side` pixels."""
    counted = complexity(_blank(card), side, side)
    return Amount(counted.parameters, counted.macs, side)


def told(card: ModelCard, counted: Amount, base: ModelCard) -> str:
    """A line for people: the `counted` amount of the network of `card`, and that of the model that it departs from: the
    one of its name or, where nobody knows that, the `base`."""
    macs, size = f"{counted.macs / 1e6:,.1f} M", f"{counted.side}x{counted.side}"
    beside, cards = "", catalogue().cards
    if card.id in cards:
        base = cards[card.id]
    if card.network != base.network:
        before = amount(base, counted.side)
        beside = f" ({base.id}: {before.parameters:,} and {before.macs / 1e6:,.1f} M)"
    return f"network: {counted.parameters:,} parameters, {macs} multiply-accumulates at {size}{beside}"


def document(card: ModelCard, counted: Amount) -> dict[str, Any]:
    """The network of `card` as plain data: what departs, all fields of its configuration, and its `counted` amount."""
    config = getattr(_blank(card), "config", None)
    fields = to_json(config) if is_dataclass(config) else {}
    departing = dict(card.network)
    return {"architecture": card.architecture, "departing": departing, "fields": fields, **asdict(counted)}


def _blank(card: ModelCard) -> Any:
    """The network of `card` without numbers, so that it costs no memory and draws nothing at random."""
    with torch.device("meta"):
        return build(card)


def _departures(network: Any, card: ModelCard, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the `fields` that differ from what `network` has, each as the type of its own."""
    if not fields:
        return {}
    config = getattr(network, "config", None)
    if not is_dataclass(config) or isinstance(config, type):
        raise UsageError(f"The network of {card.id} has no fields that could be set; leave {FIELD}* out.")
    known = {f"{FIELD}{name}": replace(one, name=f"{FIELD}{name}") for name, one in describe(type(config)).items()}
    found = convert({f"{FIELD}{name}": value for name, value in fields.items()}, known)
    given = {name.removeprefix(FIELD): value for name, value in found.items()}
    return {name: value for name, value in given.items() if getattr(config, name) != value}
