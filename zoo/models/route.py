"""The way from one model format to another over the edges that are installed."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from zoo.errors import RuntimeMissingError, UsageError
from zoo.plugins import catalogue
from zoo.runtimes import importable
from zoo.specs import ConverterSpec


@dataclass(frozen=True)
class Route:
    """Edges in order, each beginning in the format in which the one before ends."""

    edges: tuple[ConverterSpec, ...]

    @property
    def cost(self) -> float:
        """The sum of the edges' costs."""
        return sum(edge.cost for edge in self.edges)

    @property
    def lost(self) -> tuple[str, ...]:
        """What the edges cannot carry over."""
        return tuple(edge.loss for edge in self.edges if edge.loss)

    @property
    def missing(self) -> tuple[tuple[str, str], ...]:
        """The Python modules that are not installed, and for each the line that installs it."""
        needs = {name: edge.install for edge in self.edges for name in edge.needs if not importable(name)}
        return tuple(needs.items())

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats on the way, both ends included."""
        return (self.edges[0].src, *(edge.dst for edge in self.edges)) if self.edges else ()

    def require_installed(self) -> None:
        """Raise `RuntimeMissingError` that says what to install where something is missing."""
        if self.missing:
            names = ", ".join(name for name, _ in self.missing)
            lines = " and ".join(dict.fromkeys(line for _, line in self.missing if line)) or "pip"
            raise RuntimeMissingError(
                f"The way {' -> '.join(self.formats)} needs {names}, which is not installed; install it with {lines}."
            )


def find(source: str, target: str, method: str, via: Sequence[str] = ()) -> Route:
    """The best way from the format `source` to `target` for models of `method`, through each of `via` in order.

    What loses nothing goes before what does, what is installed before what is not, then the lowest cost counts.
    Raises `UsageError` when there is no way.
    """
    stops = [source, *via, target]
    edges: list[ConverterSpec] = []
    for start, end in itertools.pairwise(stops):
        if start != end:  # to name an end of the way as a stop of it changes nothing
            edges.extend(_shortest(start, end, method))
    return Route(tuple(edges))


def reachable(source: str, method: str) -> list[str]:
    """The formats that there is a way to."""
    found, new = {source}, [source]
    while new:
        start = new.pop()
        for edge in _edges(method):
            if edge.src == start and edge.dst not in found:
                found.add(edge.dst)
                new.append(edge.dst)
    return sorted(found - {source})


def _edges(method: str) -> Iterable[ConverterSpec]:
    return [edge for edge in catalogue().converters.values() if not edge.methods or method in edge.methods]


_Entry: TypeAlias = "tuple[tuple[int, int, float], int, str, list[ConverterSpec]]"


def _shortest(start: str, end: str, method: str) -> list[ConverterSpec]:
    """Dijkstra's algorithm; the weight is (losses, missing modules, cost), compared in this order."""
    edges, counter = _edges(method), itertools.count()
    queue: list[_Entry] = [((0, 0, 0.0), next(counter), start, [])]
    done = set()
    while queue:
        (losses, missing, cost), _, place, path = heapq.heappop(queue)
        if place == end and path:
            return path
        if place in done:
            continue
        done.add(place)
        for edge in edges:
            if edge.src == place and (edge.dst not in done or edge.dst == end):
                absent = sum(not importable(name) for name in edge.needs)
                weight = (losses + bool(edge.loss), missing + absent, cost + edge.cost)
                heapq.heappush(queue, (weight, next(counter), edge.dst, [*path, edge]))
    known = ", ".join(reachable(start, method)) or "nothing"
    raise UsageError(f"There is no way from {start} to {end} for models of {method}; {start} can become: {known}.")
