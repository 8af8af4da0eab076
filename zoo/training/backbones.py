"""The weights that training starts from: of the whole network, or of a classifier whose backbone is a part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from zoo.networks.state import COUNTER, load_state

CLASSIFIER = ("fc", "classifier", "head")
"""What programs that train classifiers on ImageNet call the layers that tell its classes, which no detector has."""

SHOWN = 4
"""At most so many tensors that were not used are named."""


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
